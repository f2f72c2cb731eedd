"""Things in the wrong place: blocks, displaced pixels, bent shapes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from distortions.blurs import cloud
from distortions.pixels import Bytes, Floats, between, normal, to_bytes, to_unit

BLOCK = 16
DETAIL_SCALES = (1.0, 2.5)  # pixels


def blocks(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Lost blocks, up to a third of them, each filled with one colour."""
    return _in_blocks(picture, severity, rng, lambda block: block.mean(axis=(0, 1)))


def misplaced(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Up to a third of all blocks, turned about where they are."""
    return _in_blocks(picture, severity, rng, lambda block: block[::-1, ::-1])


def jitter(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Each pixel from a place up to a few pixels off."""
    field = normal((2, *picture.shape[:2]), rng) * between(0, 3, severity, 1.2)
    return to_bytes(_moved(to_unit(picture), field))


def warp(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Shapes bent smoothly, up to 6 pixels off, as by a generator that cannot draw."""
    field = _bent(picture, 4, rng) * between(0, 6, severity, 1.2)
    return to_bytes(_moved(to_unit(picture), field))


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


def repeated(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Up to ten soft-edged patches, each a copy of another place: what a generator repeats."""
    height, width = picture.shape[:2]
    side = max(4, min(height, width) // 4)
    bell = np.hanning(side + 2)[1:-1, None].astype(np.float32)
    soft = np.minimum(1, 2 * bell * bell.T)[..., None]
    values = to_unit(picture)
    found = values.copy()
    corners = rng.random((10, 2, 2)) * (height - side, width - side)
    for number, corner in enumerate(corners.astype(int)):
        (top, left), (row, column) = corner
        share = np.float32(np.clip(10 * severity - number, 0, 1))  # one patch after another
        at = np.s_[top : top + side, left : left + side]
        patch = values[row : row + side, column : column + side]
        found[at] += share * soft * (patch - found[at])
    return to_bytes(found)


def melted(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Shapes run into one another and lose their texture in a part of the picture."""
    mask = np.clip(cloud(picture.shape[:2], rng) * 3 - 0.9, 0, 1)
    field = _bent(picture, 6, rng) * mask * between(0, 9, severity, 1.2)
    values = _moved(to_unit(picture), field)
    smooth = ndimage.uniform_filter(values, (2 * round(3 * severity) + 1,) * 2 + (1,))
    return to_bytes(values + (smooth - values) * (mask * min(1.0, 2 * severity))[..., None])


def scrambled(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Detail put together wrongly: two scales of it, each bent on its own over the coarse rest."""
    values = to_unit(picture)
    found = np.zeros_like(values)
    for sigma in DETAIL_SCALES:
        coarse = ndimage.gaussian_filter(values, (sigma, sigma, 0))
        field = _bent(picture, 2 * sigma, rng) * between(0, 4 * sigma, severity, 1.2)
        found += _moved(values - coarse, field)
        values = coarse
    return to_bytes(found + values)


def invented(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Texture that a generator made up: noise in the place of detail, as strong as it was."""
    values, noise = to_unit(picture), normal((*picture.shape[:2], 1), rng)
    sigma = (DETAIL_SCALES[1],) * 2 + (0,)
    coarse = ndimage.gaussian_filter(values, sigma)
    fine = values - coarse
    strength = np.sqrt(ndimage.gaussian_filter(fine**2, (4, 4, 0)))
    grain = noise - ndimage.gaussian_filter(noise, sigma)
    grain = ndimage.gaussian_filter(grain, (0.7, 0.7, 0))
    return to_bytes(values + (grain / grain.std() * strength - fine) * np.float32(severity))


def _in_blocks(picture: Bytes, severity: float, rng: np.random.Generator, change: object) -> Bytes:
    assert callable(change)
    changed = picture.copy()
    tops, lefts = range(0, picture.shape[0], BLOCK), range(0, picture.shape[1], BLOCK)
    draw = rng.random((len(tops), len(lefts)))
    for row, column in zip(*np.nonzero(draw < between(0, 0.34, severity)), strict=True):
        at = np.s_[tops[row] : tops[row] + BLOCK, lefts[column] : lefts[column] + BLOCK]
        changed[at] = change(changed[at])
    return changed


def _bent(picture: Bytes, sigma: float, rng: np.random.Generator) -> Floats:
    """A smooth field (2, H, W) of deviation 1 for a picture."""
    field = ndimage.gaussian_filter(normal((2, *picture.shape[:2]), rng), (0, sigma, sigma))
    found: Floats = field / field.std()
    return found


def _moved(values: Floats, field: Floats) -> Floats:
    """Each pixel (H, W, 3) from a place so far off, (2, H, W)."""
    places = np.indices(values.shape[:2], dtype=np.float32) + field
    moved = [
        ndimage.map_coordinates(values[..., channel], places, order=1, mode="mirror")
        for channel in range(3)
    ]
    return np.stack(moved, axis=-1)
