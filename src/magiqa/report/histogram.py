"""Numbers -> bars and ticks of a histogram, for the page to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 40  # at most, and at least half of it
TICKS = 6  # at most
FINEST = 0.001  # between two bars, so that equal values do not look spread


@dataclass(frozen=True, slots=True)
class Bar:
    """How many values lie in low <= value < high; the last bar's high is included."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bars without gaps; low and high are the axis's ends."""

    bars: list[Bar]
    decimals: int
    """That the bars' ends have."""
    ticks: list[str]
    """Round numbers on the axis."""
    low: float
    high: float
    most: int
    """Count of the highest bar."""
    median: float


def histogram(values: NDArray[np.float64]) -> Histogram:
    """The histogram of at least one value, its bars between round numbers.

    >>> [bar.count for bar in histogram(np.array([0.1, 0.1, 0.2])).bars if bar.count]
    [2, 1]
    """
    low, high = float(values.min()), float(values.max())
    step = round_step(max((high - low) / BINS, FINEST))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    edges = np.arange(first, last + 1) * step
    counts = np.histogram(values.clip(edges[0], edges[-1]), edges)[0]
    ends = zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
    apart = round_step((last - first) * step / TICKS)
    ticks = np.arange(math.ceil(first * step / apart - 1e-9), last * step / apart + 1e-9) * apart
    return Histogram(
        [Bar(left, right, count) for left, right, count in ends],
        decimals(step),
        [f"{tick:.{decimals(apart)}f}" for tick in ticks],
        float(edges[0]),
        float(edges[-1]),
        int(counts.max()),
        float(np.median(values)),
    )


def decimals(step: float) -> int:
    """How many of them tell multiples of a round step.

    >>> decimals(0.05), decimals(20)
    (2, 0)
    """
    return max(0, -math.floor(math.log10(step) + 1e-9))


def round_step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... times any power of ten that is at least this.

    >>> round_step(0.003), round_step(20), round_step(0.6)
    (0.005, 20.0, 1.0)
    """
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1.0, 2.0, 5.0, 10.0) if power * times >= least * 0.9999)
