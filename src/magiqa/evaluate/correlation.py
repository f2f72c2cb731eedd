"""How well scores agree with labels: correlation, the logistic, intervals, comparison."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from magiqa.errors import MissingExtra, SettingsError, nearest

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Values: TypeAlias = NDArray[np.float64]

Fit: TypeAlias = Literal["authors", "robust"]
Interval: TypeAlias = tuple[float, float]

MAX_EVALUATIONS = 10_000
"""Of the logistic, before the fit has failed; as the authors."""
ROUNDING = 1e-13
"""Values whose spread is less than this part of their mean are constant; as scipy."""
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Correlation:
    """Agreement of scores with labels."""

    n: int
    srcc: float
    """Spearman's rank correlation of the scores as they are, in -1..1. Where lower labels are
    better its sign is turned, and those of krcc and plcc: positive always means agreement."""
    krcc: float
    """Kendall's tau-b, in -1..1."""
    plcc: float
    """Pearson's correlation, in -1..1."""
    srcc_fitted: float
    """Spearman's after the logistic, what the authors report. The sign of the agreement is lost: a
    fit may fall. It is not the scores' own where the fit rises here and falls there."""
    plcc_fitted: float
    """Pearson's after the logistic."""
    rmse: float
    """Of the fitted scores, on the scale of the labels."""
    fit: Fit
    fit_failed: bool
    """The logistic did not settle; the authors' is then that of its start values."""
    intervals: dict[str, Interval]
    """95 %: of srcc, plcc, srcc_fitted and plcc_fitted, by name. Empty for `resamples=0`."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two methods on the same pictures."""

    difference: float
    """SRCC of a minus that of b, both signed as `Correlation.srcc` is."""
    interval: Interval
    """95 %."""
    p_value: float
    """Two-sided, at least 2 / (resamples + 1)."""


def correlation(
    scores: ArrayLike,
    mos: ArrayLike,
    *,
    higher_is_better: bool = True,
    fit: Fit = "authors",
    resamples: int = 1000,
    seed: int = 0,
) -> Correlation:
    """Agreement of n scores with n labels, of which higher or lower ones are better.

    `fit`: the logistic started as the authors do, or "robust", the best of several starts. The
    intervals are bootstrap percentiles over pictures, with the fit kept as it is. SettingsError:
    fewer than 3 pictures, not as many scores as labels, values that are not finite (how many, and
    the first one's index), scores or labels that are all equal.
    """
    if fit not in get_args(Fit):
        raise SettingsError(f"fit - got {fit!r} - {nearest(str(fit), get_args(Fit))}")
    x, y = _checked("scores", scores, mos), _checked("labels", mos, mos)
    fitted, settled = fit_logistic(x, y, fit)
    sign = 1.0 if higher_is_better else -1.0
    stats = _scipy().stats
    flat = not _varies(fitted)  # then nothing correlates with it
    return Correlation(
        n=len(x),
        srcc=sign * float(stats.spearmanr(x, y).statistic),
        krcc=sign * float(stats.kendalltau(x, y).statistic),
        plcc=sign * float(stats.pearsonr(x, y).statistic),
        srcc_fitted=0.0 if flat else float(stats.spearmanr(fitted, y).statistic),
        plcc_fitted=0.0 if flat else float(stats.pearsonr(fitted, y).statistic),
        rmse=float(np.sqrt(np.mean((fitted - y) ** 2))),
        fit=fit,
        fit_failed=not settled,
        intervals=_intervals(x, fitted, y, sign, resamples, seed) if resamples else {},
    )


