"""Batches of ladders: a pristine view and four worse ones of each picture, and their targets.

Batch number n of a seed is the same whatever was drawn before it, so a run resumes exactly.
"""

from __future__ import annotations

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
STEPS = ((0.05, 0.3), (0.2, 0.5), (0.45, 0.75), (0.7, 1.0))  # severity of the worse ones
THUMBNAILS = 0.25  # share of ladders that see a larger picture's thumbnail


class Batch(NamedTuple):
    """Views of one side, ladder by ladder, garbage last."""

    views: Tensor
    """(N, 3, side, side) uint8."""
    targets: Tensor
    """(N, pairs), 0..1."""
    severities: Tensor
    """(ladders, LADDER)."""


@dataclass(frozen=True, slots=True)
class Batches:
    """The batches of a run by number: a data set for torch's loader."""

    pictures: tuple[Bytes, ...]
    seed: int
    ladders: int
    sides: tuple[int, ...]

    def __getitem__(self, number: int) -> Batch:
        rng = np.random.default_rng((self.seed, number))
        side = int(rng.choice(self.sides))
        views, wanted, severities = [], [], []
        for _ in range(self.ladders):
            rungs, rows, steps = self._ladder(side, rng)
            views += rungs
            wanted += rows
            severities.append(steps)
        for _ in range(GARBAGE):
            view = garbage(side, rng)
            views.append(view)
            wanted.append(targets.of_garbage(view))
        pixels = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
        return Batch(pixels, torch.from_numpy(np.stack(wanted)), torch.tensor(severities))

    def _ladder(
        self, side: int, rng: np.random.Generator
    ) -> tuple[list[Bytes], list[np.ndarray], list[float]]:
        small = rng.random() < THUMBNAILS
        width, height = (rng.uniform(1.2, 2.2, 2) * side).astype(int) if small else (side, side)
        if rng.random() < pristine.DRAWN:
            base = pristine.drawing(width, height, rng)
        else:
            picture = self.pictures[rng.integers(len(self.pictures))]
            base = pristine.crop(picture, int(width), int(height), rng)
        kinds = mixture(rng, int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])))
        shares = dict(zip(kinds, rng.uniform(0.4, 1, len(kinds)), strict=True))
        if len(kinds) == 1:
            shares = {kinds[0]: 1.0}
        seeds = [int(seed) for seed in rng.integers(0, 2**31, len(kinds))]
        steps = [0.0, *(float(rng.uniform(*step)) for step in STEPS)]
        steps.sort()
        views, rows = [], []
        for step in steps:
            found = base
            severities = {kind: shares[kind] * step for kind in kinds}
            if step > 0:
                for kind, seed in zip(kinds, seeds, strict=True):
                    found = distort(found, kind, severities[kind], seed)
            view = pristine.thumbnail(found, side) if small else found
            views.append(np.ascontiguousarray(view))
            far = targets.difference(views[0], view) if step > 0 else 0.0
            rows.append(targets.all_pairs(severities, far, view))
        return views, rows, steps


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
    """The pictures of a run, in memory."""
    return tuple(map(pristine.read, files))
