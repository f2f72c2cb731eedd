"""Batches: ladders of views of pictures, each worse than the one before, and views of a medley.

Batch number n of a seed and a medley is the same whatever was drawn before it: a run resumes
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import pristine
import targets
from distortions import distort, mixture
from distortions.pixels import Bytes
from measures import difference
from medley import Medley

LADDER = 5  # views of one picture, pristine first, each worse than the one before
GARBAGE = 2  # views a batch of no picture at all
STEPS = (  # severity of the worse ones: over the whole range, or its upper half alone
    ((0.05, 0.3), (0.2, 0.5), (0.45, 0.75), (0.7, 1.0)),
    ((0.35, 0.55), (0.55, 0.7), (0.7, 0.85), (0.85, 1.0)),
)
DRAWN = 0.06  # share of ladders of drawings, not photographs
THUMBNAILS = 0.25  # share of ladders that see a larger picture's thumbnail
OTHERS = ((160, 40), (224, 20))  # views of the medley a batch: side and count


class Batch(NamedTuple):
    """Views of one side, ladder by ladder, garbage last; views of the medley; their targets."""

    views: Tensor
    """(N, 3, side, side) uint8."""
    pairs: Tensor
    """(N, pairs), 0..1, of `targets.pairs`."""
    severities: Tensor
    """(ladders, LADDER)."""
    medley: Tensor
    """(M, 3, side, side) uint8."""
    natural: Tensor
    """(M,), 0..1."""

    def to(self, device: torch.device) -> Batch:
        """The batch where the network is."""
        return Batch(*(values.to(device) for values in self))


class Ladder(NamedTuple):
    """The views of one picture and what was done to them."""

    views: list[Bytes]
    severities: list[dict[str, float]]
    steps: list[float]


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a run by number: a data set for torch's loader."""

    pictures: tuple[Bytes, ...]
    medley: Medley
    seed: int
    ladders: int
    sides: tuple[int, ...]

    def __getitem__(self, number: int) -> Batch:
        rng = np.random.default_rng((self.seed, number))
        side = int(rng.choice(self.sides))
        found = [self._ladder(side, rng) for _ in range(self.ladders)]
        empty = [pristine.garbage(side, side, rng) for _ in range(GARBAGE)]
        shown = [view for ladder in found for view in ladder.views] + empty
        views = _tensor(shown)
        faults = [targets.faults(row) for ladder in found for row in ladder.severities]
        firsts = torch.arange(self.ladders).repeat_interleave(LADDER) * LADDER
        far = difference(views[firsts], views[: self.ladders * LADDER])
        pairs = targets.pairs(
            torch.from_numpy(np.stack([*faults, *[np.ones(6, np.float32)] * GARBAGE])),
            torch.cat([far, far.new_ones(GARBAGE)]),
            torch.from_numpy(np.stack([targets.attributes(view) for view in shown])),
        )
        pairs[-GARBAGE:, targets.UNASKED] = 0.5
        side, count = OTHERS[rng.integers(len(OTHERS))]
        rows = rng.integers(len(self.medley.natural), size=count)
        return Batch(
            views,
            pairs,
            torch.tensor([ladder.steps for ladder in found]),
            _tensor([self.medley.view(row, side, rng) for row in rows]),
            torch.from_numpy(self.medley.natural[rows]),
        )

    def _base(self, side: int, rng: np.random.Generator) -> tuple[Bytes, bool]:
        small = bool(rng.random() < THUMBNAILS)
        width, height = (rng.uniform(1.2, 2.2, 2) * side).astype(int) if small else (side, side)
        if rng.random() < DRAWN:
            return pristine.drawing(int(width), int(height), rng), small
        for _ in range(pristine.TRIES):  # on a plain view a fault does not show
            picture = self.pictures[rng.integers(len(self.pictures))]
            found = pristine.crop(picture, int(width), int(height), rng)
            if pristine.detail(found) > pristine.DETAIL:
                break
        return found, small

    def _ladder(self, side: int, rng: np.random.Generator) -> Ladder:
        base, small = self._base(side, rng)
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
            views.append(pristine.thumbnail(found, side) if small else found)
            rows.append(severities)
        return Ladder(views, rows, steps)


def _tensor(views: list[Bytes]) -> Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
