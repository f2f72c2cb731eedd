"""Noises of sensors, films and channels. A severity scales one drawn pattern."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from distortions.pixels import (
    LUMA,
    Bytes,
    Floats,
    between,
    from_ycc,
    normal,
    to_bytes,
    to_unit,
    to_ycc,
)


def white(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Gaussian noise of each channel by itself, deviation up to 0.22."""
    return to_bytes(to_unit(picture) + normal(picture.shape, rng) * _strength(severity))


def grey(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Gaussian noise alike in all channels."""
    pattern = normal((*picture.shape[:2], 1), rng)
    return to_bytes(to_unit(picture) + pattern * _strength(severity))


def chroma(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Blotches of colour noise, a little of luma noise."""
    ycc = to_ycc(to_unit(picture))
    pattern = normal(picture.shape, rng)
    pattern[..., 1:] = _correlated(pattern[..., 1:], 1.2)
    return to_bytes(
        from_ycc(ycc + pattern * _strength(severity) * np.array([0.25, 1, 1], np.float32))
    )


def coarse(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Noise with neighbours alike: a raw converter's, or an enlarged picture's."""
    pattern = _correlated(normal(picture.shape, rng), rng.uniform(0.6, 1.2))
    return to_bytes(to_unit(picture) + pattern * _strength(severity))


def impulse(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Pixels dead or burnt out, up to 15 % of them."""
    draw = rng.random(picture.shape[:2], dtype=np.float32)
    colour = np.where(rng.random(picture.shape[:2]) < 0.5, 0, 255).astype(np.uint8)
    hit = draw < between(0, 0.15, severity, 1.6)
    return np.where(hit[..., None], colour[..., None], picture)


def multiplicative(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Speckle: noise in proportion to the value."""
    return to_bytes(to_unit(picture) * (1 + normal(picture.shape, rng) * 2 * _strength(severity)))


def film_grain(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Grain of luma, strongest in the middle tones, neighbours a little alike."""
    values = to_unit(picture)
    luma = (values @ LUMA)[..., None]
    pattern = _correlated(normal((*picture.shape[:2], 1), rng), 0.7)
    return to_bytes(values + pattern * 5 * luma * (1 - luma) * _strength(severity))


def _strength(severity: float) -> float:
    return between(0, 0.22, severity, 1.5)


def _correlated(pattern: Floats, sigma: float) -> Floats:
    """The pattern blurred and brought back to unit deviation."""
    smooth = ndimage.gaussian_filter(pattern, (sigma, sigma, 0))
    return np.asarray(smooth / smooth.std(), np.float32)
