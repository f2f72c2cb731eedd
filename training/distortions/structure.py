"""Things in the wrong place: blocks, displaced pixels, bent shapes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from distortions.pixels import Bytes, Floats, between, normal, to_bytes, to_unit

BLOCK = 16


def blocks(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Lost blocks, up to a third of them, each filled with one colour."""
    return _in_blocks(picture, severity, rng, lambda block: block.mean(axis=(0, 1)))


def misplaced(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Up to a third of all blocks, turned about where they are."""
    return _in_blocks(picture, severity, rng, lambda block: block[::-1, ::-1])


def jitter(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Each pixel from a place up to a few pixels off."""
    return _moved(picture, normal((2, *picture.shape[:2]), rng) * between(0, 3, severity, 1.2))


def warp(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Shapes bent smoothly, up to 6 pixels off, as by a generator that cannot draw."""
    field = ndimage.gaussian_filter(normal((2, *picture.shape[:2]), rng), (0, 4, 4))
    return _moved(picture, field / field.std() * between(0, 6, severity, 1.2))


def lines(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Rows and columns of a bad sensor: a fixed pattern over the picture."""
    rows, columns = normal((picture.shape[0], 1, 1), rng), normal((1, picture.shape[1], 1), rng)
    return to_bytes(to_unit(picture) + (rows + 0.5 * columns) * between(0, 0.15, severity, 1.4))


def checkers(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A grid of period 2 to 8, as decoders of generators leave behind."""
    period, place = int(rng.integers(2, 9)), rng.integers(0, 8, 2)
    y, x = np.indices(picture.shape[:2]) + place[:, None, None]
    wave = np.cos(2 * np.pi * x / period) + np.cos(2 * np.pi * y / period)
    return to_bytes(to_unit(picture) + wave[..., None] * between(0, 0.12, severity, 1.4))


def _in_blocks(picture: Bytes, severity: float, rng: np.random.Generator, change: object) -> Bytes:
    assert callable(change)
    changed = picture.copy()
    tops, lefts = range(0, picture.shape[0], BLOCK), range(0, picture.shape[1], BLOCK)
    draw = rng.random((len(tops), len(lefts)))
    for row, column in zip(*np.nonzero(draw < between(0, 0.34, severity)), strict=True):
        at = np.s_[tops[row] : tops[row] + BLOCK, lefts[column] : lefts[column] + BLOCK]
        changed[at] = change(changed[at])
    return changed


def _moved(picture: Bytes, field: Floats) -> Bytes:
    places = np.indices(picture.shape[:2], dtype=np.float32) + field
    values = to_unit(picture)
    moved = [
        ndimage.map_coordinates(values[..., channel], places, order=1, mode="mirror")
        for channel in range(3)
    ]
    return to_bytes(np.stack(moved, axis=-1))
