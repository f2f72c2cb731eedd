"""What a camera does when there is too little light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from distortions import blurs, codecs
from distortions.pixels import (
    LUMA,
    Bytes,
    Floats,
    between,
    encode,
    linearise,
    normal,
    to_bytes,
    to_unit,
)


def low_light(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Few photons: shot and read noise in linear light, half brought back, then JPEG.

    Full scale is from 10,000 electrons down to 40; the read noise is 3 electrons.
    """
    exposed = _exposed(picture, severity, rng, lift=0.5)
    return codecs.jpeg(to_bytes(exposed), 0.25 * severity, rng)


def high_iso(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """The same light with full gain: as bright as by day, and noisy."""
    return to_bytes(_exposed(picture, severity, rng, lift=1.0))


def smeared(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """The same again, denoised hard and sharpened: watercolours."""
    noisy = _exposed(picture, 0.8 * severity, rng, lift=1.0)
    radius = round(between(1, 4, severity))
    smooth = _guided(noisy, radius, between(0, 0.03, severity, 1.5))
    sharp = smooth + severity * (smooth - ndimage.gaussian_filter(smooth, (1, 1, 0)))
    return to_bytes(noisy + (sharp - noisy) * min(1.0, 3 * severity))


def denoised(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Texture taken for noise: an edge-keeping smoother on a clean picture."""
    values = to_unit(picture)
    radius = round(between(1, 6, severity))
    return to_bytes(_guided(values, radius, between(0, 0.06, severity, 1.8)))


def snapshot(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A telephone's snapshot: moved, dim, noisy, smoothed, sharpened, coded; a little of each."""
    moved = blurs.shake(picture, 0.4 * severity, rng)
    noisy = _exposed(moved, 0.6 * severity, rng, lift=0.7)
    smooth = _guided(noisy, 2, between(0, 0.015, severity, 1.5))
    sharp = smooth + severity * (smooth - ndimage.gaussian_filter(smooth, (1.2, 1.2, 0)))
    mixed = noisy + (sharp - noisy) * min(1.0, 3 * severity)
    return codecs.jpeg(to_bytes(mixed), 0.5 * severity, rng)


def _exposed(picture: Bytes, severity: float, rng: np.random.Generator, lift: float) -> Floats:
    electrons = 10_000 * (40 / 10_000) ** (severity**0.8)
    signal = linearise(to_unit(picture)) * electrons
    # a normal draw of the same variance stands for the Poisson one: it is scaled, not drawn anew
    noise = normal(picture.shape, rng) * np.sqrt(signal + 9.0)
    gain = between(1, 0.12, severity) ** (1 - lift)
    return encode((signal + noise) / np.float32(electrons) * np.float32(gain))


def _guided(values: Floats, radius: int, strength: float) -> Floats:
    """A guided filter: linear in luma within each square, flat where luma varies little."""
    size = (2 * radius + 1, 2 * radius + 1, 1)

    def mean(field: NDArray[Any]) -> Floats:
        return np.asarray(ndimage.uniform_filter(field, size), np.float32)

    guide = (values @ LUMA)[..., None]
    centre, level = mean(guide), mean(values)
    variance = mean(guide * guide) - centre * centre
    slope = (mean(guide * values) - centre * level) / (variance + np.float32(strength + 1e-7))
    return mean(slope) * guide + mean(level - slope * centre)
