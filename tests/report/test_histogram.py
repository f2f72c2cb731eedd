from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magiqa.report.histogram import BINS, TICKS, histogram, round_step


def test_by_hand() -> None:
    drawn = histogram(np.array([0.0, 0.05, 0.05, 0.1, 0.39, 2.0]))
    assert (drawn.low, drawn.high) == (0, 2)
    assert [(bar.low, bar.count) for bar in drawn.bars if bar.count] == [
        (0, 1),
        (pytest.approx(0.05), 2),
        (pytest.approx(0.1), 1),
        (pytest.approx(0.35), 1),
        (pytest.approx(1.95), 1),
    ]
    assert drawn.ticks == ["0.0", "0.5", "1.0", "1.5", "2.0"]
    assert (drawn.decimals, drawn.most) == (2, 2)
    assert drawn.median == pytest.approx(0.075)


def test_equal_values_are_one_narrow_bar() -> None:
    drawn = histogram(np.full(7, 0.5))
    assert [bar.count for bar in drawn.bars] == [7]
    assert drawn.high - drawn.low == pytest.approx(0.001)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50))
def test_every_value_is_in_a_bar_and_the_axis_is_short(values: list[float]) -> None:
    drawn = histogram(np.array(values))
    assert sum(bar.count for bar in drawn.bars) == len(values)
    assert 1 <= len(drawn.bars) <= BINS + 2
    assert len(drawn.ticks) <= TICKS + 2
    assert drawn.low - 1e-6 <= min(values) <= max(values) <= drawn.high + 1e-6
    for tick in drawn.ticks:
        assert drawn.low - 1e-6 <= float(tick) <= drawn.high + 1e-6


@given(st.floats(1e-12, 1e12))
def test_a_round_step_is_hardly_larger_than_asked_for(least: float) -> None:
    assert 0.999 * least <= round_step(least) <= 2.6 * least
