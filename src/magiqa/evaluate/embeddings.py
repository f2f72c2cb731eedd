"""Kept embeddings, asked many questions at once: an ablation is arithmetic on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from magiqa import equations
from magiqa.clip.anchors import Anchors
from magiqa.records import Embedded, Failure
from magiqa.runs.embeddings import load_embeddings
from magiqa.runs.journal import dtype
from magiqa.settings import Coverage, PromptPair, Settings

Values: TypeAlias = NDArray[np.float64]
AnchorsOf: TypeAlias = Callable[[tuple[PromptPair, ...]], Anchors]

VIEWS = 256  # at a time: their float64 embeddings and the steps of the equations stay in the cache


K = TypeVar("K")


@dataclass(frozen=True, slots=True, eq=False)
class Answers(Generic[K]):
    """What settings make of every picture that was kept."""

    scores: dict[K, Values]
    """(pictures,) each, in the order of the set; NaN where a picture failed."""
    failures: tuple[Failure, ...]


def folder_for(
    keep: Path, dataset: str, provenance: Mapping[str, Any], limit: int | None = None
) -> Path:
    """The folder of a set's embeddings by one network under one view policy."""
    parts = [dataset, provenance["backbone"].replace("/", "-"), provenance["weights_hash"][:8]]
    parts += ["whole"] if provenance["settings"]["coverage"] == "whole" else []
    parts += [dtype(provenance)] if dtype(provenance) != "float32" else []
    parts += [f"first-{limit}"] if limit else []
    return keep / "-".join(parts)


def scores(
    folders: Mapping[Coverage, Path], settings: Mapping[K, Settings], anchors_of: AnchorsOf
) -> Answers[K]:
    """Every picture's score under each of the settings, as `Scorer.score_embedded` gives it.

    `folders` holds the embeddings of each view policy that is asked for. They are gone through
    once, with memory that does not grow with the set, and a cue that several settings share is
    worked out once. Raises SourceError.
    """
    found: dict[K, Values] = {}
    failures: list[Failure] = []
    for coverage, folder in folders.items():
        asked = {name: each for name, each in settings.items() if each.coverage == coverage}
        columns = [
            np.full((len(asked), 1), np.nan)
            if isinstance(pictures, Failure)
            else _picture_scores(pictures, list(asked.values()), anchors_of)
            for pictures in _chunks(load_embeddings(folder), failures)
        ]
        found |= dict(zip(asked, np.concatenate(columns, axis=1), strict=True))
    return Answers({name: found[name] for name in settings}, tuple(failures))


def thumbnails(folder: Path) -> NDArray[np.float32]:
    """Each picture's last view, (pictures, D): the whole of it; NaN where it failed."""
    rows = [
        None if isinstance(each, Failure) else each.embeddings[-1].copy()  # not its whole part
        for each in load_embeddings(folder)
    ]
    width = next((len(row) for row in rows if row is not None), 0)
    missing = np.full(width, np.nan, np.float32)
    return np.stack([missing if row is None else row for row in rows])


def _chunks(
    entries: Iterable[Embedded | Failure], failures: list[Failure]
) -> Iterator[list[Embedded] | Failure]:
    """Pictures of about VIEWS views at a time, a Failure in its place."""
    waiting: list[Embedded] = []
    views = 0
    for entry in entries:
        if isinstance(entry, Failure):
            failures.append(entry)
        else:
            waiting.append(entry)
            views += len(entry.boxes)
        if waiting and (isinstance(entry, Failure) or views >= VIEWS):
            yield waiting
            waiting, views = [], 0
        if isinstance(entry, Failure):
            yield entry
    if waiting:
        yield waiting


def _picture_scores(
    pictures: list[Embedded], settings: Sequence[Settings], anchors_of: AnchorsOf
) -> Values:
    """Scores (settings, pictures): views' scores, then each picture's mean over its own."""
    F = np.concatenate([each.embeddings for each in pictures]).astype(np.float64)
    counts = np.asarray([len(each.boxes) for each in pictures])
    firsts = np.cumsum(counts) - counts
    scaled = equations.scale_free(F)
    similarities: dict[object, Values] = {}
    magnitudes: dict[object, Values] = {}
    means = np.empty((len(settings), len(pictures)))
    for row, each in enumerate(settings):
        if each.pairs not in similarities:
            anchors = anchors_of(each.pairs)
            texts = anchors.embeddings.astype(np.float64)
            probabilities = equations.pair_probabilities(F, texts, anchors.logit_scale)
            similarities[each.pairs] = probabilities.mean(axis=-1)
        kind = (each.magnitude, each.box_cox_lambda)
        if kind not in magnitudes:
            magnitudes[kind] = (
                equations.box_cox(scaled, each.box_cox_lambda).mean(axis=-1)
                if each.magnitude == "box-cox"
                else equations.magnitude_cue(F, each.magnitude)
            )
        views = _fused(similarities[each.pairs], magnitudes[kind], each)
        means[row] = np.add.reduceat(views, firsts) / counts
    return means


def _fused(similarity: Values, magnitude: Values, settings: Settings) -> Values:
    weight: Any = settings.weight
    if weight == "adaptive":
        weight = equations.adaptive_weight(
            similarity,
            magnitude,
            settings.alpha,
            settings.base_similarity,
            settings.base_magnitude,
        )
    fused: Values = equations.fuse(similarity, magnitude, weight)
    return fused