def compare(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    mos: ArrayLike,
    *,
    higher_is_better: bool = True,
    resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Whether a's SRCC is another than b's, or the choice of pictures explains the difference.

    A paired bootstrap: each resample draws pictures with both their scores. The p-value is twice
    the share of resamples, with one added, in which the difference is zero or on the other side.
    SettingsError as `correlation`.
    """
    a, b = (_Ranks(_checked("scores", each, mos)) for each in (scores_a, scores_b))
    y = _Ranks(_checked("labels", mos, mos))
    sign = 1.0 if higher_is_better else -1.0

    def difference(counts: Values) -> float:
        labels = y.within(counts)
        return sign * (
            _pearson(a.within(counts), labels, counts) - _pearson(b.within(counts), labels, counts)
        )

    n = len(y.groups)
    drawn = np.array([difference(counts) for counts in _resamples(n, resamples, seed)])
    tail = min(np.sum(drawn <= 0), np.sum(drawn >= 0))
    return Comparison(
        difference=difference(np.ones(n)),
        interval=_interval(drawn),
        p_value=min(1.0, 2 * float(tail + 1) / (resamples + 1)),
    )


def logistic(x: Values, b1: float, b2: float, b3: float, b4: float, b5: float) -> Values:
    """The five-parameter logistic of the authors' evaluation: scores -> fitted scores."""
    with np.errstate(over="ignore"):  # exp may be infinite: 1 / (1 + inf) is the 0 it tends to
        return b1 * (0.5 - 1 / (1 + np.exp(b2 * (x - b3)))) + b4 * x + b5


def fit_logistic(x: Values, y: Values, fit: Fit) -> tuple[Values, bool]:
    """Scores after the logistic, and whether it settled."""
    authors = _from_authors_start(x, y)
    if fit == "authors":
        return authors
    u = (x - x.mean()) / x.std()
    starts = [
        (math.log(slope), centre)
        for slope in (0.5, 2.0, 5.0)
        for centre in np.quantile(u, (0.2, 0.5, 0.8))
    ]
    every = [authors, *(_projected(u, y, start) for start in starts)]
    return min(every, key=lambda candidate: float(np.sum((candidate[0] - y) ** 2)))


def _from_authors_start(x: Values, y: Values) -> tuple[Values, bool]:
    optimize = _scipy().optimize
    start = [y.max(), y.min(), x.mean(), 0.1, 0.1]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", optimize.OptimizeWarning)  # the covariance is not used
        try:
            found, _ = optimize.curve_fit(logistic, x, y, p0=start, maxfev=MAX_EVALUATIONS)
        except (RuntimeError, TypeError):  # too many evaluations; fewer pictures than parameters
            return logistic(x, *start), False
        fitted = logistic(x, *found)
    return (fitted, True) if np.isfinite(fitted).all() else (logistic(x, *start), False)


def _projected(u: Values, y: Values, start: tuple[float, float]) -> tuple[Values, bool]:
    """The best log slope and centre from a start, b1, b4 and b5 being the best for each.

    Given b2 and b3 the logistic is linear in the other three, so none leaves a larger residual than
    a straight line. u is standardised, which makes the bounds a matter of shape: from nearly
    straight to a step, centred within the scores.
    """

    def fitted(at: Values) -> Values:
        step = logistic(u, 1.0, np.exp(at[0]), at[1], 0.0, 0.0)
        columns = np.stack([step, u, np.ones_like(u)], axis=1)
        best: Values = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
        return best

    bounds = ([np.log(0.1), u.min()], [np.log(10.0), u.max()])
    found = _scipy().optimize.least_squares(
        lambda at: fitted(at) - y, start, bounds=bounds, max_nfev=200
    )
    return fitted(found.x), found.status > 0


def _intervals(
    x: Values, fitted: Values, y: Values, sign: float, resamples: int, seed: int
) -> dict[str, Interval]:
    ranks_x, ranks_fitted, ranks_y = _Ranks(x), _Ranks(fitted), _Ranks(y)
    drawn: dict[str, list[float]] = {}
    for counts in _resamples(len(y), resamples, seed):
        labels = ranks_y.within(counts)
        for name, value in (
            ("srcc", sign * _pearson(ranks_x.within(counts), labels, counts)),
            ("plcc", sign * _pearson(x, y, counts)),
            ("srcc_fitted", _pearson(ranks_fitted.within(counts), labels, counts)),
            ("plcc_fitted", _pearson(fitted, y, counts)),
        ):
            drawn.setdefault(name, []).append(value)
    return {name: _interval(np.array(values)) for name, values in drawn.items()}


def _resamples(n: int, resamples: int, seed: int) -> Iterator[Values]:
    """How often each of n pictures is drawn, resample by resample."""
    if resamples < 100:
        raise SettingsError(f"resamples - got {resamples} - give at least 100")
    generator = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(generator.integers(n, size=n), minlength=n).astype(np.float64)


class _Ranks:
    """Ranks within resamples: values are sorted once, a resample only counts them."""

    def __init__(self, values: Values) -> None:
        _, self.groups = np.unique(values, return_inverse=True)

    def within(self, counts: Values) -> Values:
        """Each picture's rank, equal values sharing the mean of theirs."""
        sizes = np.bincount(self.groups, weights=counts)
        return (np.cumsum(sizes) - (sizes - 1) / 2)[self.groups]


def _pearson(x: Values, y: Values, counts: Values) -> float:
    """Pearson's correlation of a resample; 0 where one side is constant."""

    def mean(values: Values) -> float:  # not a dot product: its threads cost more than they do here
        return float((counts * values).sum()) / len(counts)

    dx, dy = x - mean(x), y - mean(y)
    of_x, of_y = mean(dx * dx), mean(dy * dy)
    if of_x <= ROUNDING**2 * mean(x * x) or of_y <= ROUNDING**2 * mean(y * y):
        return 0.0
    return mean(dx * dy) / math.sqrt(of_x * of_y)


def _interval(drawn: Values) -> Interval:
    low, high = np.percentile(drawn, PERCENTILES)
    return float(low), float(high)


def _checked(name: str, given: ArrayLike, mos: ArrayLike) -> Values:
    """As many finite values as there are labels, at least 3, not all equal."""
    values = np.asarray(given, dtype=np.float64).ravel()
    n = np.size(mos)
    if len(values) != n:
        raise SettingsError(f"{name} - {len(values)} for {n} labels - give one for each picture")
    if n < 3:
        raise SettingsError(f"{name} - got {n} - a correlation needs at least 3 pictures")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise SettingsError(
            f"{name} - {len(wrong)} of {n} are not finite, the first at index {wrong[0]} "
            f"({values[wrong[0]]}) - leave these pictures out, or score them again"
        )
    if not _varies(values):
        raise SettingsError(
            f"{name} - all {n} are {values[0]:g} - a constant has no correlation: give values "
            f"that differ"
        )
    return values


def _varies(values: Values) -> bool:
    """Whether values differ by more than rounding."""
    return bool(np.linalg.norm(values - values.mean()) > ROUNDING * abs(values.mean()))


def _scipy() -> Any:
    try:
        import scipy.optimize
        import scipy.stats
    except ImportError:
        raise MissingExtra("correlation needs scipy - pip install 'magiqa[evaluate]'") from None
    return scipy
