"""Small sets for tests: pictures with labels, and their embeddings kept by a run."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

import recipe
from magiqa import Scorer
from magiqa.clip.anchors import load_anchors
from magiqa.clip.weights import open_checkpoint
from magiqa.evaluate.datasets import DataSet, find_dataset
from magiqa.evaluate.embeddings import AnchorsOf
from magiqa.evaluate.layouts import Rated
from magiqa.runs.embeddings import EmbedRun

SIZES = ((300, 260), (352, 224), (100, 90), (480, 360), (230, 224), (40, 60))
"""(width, height): two views, three, the thumbnail alone, five, two, the thumbnail alone."""


def pictures(folder: Path, names: Sequence[str]) -> list[Rated]:
    """A picture for each name, with labels that rise."""
    folder.mkdir(parents=True, exist_ok=True)
    rated = []
    for seed, name in enumerate(names):
        width, height = SIZES[seed % len(SIZES)]
        Image.fromarray(recipe.picture(height, width, seed)).save(folder / name)
        rated.append(Rated(name, folder / name, 1.0 + (seed * 7 % 5) + seed / 100))
    return rated


def small(name: str, rated: Sequence[Rated]) -> DataSet:
    """A set of the paper that has these pictures only."""
    rows = list(rated)
    return replace(find_dataset(name), count=len(rows), low=0, high=100, read=lambda _: rows)


def anchors_of(checkpoint: Path) -> AnchorsOf:
    """Prompt pairs -> the checkpoint's anchors."""
    return functools.cache(lambda pairs: load_anchors(open_checkpoint(None, checkpoint), pairs))


def keep(rated: Sequence[Rated], scorer: Scorer, folder: Path) -> Path:
    """Their embeddings, in a folder."""
    with EmbedRun([each.path for each in rated], scorer, folder) as run:
        for _ in run:
            pass
        run.finish()
    return folder
