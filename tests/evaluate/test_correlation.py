from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from magiqa import SettingsError
from magiqa.evaluate import correlation as module
from magiqa.evaluate.correlation import Fit, compare, correlation, logistic

FITS: tuple[Fit, ...] = ("authors", "robust")


def simulated(n: int, agreement: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores about 0.5 and labels of 1..5 that correlate so."""
    generator = np.random.default_rng(seed)
    quality, noise = generator.normal(size=(2, n))
    seen = agreement * quality + math.sqrt(1 - agreement**2) * noise
    return 0.5 + 0.05 * seen, np.clip(3 + quality, 1, 5)


def test_five_pictures_by_hand() -> None:
    # ranks of the scores 1, 2.5, 2.5, 4, 5, of the labels 1, 3, 2, 5, 4
    found = correlation([0.1, 0.2, 0.2, 0.4, 0.5], [1, 3, 2, 5, 4], resamples=0)
    assert found.n == 5
    assert found.srcc == pytest.approx(8.5 / math.sqrt(9.5 * 10), abs=1e-12)
    # of ten pairs eight agree, one does not, one is tied in the scores
    assert found.krcc == pytest.approx((8 - 1) / math.sqrt(9 * 10), abs=1e-12)
    assert found.plcc == pytest.approx(9.0 / math.sqrt(10.8 * 10), abs=1e-12)
    assert found.intervals == {}


def test_three_pictures_are_enough() -> None:
    found = correlation([0.3, 0.1, 0.2], [3, 1, 2], resamples=0)
    assert (found.srcc, found.krcc) == pytest.approx((1, 1))


@pytest.mark.parametrize("agreement", [-0.7, 0.0, 0.3, 0.9])
@pytest.mark.parametrize("decimals", [1, 8])
def test_it_is_scipys(agreement: float, decimals: int) -> None:
    x, y = simulated(300, agreement)
    y = y.round(decimals)  # with and without ties
    found = correlation(x, y, resamples=0)
    assert found.srcc == stats.spearmanr(x, y).statistic
    assert found.krcc == stats.kendalltau(x, y).statistic
    assert found.plcc == stats.pearsonr(x, y).statistic


def test_difference_labels_turn_the_sign_of_the_raw_numbers_alone() -> None:
    x, y = simulated(200, 0.8)
    plain, turned = correlation(x, 5 - y), correlation(x, 5 - y, higher_is_better=False)
    assert plain.srcc < -0.7
    for name in ("srcc", "krcc", "plcc"):
        assert getattr(turned, name) == -getattr(plain, name)
    for name in ("srcc", "plcc"):
        low, high = plain.intervals[name]
        assert turned.intervals[name] == pytest.approx((-high, -low), abs=1e-12)
    for name in ("srcc_fitted", "plcc_fitted", "rmse"):
        assert getattr(turned, name) == getattr(plain, name)


def test_the_logistic_by_hand() -> None:
    # 1 / (1 + exp(ln 3)) = 1 / 4
    assert logistic(np.array([1.0]), 2.0, math.log(3), 0.0, 10.0, 100.0) == pytest.approx(110.5)
    # far out the logistic part is 0.5
    assert logistic(np.array([1e6]), 2.0, 1.0, 0.0, 0.0, 0.0) == pytest.approx(1.0)


@pytest.mark.parametrize("fit", FITS)
def test_labels_that_are_a_logistic_of_the_scores_are_met(fit: Fit) -> None:
    x = np.linspace(0, 1, 50)
    y = logistic(x, 4.0, 9.0, 0.6, 0.3, 3.0)
    found = correlation(x, y, fit=fit, resamples=0)
    assert (found.plcc_fitted, found.rmse) == pytest.approx((1, 0), abs=1e-4)
    assert found.plcc < 0.99
    assert (found.fit, found.fit_failed) == (fit, False)


@pytest.mark.parametrize("fit", FITS)
def test_the_sign_of_the_agreement_is_lost_in_the_fit(fit: Fit) -> None:
    x, y = simulated(300, -0.8)
    found = correlation(x, y, fit=fit, resamples=0)
    assert found.srcc < -0.7
    assert found.srcc_fitted == pytest.approx(-found.srcc, abs=1e-3)
    assert found.plcc_fitted > 0.7


@pytest.mark.parametrize("fit", FITS)
def test_a_fit_that_turns_is_not_the_rank_correlation_of_the_scores(fit: Fit) -> None:
    x = np.linspace(-3, 3, 60)
    y = logistic(x, 6.0, 3.0, 0.0, -1.2, 3.0)  # falls, rises, falls
    found = correlation(x, y, fit=fit, resamples=0)
    assert abs(found.srcc) < 0.7
    assert found.srcc_fitted > 0.99


def test_the_authors_fit_is_scipys_from_their_start() -> None:
    from scipy.optimize import curve_fit

    x, y = simulated(200, 0.6)
    start = [y.max(), y.min(), x.mean(), 0.1, 0.1]
    best, _ = curve_fit(logistic, x, y, p0=start, maxfev=10_000)
    fitted = logistic(x, *best)
    found = correlation(x, y, resamples=0)
    assert found.srcc_fitted == stats.spearmanr(y, fitted).statistic
    assert found.plcc_fitted == pytest.approx(stats.pearsonr(y, fitted).statistic, abs=1e-12)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((y - fitted) ** 2)), abs=1e-12)


def test_a_fit_that_does_not_settle_keeps_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = simulated(100, 0.7)
    settled = correlation(x, y, resamples=0)
    monkeypatch.setattr(module, "MAX_EVALUATIONS", 3)
    found = correlation(x, y, resamples=0)
    assert (settled.fit_failed, found.fit_failed) == (False, True)
    start = logistic(x, y.max(), y.min(), x.mean(), 0.1, 0.1)
    assert found.rmse == pytest.approx(np.sqrt(np.mean((start - y) ** 2)), abs=1e-12)
    assert found.plcc_fitted == pytest.approx(stats.pearsonr(start, y).statistic, abs=1e-12)


def test_four_pictures_cannot_carry_five_parameters() -> None:
    found = correlation([0.1, 0.2, 0.3, 0.5], [1, 2, 4, 3], resamples=0)
    assert found.fit_failed
    assert found.srcc == pytest.approx(0.8)
    assert found.srcc_fitted == pytest.approx(0.8)  # its start rises


def test_a_logistic_without_slope_correlates_with_nothing() -> None:
    # too small to move the start's 0.1 x + 0.1
    found = correlation([1e-20, 2e-20, 3e-20, 5e-20], [1, 2, 4, 3])
    assert found.srcc == pytest.approx(0.8)
    assert (found.srcc_fitted, found.plcc_fitted) == (0, 0)
    assert found.intervals["srcc_fitted"] == (0, 0)


@pytest.mark.parametrize("seed", range(8))
def test_the_robust_fit_is_as_near_as_the_authors_and_as_a_line(seed: int) -> None:
    x, y = simulated(150, seed / 8, seed)
    y = y - y.min()  # a lowest label of 0 starts the authors' fit without slope
    authors, robust = (correlation(x, y, fit=fit, resamples=0) for fit in FITS)
    assert robust.rmse <= authors.rmse + 1e-9
    assert robust.rmse <= y.std() * math.sqrt(1 - robust.plcc**2) + 1e-9


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_robust_fit_does_not_depend_on_the_scale_of_the_scores(scale: float) -> None:
    x, y = simulated(200, 0.7)
    y = y - y.min()
    found = correlation(scale * x, y, fit="robust", resamples=0)
    assert found.rmse == pytest.approx(correlation(x, y, fit="robust", resamples=0).rmse, abs=1e-4)


scores_and_labels = st.lists(
    st.tuples(st.integers(-20, 20), st.integers(0, 10)), min_size=5, max_size=30
).filter(lambda rows: all(len(set(column)) > 1 for column in zip(*rows, strict=True)))


@settings(max_examples=40, deadline=None)
@given(rows=scores_and_labels)
def test_laws(rows: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = correlation(x, y, resamples=0)
    for value in (found.srcc, found.krcc, found.plcc, found.srcc_fitted, found.plcc_fitted):
        assert -1 - 1e-9 <= value <= 1 + 1e-9
    assert math.isfinite(found.rmse)
    # ranks alone count for two of them, and lines do not change the third
    bent = correlation(np.exp(x / 10), y, resamples=0)
    assert (bent.srcc, bent.krcc) == pytest.approx((found.srcc, found.krcc), abs=1e-12)
    assert correlation(3 * x + 7, y, resamples=0).plcc == pytest.approx(found.plcc, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(rows=scores_and_labels, seed=st.integers(0, 1000))
def test_a_counted_resample_is_the_resample(rows: list[tuple[int, int]], seed: int) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    counts = next(module._resamples(len(x), 100, seed))
    assert counts.sum() == len(x)
    drawn = np.repeat(np.arange(len(x)), counts.astype(int))
    ranks_x, ranks_y = module._Ranks(x).within(counts), module._Ranks(y).within(counts)
    np.testing.assert_allclose(ranks_x[drawn], stats.rankdata(x[drawn]))
    if len(set(x[drawn])) > 1 < len(set(y[drawn])):
        expected = stats.spearmanr(x[drawn], y[drawn]).statistic
        assert module._pearson(ranks_x, ranks_y, counts) == pytest.approx(expected, abs=1e-12)
        expected = stats.pearsonr(x[drawn], y[drawn]).statistic
        assert module._pearson(x, y, counts) == pytest.approx(expected, abs=1e-9)


def test_a_resample_of_one_picture_has_no_correlation() -> None:
    x = np.array([0.1, 0.2, 0.7])  # 0.1 is no binary fraction: its mean may differ by rounding
    for counts in np.diag([3.0, 3.0, 3.0]):
        assert module._pearson(x, x**2, counts) == 0
    intervals = correlation(x, x**2).intervals
    assert intervals["srcc"] == pytest.approx((0, 1))


def test_intervals_are_those_of_scipys_bootstrap() -> None:
    x, y = simulated(200, 0.7)
    found = correlation(x, y, resamples=2000).intervals
    assert list(found) == ["srcc", "plcc", "srcc_fitted", "plcc_fitted"]
    for name, statistic in (("srcc", stats.spearmanr), ("plcc", stats.pearsonr)):
        expected = stats.bootstrap(
            (x, y),
            lambda a, b, statistic=statistic: statistic(a, b).statistic,
            paired=True,
            vectorized=False,
            n_resamples=2000,
            method="percentile",
            rng=np.random.default_rng(1),
        ).confidence_interval
        assert found[name] == pytest.approx(tuple(expected), abs=0.015)


def test_intervals_narrow_with_pictures_and_repeat_with_the_seed() -> None:
    widths = []
    for n in (100, 400, 1600):
        found = correlation(*simulated(n, 0.7), resamples=400)
        low, high = found.intervals["srcc"]
        assert low < found.srcc < high
        widths.append(high - low)
        assert found == correlation(*simulated(n, 0.7), resamples=400)
        assert found != correlation(*simulated(n, 0.7), resamples=400, seed=1)
    # as 1 / sqrt(n)
    assert widths[0] / widths[1] == pytest.approx(2, rel=0.3)
    assert widths[1] / widths[2] == pytest.approx(2, rel=0.3)


def test_a_method_compared_with_itself_does_not_differ() -> None:
    x, y = simulated(50, 0.5)
    found = compare(x, np.exp(x), y)  # other scores, the same ranks
    assert (found.difference, found.interval, found.p_value) == (0, (0, 0), 1)


def test_a_better_method_is_found_and_the_other_way_round_too() -> None:
    good, y = simulated(300, 0.9)
    poor = good + np.random.default_rng(2).normal(scale=0.1, size=300)
    found, turned = compare(good, poor, y), compare(poor, good, y)
    assert found.difference == pytest.approx(
        stats.spearmanr(good, y).statistic - stats.spearmanr(poor, y).statistic, abs=1e-12
    )
    assert 0 < found.interval[0] < found.difference < found.interval[1]
    assert found.p_value == turned.p_value == 2 / 1001
    assert turned.difference == -found.difference
    assert turned.interval == pytest.approx((-found.interval[1], -found.interval[0]))
    assert compare(good, poor, -y, higher_is_better=False).difference == pytest.approx(
        found.difference
    )


def test_equally_good_methods_seldom_differ_and_unequal_ones_often() -> None:
    generator = np.random.default_rng(3)
    found_equal = found_unequal = 0
    for seed in range(100):
        shared, y = simulated(150, 0.8, seed)
        a, b, c = (shared + generator.normal(scale=s, size=150) for s in (0.03, 0.03, 0.08))
        found_equal += compare(a, b, y, resamples=200).p_value < 0.05
        found_unequal += compare(a, c, y, resamples=200).p_value < 0.05
    assert found_equal <= 11  # five are expected, more than eleven in one of 250 such tests
    assert found_unequal >= 90


@pytest.mark.parametrize(
    ("scores", "labels", "text"),
    [
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], r"scores - 5 for 6 labels - give one for each pict"),
        ([1, 2], [1, 2], r"scores - got 2 - a correlation needs at least 3 pictures"),
        ([], [], r"scores - got 0 - a correlation needs at least 3 pictures"),
        ([1, math.nan, 3, math.inf], [1, 2, 3, 4], r"scores - 2 of 4 are not finite, the first at i"
         r"ndex 1 \(nan\) - leave these pictures out, or score them again"),
        ([1, 2, 3], [1, 2, -math.inf], r"labels - 1 of 3 are not finite, .* index 2 \(-inf\)"),
        ([0.5, 0.5, 0.5], [1, 2, 3], r"scores - all 3 are 0.5 - a constant has no correlation"),
        ([0.1 + 0.2, 0.3, 0.3], [1, 2, 3], r"scores - all 3 are 0.3 - a constant has no correlat"),
        ([1, 2, 3], [4, 4, 4], r"labels - all 3 are 4 - a constant has no correlation: give"),
    ],
)  # fmt: skip
def test_what_has_no_correlation_is_refused(
    scores: list[float], labels: list[float], text: str
) -> None:
    with pytest.raises(SettingsError, match=text):
        correlation(scores, labels)
    with pytest.raises(SettingsError, match=text):
        compare(scores, scores, labels)


def test_settings_of_the_statistics_are_checked() -> None:
    x, y = simulated(10, 0.5)
    with pytest.raises(SettingsError, match=r"fit - got 'robst' - did you mean robust\?"):
        correlation(x, y, fit="robst")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"resamples - got 20 - give at least 100"):
        correlation(x, y, resamples=20)
    with pytest.raises(SettingsError, match=r"resamples - got 0 - give at least 100"):
        compare(x, x, y, resamples=0)
