"""Colours: too many, too few, the wrong ones, in the wrong place."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from distortions.pixels import Bytes, between, from_ycc, to_bytes, to_unit, to_ycc


def less_colour(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Saturation down to nothing."""
    return to_bytes(
        from_ycc(to_ycc(to_unit(picture)) * np.array([1, 1 - severity, 1 - severity], np.float32))
    )


def more_colour(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Saturation up to six times."""
    times = between(1, 6, severity, 1.3)
    return to_bytes(from_ycc(to_ycc(to_unit(picture)) * np.array([1, times, times], np.float32)))


def cast(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A wrong white balance: channels times up to e ** 0.9, brightness kept."""
    tint = rng.uniform(-1, 1, 3)
    tint = (tint - tint.mean()) / (np.abs(tint - tint.mean()).max() + 1e-6)
    return to_bytes(to_unit(picture) * np.exp(0.9 * severity * tint).astype(np.float32))


def colour_shift(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Chroma planes moved away from luma by up to 12 pixels."""
    ycc = to_ycc(to_unit(picture))
    angle, way = rng.uniform(0, 2 * np.pi), between(0, 12, severity)
    move = (way * np.sin(angle), way * np.cos(angle), 0)
    ycc[..., 1:] = ndimage.shift(ycc[..., 1:], move, order=1, mode="nearest")
    return to_bytes(from_ycc(ycc))


def colour_bleeding(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Chroma planes blurred over up to 8 pixels."""
    ycc = to_ycc(to_unit(picture))
    sigma = between(0, 8, severity)
    ycc[..., 1:] = ndimage.gaussian_filter(ycc[..., 1:], (sigma, sigma, 0))
    return to_bytes(from_ycc(ycc))


def palette(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A palette of 256 colours down to 4."""
    count = round(256 * (4 / 256) ** severity)
    few = Image.fromarray(picture).quantize(
        count, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    return np.asarray(few.convert("RGB"))


def aberration(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Red drawn larger, blue smaller: coloured edges away from the centre, up to 1.5 %."""
    values = to_unit(picture)
    height, width = values.shape[:2]
    centre = np.array([rng.uniform(-0.5, 1.5) * height, rng.uniform(-0.5, 1.5) * width])
    for channel, way in ((0, 1), (2, -1)):
        scale = 1 + way * between(0, 0.015, severity)
        values[..., channel] = ndimage.affine_transform(
            values[..., channel], [scale, scale], centre * (1 - scale), order=1, mode="nearest"
        )
    return to_bytes(values)
