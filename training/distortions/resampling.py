"""Chains of rescaling, and what is done to hide them."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from distortions.pixels import Bytes, between, to_bytes, to_unit

Filter = Image.Resampling


def bicubic(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Down by up to 6 and up again, bicubic both ways."""
    return _down_up(picture, _factor(severity), Filter.BICUBIC, Filter.BICUBIC)


def bilinear(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Down by up to 6 and up again, bilinear both ways."""
    return _down_up(picture, _factor(severity), Filter.BILINEAR, Filter.BILINEAR)


def lanczos(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Down by up to 6 by areas and up again with Lanczos' filter."""
    return _down_up(picture, _factor(severity), Filter.BOX, Filter.LANCZOS)


def aliased(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Down by up to 4 by leaving pixels out, and up bicubic: jagged edges."""
    return _down_up(picture, between(1, 4, severity), Filter.NEAREST, Filter.BICUBIC)


def pixelate(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Squares of one colour, up to 8 pixels a side."""
    return _down_up(picture, between(1, 8, severity, 1.2), Filter.BOX, Filter.NEAREST)


def enlarged(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Enlarged from a smaller picture and sharpened to look as large."""
    back = _down_up(picture, _factor(severity), Filter.BICUBIC, Filter.BICUBIC)
    return _sharpened(back, between(0, 1.5, severity), between(0.8, 2.5, severity))


def over_sharpened(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Unsharp mask, amount up to 8: halos."""
    return _sharpened(picture, between(0, 8, severity, 1.4), 1.2)


def ringing(picture: Bytes, severity: float, rng: np.random.Generator) -> Bytes:
    """Frequencies cut off sharply, at the least an eighth of them kept: echoes of edges."""
    height, width = picture.shape[:2]
    spectrum = fft.dctn(to_unit(picture), axes=(0, 1), norm="ortho")
    y, x = np.mgrid[:height, :width]
    kept = np.hypot(y / height, x / width) <= between(1.42, 0.12, severity, 0.35)
    return to_bytes(fft.idctn(spectrum * kept[..., None], axes=(0, 1), norm="ortho"))


def _factor(severity: float) -> float:
    return between(1, 6, severity, 1.3)


def _down_up(picture: Bytes, factor: float, down: Filter, up: Filter) -> Bytes:
    height, width = picture.shape[:2]
    size = (max(4, round(width / factor)), max(4, round(height / factor)))
    return np.asarray(Image.fromarray(picture).resize(size, down).resize((width, height), up))


def _sharpened(picture: Bytes, amount: float, sigma: float) -> Bytes:
    values = to_unit(picture)
    return to_bytes(values + amount * (values - ndimage.gaussian_filter(values, (sigma, sigma, 0))))
