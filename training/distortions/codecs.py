"""Lossy codecs, and what the web does to a picture on its way."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from distortions.pixels import Bytes, between


def jpeg(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """JPEG, quality 97 down to 4."""
    return _coded(picture, "JPEG", quality=round(between(97, 4, severity, 0.5)))


def jpeg_fine_colour(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """JPEG with full colour resolution, quality 97 down to 4."""
    return _coded(picture, "JPEG", quality=round(between(97, 4, severity, 0.5)), subsampling=0)


def jpeg2000(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """JPEG 2000, from a third to a two-hundredth of the bytes."""
    ratio = 3 * (200 / 3) ** severity
    return _coded(picture, "JPEG2000", quality_mode="rates", quality_layers=[ratio])


def webp(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """WebP, quality 97 down to 0."""
    return _coded(picture, "WEBP", quality=round(between(97, 0, severity, 0.6)), method=0)


def avif(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """AVIF, quality 95 down to 2."""
    return _coded(picture, "AVIF", quality=round(between(95, 2, severity, 0.7)), speed=10)


def reposted(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Scaled down, coded, scaled up and coded again, as a picture that was passed on."""
    height, width = picture.shape[:2]
    factor = between(1, 2.5, severity)
    size = (max(8, round(width / factor)), max(8, round(height / factor)))
    small = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
    once = Image.fromarray(jpeg(np.asarray(small), severity * 0.6, rng))
    back = np.asarray(once.resize((width, height), Image.Resampling.BICUBIC))
    return webp(back, severity * 0.6, rng)


def _coded(picture: Bytes, codec: str, **options: Any) -> Bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, codec, **options)
    return np.asarray(Image.open(file).convert("RGB"))
