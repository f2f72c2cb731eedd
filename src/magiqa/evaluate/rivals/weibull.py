"""The Weibull distribution, fitted by maximum likelihood; MATLAB's wblfit."""

from __future__ import annotations

import numpy as np

from magiqa.evaluate.rivals.primitives import Values, dots

STEPS = 100
SETTLED = 1e-8  # relative change of a shape
EQUAL = 1e-10  # relative spread of values, which is rounding


def weibull(rows: Values) -> tuple[Values, Values]:
    """Scale and shape (n,) of (n, values), all of them over 0.

    Newton's method on the shape, whose equation is sum(z x^k) / sum(x^k) = mean(z) + 1 / k with
    z = log x. Values that are all equal have an infinite shape.
    """
    logs = np.log(rows)
    centre = logs.mean(axis=1)
    logs -= centre[:, None]
    spread = np.sqrt(dots(logs, logs) / logs.shape[1])
    shape, scale = np.full(len(rows), np.inf), np.exp(centre)
    left = np.flatnonzero(spread > EQUAL)
    z, k = logs[left], 1.2 / spread[left]
    squares, powers = z * z, np.empty_like(z)
    for _ in range(STEPS):
        np.multiply(z, k[:, None], out=powers)
        np.exp(powers, out=powers)
        total = powers.sum(axis=1)
        first, second = dots(powers, z) / total, dots(powers, squares) / total
        change = (first - 1 / k) / (second - first**2 + 1 / k**2)
        new = np.maximum(k - change, k / 2)
        if np.all(np.abs(new - k) <= SETTLED * k):
            break
        k = new
    shape[left] = k
    scale[left] *= (total / z.shape[1]) ** (1 / k)
    return scale, shape
