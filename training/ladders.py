"""Ladders of held-out pictures: five levels of each distortion, and how well scores follow them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from distortions import KINDS, distort
from distortions.pixels import Bytes

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # pristine, then five
AIMED = ("blur", "noise", "compression", "rescaling")  # families whose ladders must be monotone


class Rung(NamedTuple):
    """Where a degraded picture stands."""

    picture: int
    kind: str
    level: int


def degraded(pictures: Sequence[Bytes], kinds: Sequence[str]) -> Iterator[tuple[Rung, Bytes]]:
    """Every picture at every level of every kind; level 0, the picture itself, once a kind."""
    for index, picture in enumerate(pictures):
        for kind in kinds:
            for level, severity in enumerate(LEVELS):
                seed = 1000 * index + list(KINDS).index(kind)
                found = distort(picture, kind, severity, seed) if level else picture
                yield Rung(index, kind, level), found


def monotone_shares(
    rungs: Sequence[Rung], scores: NDArray[Any], by_kind: bool = False
) -> dict[str, float]:
    """By family (or kind), the share of (picture, kind) ladders that fall at every step."""
    ladders: dict[tuple[int, str], list[float]] = {}
    for rung, score in zip(rungs, scores, strict=True):
        ladder = ladders.setdefault((rung.picture, rung.kind), [0.0] * len(LEVELS))
        ladder[rung.level] = float(score)
    falls: dict[str, list[bool]] = {}
    for (_, kind), ladder in ladders.items():
        steps = pairwise(ladder)
        falls.setdefault(kind if by_kind else KINDS[kind].family, []).append(
            all(a > b for a, b in steps)
        )
    return {family: float(np.mean(found)) for family, found in falls.items()}


def rank_correlation(rungs: Sequence[Rung], scores: NDArray[Any]) -> float:
    """Spearman's correlation of score with minus severity over all rungs, -1..1."""
    severities = [LEVELS[rung.level] for rung in rungs]
    return float(-stats.spearmanr(severities, scores).statistic)
