"""Scores held against labels, method by method, all on the same pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from magiqa.clip.cache import file_sha256
from magiqa.clip.releases import RELEASES
from magiqa.clip.sources import NANO, NANO_SHA256
from magiqa.clip.weights import Checkpoint
from magiqa.errors import MissingExtra, SettingsError
from magiqa.evaluate.correlation import Comparison, Correlation, compare, correlation
from magiqa.evaluate.datasets import DataSet, Rated
from magiqa.evaluate.embeddings import Values

NOT_RELEASED = "weights are not a released CLIP: these numbers say nothing about the method"


@dataclass(frozen=True, slots=True)
class Result:
    """What one method does on one set."""

    method: str
    correlation: Correlation | None = None
    against_first: Comparison | None = None
    """With the first of the methods; None for the first itself."""
    error: str | None = None
    """Why there is no correlation."""


def results(
    dataset: DataSet,
    rated: Sequence[Rated],
    scores: Mapping[str, Values],
    lower_is_better: Collection[str] = (),
    *,
    comparisons: bool = True,
) -> list[Result]:
    """Every method's result; scores are (pictures,) each, NaN where there is none.

    Those of the methods `lower_is_better` are negated: positive is agreement for all of them.
    A picture that one method has no score for is left out for all of them, so that they compare.
    What correlation refuses (too few pictures, equal scores) is the result's error.
    """
    scored = np.isfinite(np.stack(list(scores.values()))).all(axis=0)
    labels = np.asarray([each.mos for each in rated])[scored]
    higher = dataset.higher_is_better
    found: list[Result] = []
    turned = {
        method: (-values if method in lower_is_better else values)[scored]
        for method, values in scores.items()
    }
    first = next(iter(turned.values()))
    for method, own in turned.items():
        try:
            agreement = correlation(own, labels, higher_is_better=higher)
            against = None
            if comparisons and found and found[0].correlation:
                against = compare(own, first, labels, higher_is_better=higher)
            found.append(Result(method, agreement, against))
        except SettingsError as error:
            found.append(Result(method, error=str(error)))
    return found


def srcc(scores: Values, rated: Sequence[Rated], higher_is_better: bool) -> float:
    """Spearman's correlation alone, for the many points of a sweep; NaN for equal scores."""
    try:
        from scipy.stats import rankdata
    except ImportError:
        raise MissingExtra("correlation needs scipy - pip install 'magiqa[evaluate]'") from None
    scored = np.isfinite(scores)
    labels = np.asarray([each.mos for each in rated])[scored]
    with np.errstate(invalid="ignore"):
        found = float(np.corrcoef(rankdata(scores[scored]), rankdata(labels))[0, 1])
    return found if higher_is_better else -found


def is_released(checkpoint: Checkpoint) -> bool:
    """Whether these weights are known to be one of OpenAI's released backbones, or magiqa's nano.

    They are when magiqa fetched them, checked by what their source tells, or when the file is, byte
    for byte, a released one.
    """
    if checkpoint.architecture.backbone not in (*RELEASES, NANO):
        return False
    known = {NANO_SHA256, *(release.sha256 for release in RELEASES.values())}
    return checkpoint.origin != "file" or file_sha256(checkpoint.path) in known
