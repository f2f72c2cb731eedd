from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from magiqa.evaluate.rivals.weibull import weibull


def test_two_values_by_hand() -> None:
    # x = e and 1 / e: the shape solves k tanh(k) = 1, the scale is cosh(k) ^ (1 / k)
    scale, shape = weibull(np.array([[math.e, 1 / math.e]]))
    assert shape[0] * math.tanh(shape[0]) == pytest.approx(1, abs=1e-7)
    assert scale[0] == pytest.approx(math.cosh(shape[0]) ** (1 / shape[0]), rel=1e-7)


@pytest.mark.parametrize("shape", [0.3, 1, 4])
def test_it_is_the_maximum_of_likelihood(shape: float) -> None:
    drawn = 7 * np.random.default_rng(1).weibull(shape, size=(1, 5000))
    found_scale, found_shape = (values[0] for values in weibull(drawn))
    assert found_shape == pytest.approx(shape, rel=0.05)
    assert found_scale == pytest.approx(7, rel=0.2)

    def likelihood(scale: float, shape: float) -> float:
        return float(stats.weibull_min.logpdf(drawn, shape, scale=scale).sum())

    best = likelihood(found_scale, found_shape)
    for factor in (0.999, 1.001):
        assert likelihood(factor * found_scale, found_shape) < best
        assert likelihood(found_scale, factor * found_shape) < best


@given(factor=st.floats(1e-6, 1e6), power=st.floats(0.1, 10), seed=st.integers(0, 1000))
def test_factors_scale_it_and_powers_bend_it(factor: float, power: float, seed: int) -> None:
    drawn = np.random.default_rng(seed).weibull(1.5, size=(2, 50))
    scale, shape = weibull(drawn)
    found_scale, found_shape = weibull(factor * drawn**power)
    assert found_shape == pytest.approx(shape / power, rel=1e-6)
    assert found_scale == pytest.approx(factor * scale**power, rel=1e-6)


def test_equal_values_have_no_spread() -> None:
    rows = np.full((3, 7056), 2.2e-16)  # whose mean is not exactly one of them
    rows[1] += 1e-30
    rows[2, ::2] = 1
    scale, shape = weibull(rows)
    assert shape[:2].tolist() == [math.inf] * 2
    assert scale[0] == pytest.approx(2.2e-16)
    assert np.isfinite([scale[2], shape[2]]).all()
