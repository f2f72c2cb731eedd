"""Between bytes and numbers: what every distortion needs of a picture's pixels."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Bytes: TypeAlias = NDArray[np.uint8]
Floats: TypeAlias = NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_FROM_YCC = np.linalg.inv(TO_YCC.astype(np.float64)).astype(np.float32)


def to_unit(picture: Bytes) -> Floats:
    """Bytes (H, W, 3) -> float32 in 0..1."""
    return picture.astype(np.float32) / np.float32(255)


def to_bytes(values: NDArray[Any]) -> Bytes:
    """Values in 0..1, clipped and rounded, -> bytes."""
    return np.asarray(np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def to_ycc(values: Floats) -> Floats:
    """RGB in 0..1 -> luma in 0..1 and two chroma planes about 0."""
    return values @ TO_YCC.T


def from_ycc(values: Floats) -> Floats:
    """The inverse of `to_ycc`."""
    return values @ _FROM_YCC.T


def linearise(values: Floats) -> Floats:
    """Coded values in 0..1 -> light, by a pure gamma of 2.2."""
    return np.asarray(values**2.2, np.float32)


def encode(light: Floats) -> Floats:
    """Light in 0..1 -> coded values, the inverse of `linearise`."""
    return np.asarray(np.clip(light, 0, 1) ** (1 / 2.2), np.float32)


def normal(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Standard normal values."""
    return rng.standard_normal(shape, dtype=np.float32)


def convolve(values: Floats, kernel: NDArray[Any]) -> Floats:
    """Each channel of (H, W, C) with a small kernel of odd sides, the edges mirrored."""
    height, width = values.shape[:2]
    down, across = kernel.shape[0] // 2, kernel.shape[1] // 2
    padded = np.pad(values, ((down, down), (across, across), (0, 0)), mode="symmetric")
    shape = [
        fft.next_fast_len(side + 2 * half, real=True)
        for side, half in ((height, 2 * down), (width, 2 * across))
    ]
    spectrum = fft.rfft2(padded, shape, axes=(0, 1))
    spectrum *= fft.rfft2(kernel.astype(np.float32), shape)[..., None]
    whole = fft.irfft2(spectrum, shape, axes=(0, 1))
    return np.asarray(whole[2 * down :, 2 * across :][:height, :width], np.float32)


def between(low: float, high: float, severity: float, power: float = 1.0) -> float:
    """From `low` at severity 0 to `high` at 1, along severity ** power."""
    return low + (high - low) * math.pow(severity, power)
