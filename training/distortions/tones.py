"""Exposure, contrast and the steps between tones."""

from __future__ import annotations

import numpy as np

from distortions.blurs import cloud
from distortions.pixels import LUMA, Bytes, between, to_bytes, to_unit


def brighten(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Over-exposed: values times up to 3, lights burnt out."""
    return to_bytes(to_unit(picture) * between(1, 3, severity, 1.2))


def darken(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Under-exposed: values down to an eighth."""
    return to_bytes(to_unit(picture) * between(1, 0.12, severity, 0.9))


def mean_shift(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """All values up or down by up to 0.45."""
    return to_bytes(to_unit(picture) + rng.choice([-1, 1]) * between(0, 0.45, severity))


def less_contrast(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Contrast about the mean down to a tenth."""
    values = to_unit(picture)
    mean = float(values.mean())
    return to_bytes(mean + (values - mean) * between(1, 0.1, severity))


def more_contrast(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Contrast about the mean up to five times, both ends clipped."""
    values = to_unit(picture)
    mean = float(values.mean())
    return to_bytes(mean + (values - mean) * between(1, 5, severity, 1.3))


def gamma(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Middle tones lifted or pressed, exponent up to 3 or down to a third."""
    return to_bytes(to_unit(picture) ** (3 ** (rng.choice([-1, 1]) * severity)))


def haze(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """White light over the scene, thicker in some parts."""
    values = to_unit(picture)
    depth = 0.6 + 0.4 * cloud(picture.shape[:2], rng)[..., None]
    cover = depth * between(0, 0.95, severity)
    light = np.array([0.86, 0.88, 0.9], np.float32)
    return to_bytes(values * (1 - cover) + light * cover)


def banding(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Fewer tones in each channel, from 64 down to 3."""
    return to_bytes(_quantised(to_unit(picture), severity))


def dither(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Fewer tones, noise before the rounding."""
    values = to_unit(picture)
    steps = _steps(severity)
    spread = rng.random(picture.shape, dtype=np.float32) - np.float32(0.5)
    return to_bytes(_quantised(values + spread / steps, severity))


def flare(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """A lamp in the picture: light spreads from one place and takes the contrast with it."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = np.hypot(y / height - rng.random(), x / width - rng.random())
    veil = np.exp(-2.5 * away)[..., None] * between(0, 0.95, severity)
    values = to_unit(picture)
    luma = (values @ LUMA)[..., None]
    return to_bytes(values + (1 - 0.3 * luma - 0.7 * values) * veil)


def _steps(severity: float) -> float:
    return between(0, 64, (2 / 64) ** severity)


def _quantised(values: np.ndarray, severity: float) -> np.ndarray:
    steps = _steps(severity)
    return np.clip(np.round(values * steps) / steps, 0, 1)
