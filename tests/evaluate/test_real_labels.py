"""`make check-data`: AGIQA-3k as it was published, and simulated predictors of its labels."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest

from magiqa.evaluate.correlation import compare, correlation
from magiqa.evaluate.datasets import Rated, find_dataset

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def rated(shared: Path) -> list[Rated]:
    return find_dataset("agiqa-3k").load(shared / "data" / "agiqa-3k")


@pytest.fixture(scope="module")
def mos(rated: list[Rated]) -> np.ndarray:
    return np.array([each.mos for each in rated])


def predictor(mos: np.ndarray, agreement: float, seed: int = 0) -> np.ndarray:
    """Scores about 0.5, as MA-CLIP's are, that correlate so with the labels."""
    noise = np.random.default_rng(seed).normal(size=len(mos))
    quality = (mos - mos.mean()) / mos.std()
    scores: np.ndarray = 0.5 + 0.05 * (agreement * quality + math.sqrt(1 - agreement**2) * noise)
    return scores


def test_the_real_set_is_read(rated: list[Rated], mos: np.ndarray) -> None:
    assert len({each.path for each in rated}) == len(rated) == 2982
    # what is known of the authors' own list of these labels
    assert (mos.min(), mos.max()) == pytest.approx((0, 4.4887), abs=5e-5)
    assert mos.mean() == pytest.approx(2.500, abs=5e-4)
    first = rated[0]
    assert (first.name, first.mos) == ("AttnGAN_normal_000.jpg", 0.965602553)
    for model, count in {"AttnGAN": 300, "DALLE2": 290, "midjourney": 592, "sd1.5": 1200}.items():
        assert sum(each.name.startswith(model) for each in rated) == count


def test_a_good_predictor_fitted_and_raw(mos: np.ndarray) -> None:
    found = correlation(predictor(mos, 0.7), mos)
    assert found.plcc == pytest.approx(0.7, abs=0.02)
    assert found.srcc_fitted == pytest.approx(found.srcc, abs=1e-6)  # the fit rises throughout
    assert found.plcc_fitted >= found.plcc  # a line is a logistic too
    assert not found.fit_failed
    for name in ("srcc", "plcc", "srcc_fitted", "plcc_fitted"):
        low, high = found.intervals[name]
        assert low < getattr(found, name) < high
        assert 0.03 < high - low < 0.05


def test_a_predictor_of_the_opposite_looks_good_when_fitted(mos: np.ndarray) -> None:
    found = correlation(-predictor(mos, 0.7), mos, resamples=0)
    assert found.srcc < -0.65
    assert found.srcc_fitted == pytest.approx(-found.srcc, abs=1e-6)
    assert found.plcc_fitted > 0.65


def test_a_fit_that_turns_changes_the_rank_correlation(mos: np.ndarray) -> None:
    quality = 20 * (predictor(mos, 0.95) - 0.5)
    bent = 0.5 + 0.1 * quality**2  # the best and the worst score high
    found = correlation(bent, mos, fit="robust", resamples=0)
    assert abs(found.srcc) < 0.2
    assert abs(found.srcc_fitted - found.srcc) > 0.01
    assert found.srcc_fitted > 0


def test_a_lowest_label_of_zero_can_make_the_authors_fit_fail(mos: np.ndarray) -> None:
    # b2 starts at the lowest label: at 0 the logistic has no slope and b1 and b3 nothing to follow
    steep = [1 / (1 + np.exp(80 * (0.5 - predictor(mos, 0.7, seed)))) for seed in range(8)]
    failed = [x for x in steep if correlation(x, mos, resamples=0).fit_failed]
    assert 1 <= len(failed) < len(steep)
    assert not any(correlation(x, mos + 1, resamples=0).fit_failed for x in steep)
    authors = correlation(failed[0], mos, resamples=0)
    # what is kept is 0.1 x + 0.1: raw ranks, raw PLCC, and labels missed by two and a half
    raw_and_fitted = (authors.srcc, authors.srcc_fitted), (authors.plcc, authors.plcc_fitted)
    assert all(raw == pytest.approx(fitted, abs=1e-9) for raw, fitted in raw_and_fitted)
    assert authors.rmse > 2
    robust = correlation(failed[0], mos, fit="robust", resamples=0)
    assert not robust.fit_failed
    assert robust.rmse < 0.75
    assert robust.plcc_fitted > authors.plcc_fitted + 0.01


def test_of_two_predictors_the_better_one_is_told(mos: np.ndarray) -> None:
    a, b, poorer = predictor(mos, 0.7, 1), predictor(mos, 0.7, 2), predictor(mos, 0.62, 3)
    assert compare(a, b, mos).p_value > 0.05
    found = compare(a, poorer, mos)
    assert found.p_value < 0.01
    assert found.interval[0] > 0.03


def test_a_thousand_resamples_take_seconds(mos: np.ndarray) -> None:
    started = time.process_time()
    correlation(predictor(mos, 0.7), mos)
    assert time.process_time() - started < 5
