"""Blurs: of a lens out of focus, of motion, of a soft scan, over all or a part of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from distortions.pixels import Bytes, Floats, between, convolve, normal, to_bytes, to_unit


def gaussian(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Gaussian blur, sigma up to 4.5 pixels."""
    return to_bytes(_gaussian(to_unit(picture), between(0, 4.5, severity, 1.3)))


def defocus(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A disk of up to 8 pixels' radius: a lens out of focus."""
    return to_bytes(convolve(to_unit(picture), _disk(between(0, 8, severity, 1.3))))


def motion(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A straight stroke of up to 24 pixels in any direction: a moving camera."""
    kernel = _stroke(between(0, 24, severity, 1.3), rng.uniform(0, np.pi), 0.0)
    return to_bytes(convolve(to_unit(picture), kernel))


def shake(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A bent stroke of up to 20 pixels: a hand that shakes."""
    bend = rng.uniform(0.5, 2.0)
    kernel = _stroke(between(0, 20, severity, 1.3), rng.uniform(0, np.pi), bend)
    return to_bytes(convolve(to_unit(picture), kernel))


def partial(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Out of focus in a random, soft-edged part of about two thirds."""
    values = to_unit(picture)
    mask = cloud(picture.shape[:2], rng)[..., None]
    blurred = convolve(values, _disk(between(0, 8, severity, 1.3)))
    return to_bytes(values + (blurred - values) * np.clip(mask * 4 - 0.8, 0, 1))


def cloud(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A smooth random field (H, W) from 0 to 1, of a few hills a side."""
    coarse = normal((5, 5), rng)
    zoom = (shape[0] / 5, shape[1] / 5)
    field = ndimage.zoom(coarse, zoom, order=1, mode="nearest", grid_mode=True)
    field = field[: shape[0], : shape[1]]
    low, high = float(field.min()), float(field.max())
    return np.asarray((field - low) / (high - low), np.float32)


def _gaussian(values: Floats, sigma: float) -> Floats:
    return np.asarray(ndimage.gaussian_filter(values, (sigma, sigma, 0)), np.float32)


def _disk(radius: float) -> NDArray[np.float64]:
    half = int(np.ceil(radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)  # the rim counts by the share inside
    return np.asarray(kernel / kernel.sum())


def _stroke(length: float, angle: float, bend: float) -> NDArray[np.float64]:
    half = int(np.ceil(length / 2)) + 1
    along = np.linspace(-0.5, 0.5, 4 * half + 1)
    turned = angle + bend * along
    x, y = length * along * np.cos(turned), length * along * np.sin(turned)
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for right, share_x in ((0, 1 - (x - left)), (1, x - left)):
        for down, share_y in ((0, 1 - (y - top)), (1, y - top)):
            np.add.at(kernel, (top + down + half, left + right + half), share_x * share_y)
    return np.asarray(kernel / kernel.sum())
