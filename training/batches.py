"""Batches of ladders: a pristine view and four worse ones of each picture, and their targets.

Batch number n of a seed is the same whatever was drawn before it, so a run resumes exactly.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import pristine
import targets
from distortions import distort, mixture
from distortions.pixels import Bytes

LADDER = 5  # views of one picture, pristine first, each worse than the one before
GARBAGE = 2  # views a batch of no picture at all
STEPS = (  # severity of the worse ones: over the whole range, or its upper half alone
    ((0.05, 0.3), (0.2, 0.5), (0.45, 0.75), (0.7, 1.0)),
    ((0.35, 0.55), (0.55, 0.7), (0.7, 0.85), (0.85, 1.0)),
)
THUMBNAILS = 0.25  # share of ladders that see a larger picture's thumbnail
ARTWORKS = 0.12  # share of ladders of artwork, where there is any


class Batch(NamedTuple):
    """Views of one side, ladder by ladder, garbage last."""

    views: Tensor
    """(N, 3, side, side) uint8."""
    faults: Tensor
    """(N, 6), of `targets.faults`; all ones for garbage."""
    attributes: Tensor
    """(N, 3), 0..1, of `targets.attributes`."""
    severities: Tensor
    """(ladders, LADDER)."""
    small: Tensor
    """(N,) bool: is it a thumbnail."""
    photo: Tensor
    """(N,) bool: is it of a photograph."""
    kinds: tuple[tuple[str, ...], ...]
    """Of each ladder, in the order in which they were applied."""

    def to(self, device: torch.device) -> Batch:
        """The batch where the network is."""
        return Batch(
            self.views.to(device),
            self.faults.to(device),
            self.attributes.to(device),
            self.severities.to(device),
            self.small.to(device),
            self.photo.to(device),
            self.kinds,
        )

    def without(self, kinds: Collection[str]) -> tuple[Batch, Tensor]:
        """The ladders that have none of these kinds, and the garbage; and which rows they are."""
        kept = [not set(each) & set(kinds) for each in self.kinds]
        ladders = torch.tensor(kept, device=self.views.device)
        rows = torch.cat([ladders.repeat_interleave(LADDER), ladders.new_ones(GARBAGE)])
        batch = Batch(
            self.views[rows],
            self.faults[rows],
            self.attributes[rows],
            self.severities[ladders],
            self.small[rows],
            self.photo[rows],
            tuple(each for each, keep in zip(self.kinds, kept, strict=True) if keep),
        )
        return batch, rows


class Ladder(NamedTuple):
    """The views of one picture and what was done to them."""

    views: list[Bytes]
    severities: list[dict[str, float]]
    steps: list[float]
    small: bool
    photo: bool
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a run by number: a data set for torch's loader."""

    pictures: tuple[Bytes, ...]
    artworks: tuple[Bytes, ...]
    seed: int
    ladders: int
    sides: tuple[int, ...]

    def __getitem__(self, number: int) -> Batch:
        rng = np.random.default_rng((self.seed, number))
        side = int(rng.choice(self.sides))
        found = [self._ladder(side, rng) for _ in range(self.ladders)]
        empty = [garbage(side, rng) for _ in range(GARBAGE)]
        views = [view for ladder in found for view in ladder.views] + empty
        faults = [targets.faults(row) for ladder in found for row in ladder.severities]
        faults += [np.ones(6, np.float32)] * GARBAGE
        small, photo = (
            torch.tensor([flag for flag in flags for _ in range(LADDER)] + [False] * GARBAGE)
            for flags in ([ladder.small for ladder in found], [ladder.photo for ladder in found])
        )
        return Batch(
            torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack(faults)),
            torch.from_numpy(np.stack([targets.attributes(view) for view in views])),
            torch.tensor([ladder.steps for ladder in found]),
            small,
            photo,
            tuple(ladder.kinds for ladder in found),
        )

    def pristine(self, number: int, side: int) -> list[tuple[Bytes, bool]]:
        """Pristine photographs as this run's views, and which are thumbnails."""
        rng = np.random.default_rng((self.seed, number, 1))
        found: list[tuple[Bytes, bool]] = []
        while len(found) < self.ladders:
            base, small, photo = self._base(side, rng)
            if photo:
                found.append((pristine.thumbnail(base, side) if small else base, small))
        return found

    def _base(self, side: int, rng: np.random.Generator) -> tuple[Bytes, bool, bool]:
        small = bool(rng.random() < THUMBNAILS)
        width, height = (rng.uniform(1.2, 2.2, 2) * side).astype(int) if small else (side, side)
        if rng.random() < pristine.DRAWN:
            return pristine.drawing(int(width), int(height), rng), small, False
        photo = not self.artworks or bool(rng.random() >= ARTWORKS)
        pictures = self.pictures if photo else self.artworks
        picture = pictures[rng.integers(len(pictures))]
        return pristine.crop(picture, int(width), int(height), rng), small, photo

    def _ladder(self, side: int, rng: np.random.Generator) -> Ladder:
        base, small, photo = self._base(side, rng)
        kinds = mixture(rng, int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])))
        shares = dict(zip(kinds, rng.uniform(0.4, 1, len(kinds)), strict=True))
        if len(kinds) == 1:
            shares = {kinds[0]: 1.0}
        seeds = [int(seed) for seed in rng.integers(0, 2**31, len(kinds))]
        steps = [0.0, *sorted(float(rng.uniform(*step)) for step in STEPS[rng.integers(2)])]
        views, rows = [], []
        for step in steps:
            found = base
            severities = {kind: shares[kind] * step for kind in kinds} if step > 0 else {}
            for kind, seed in zip(severities, seeds, strict=False):
                found = distort(found, kind, severities[kind], seed)
            view = pristine.thumbnail(found, side) if small else found
            views.append(np.ascontiguousarray(view))
            rows.append(severities)
        return Ladder(views, rows, steps, small, photo, tuple(kinds))


def garbage(side: int, rng: np.random.Generator) -> Bytes:
    """No picture: noise of some grain, one colour, or a plain gradient."""
    kind = rng.integers(4)
    shape = (side, side, 3)
    if kind == 0:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == 1:
        level, spread = rng.uniform(0, 255), rng.uniform(20, 90)
        return np.clip(rng.normal(level, spread, shape), 0, 255).astype(np.uint8)
    colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else np.zeros(3)
    if kind == 2:
        return np.broadcast_to(colour, shape).astype(np.uint8)
    ramp = np.linspace(0, 1, side)[None, :, None] * rng.uniform(-60, 60, 3)
    return np.clip(np.broadcast_to(colour + ramp, shape), 0, 255).astype(np.uint8)


def load(files: list[Path]) -> tuple[Bytes, ...]:
    """Pictures in memory."""
    return tuple(map(pristine.read, files))
