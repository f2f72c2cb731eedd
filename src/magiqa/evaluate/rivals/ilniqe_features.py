"""What IL-NIQE looks at: brightness, its neighbours, gradients, colours, log-Gabor responses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from magiqa.evaluate.rivals.primitives import (
    Values,
    aggd,
    blocks,
    checked,
    correlated,
    gaussian,
    mscn,
    mscn_features,
    resized,
    smoothed,
)
from magiqa.evaluate.rivals.weibull import weibull

RESIZED = 524  # pixels of a side
SIDE = 84  # of a block
CROPPED = RESIZED // SIDE * SIDE
WINDOW = gaussian(5, 5 / 6)
HALVING = gaussian(6, 0.9)
OPPONENT = np.array([[0.3, 0.04, -0.35], [0.34, -0.6, 0.17], [0.06, 0.63, 0.27]])
"""What each opponent channel takes of red, green and blue; the third is the brightness."""
LOG_COLOURS = np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
DARKEST = 1e-5  # added before a logarithm
EPS = float(np.finfo(np.float64).eps)


def features(picture: NDArray[np.uint8]) -> tuple[Values, Values]:
    """(36, 468): 234 at each of two scales, not finite where nothing varies; and sharpness (36,).

    PictureError: not an (H, W, 3) array of uint8.
    """
    image = resized(checked(picture), RESIZED, RESIZED)[:CROPPED, :CROPPED].clip(0, 255)
    rgb = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    opponent = np.tensordot(OPPONENT, rgb, 1)
    normalised, sigma = mscn(opponent[2], WINDOW)
    sharpness = blocks(sigma, SIDE).mean(axis=(1, 2))
    large = _of_scale(opponent, rgb, normalised, 1)
    rgb, opponent = (
        np.stack([smoothed(plane, HALVING)[::2, ::2] for plane in planes])
        for planes in (rgb, opponent)
    )
    small = _of_scale(opponent, rgb, mscn(opponent[2], WINDOW)[0], 2)
    return np.concatenate([large, small], axis=1), sharpness


def _of_scale(opponent: Values, rgb: Values, normalised: Values, scale: int) -> Values:
    """(36, 234)."""
    side, sigma = SIDE // scale, 1.66 / scale**0.28
    slopes = [_gradient(plane, sigma) for plane in opponent]
    responses, response_slopes = [], []
    for response in _log_gabor(opponent[2], 2.4 / scale**0.87):
        for part in (response.real, response.imag):
            responses.append(_spread(part, side))
            response_slopes.append(_gradient(part, sigma))
    return np.concatenate(
        [
            mscn_features(blocks(normalised, side)),
            *(_steepness(slope, side) for slope in slopes),
            *(_moments(plane, side) for plane in _log_colours(rgb)),
            *(_spread(each, side) for slope in slopes for each in slope),
            *responses,
            *(_spread(each, side) for slope in response_slopes for each in slope),
            *(_steepness(slope, side) for slope in response_slopes),
        ],
        axis=1,
    )


def _gradient(plane: Values, sigma: float) -> Values:
    """(H, W) -> (2, H, W): along x and y, by derivatives of a Gaussian."""
    half = math.ceil(3 * sigma)
    at = np.arange(-half, half + 1.0)
    bell = np.exp(-(at**2) / (2 * sigma**2))
    rise = at * bell
    return np.stack(
        [
            correlated(correlated(plane, bell, 0), rise, 1),
            correlated(correlated(plane, bell, 1), rise, 0),
        ]
    )


def _log_gabor(plane: Values, wavelength: float) -> Iterator[NDArray[np.complex128]]:
    """(H, W) complex responses: from short waves to long, each in four directions."""
    spectrum = np.fft.fft2(plane)
    for response in _log_gabor_filters(plane.shape, wavelength):
        yield np.fft.ifft2(response * spectrum)


@cache
def _log_gabor_filters(shape: tuple[int, int], wavelength: float) -> list[Values]:
    """In the frequency domain, as Kovesi builds them; real, one for each response."""
    y, x = np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij")
    radius = np.hypot(x, y)
    radius[0, 0] = 1  # its logarithm is taken; there is no response to the mean
    angle = np.arctan2(-y, x)
    filters = []
    for octave in range(3):
        radial = np.exp(
            -(np.log(radius * wavelength * 1.31**octave) ** 2) / (2 * math.log(0.55) ** 2)
        )
        radial[0, 0] = 0
        for direction in range(4):
            apart = np.abs((angle - direction * math.pi / 4 + math.pi) % (2 * math.pi) - math.pi)
            filters.append(radial * np.exp(-(apart**2) / (2 * (math.pi / 4 / 1.1) ** 2)))
    return filters


def _log_colours(rgb: Values) -> Values:
    logs = np.log(rgb + DARKEST)
    logs -= logs.mean(axis=(1, 2), keepdims=True)
    return np.tensordot(LOG_COLOURS, logs, 1)


def _rows(plane: Values, side: int) -> Values:
    return blocks(plane, side).reshape(-1, side * side)


def _spread(plane: Values, side: int) -> Values:
    """(blocks, 2): shape and scale of the values."""
    fit = aggd(_rows(plane, side))
    return np.stack([fit.alpha, fit.scale], axis=1)


def _steepness(slope: Values, side: int) -> Values:
    """(blocks, 2): scale and shape of the gradient's length."""
    length = np.sqrt(slope[0] ** 2 + slope[1] ** 2) + EPS
    return np.stack(weibull(_rows(length, side)), axis=1)


def _moments(plane: Values, side: int) -> Values:
    """(blocks, 2): mean and variance."""
    rows = _rows(plane, side)
    return np.stack([rows.mean(axis=1), rows.var(axis=1, ddof=1)], axis=1)
