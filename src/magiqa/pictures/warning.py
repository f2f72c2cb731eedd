"""What a user must know before believing a score: the pictures on which it means little.

flat            no content: one colour or a smooth gradient            `content_warning`
noise-like      nothing but noise                                      `content_warning`
downscaled      the picture was over max_pixels and scaled down first  pictures/decode.py
thumbnail-only  a side under 224: no window fits, only the thumbnail   `of_pixels`
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from magiqa.pictures.views import SIDE

FLAT_BEND = 33.0  # grey levels squared; real photographs begin at 750
NOISE_SHARE = 0.66  # white noise: 1; real photographs end at 0.47
LINES = 32  # rows, and columns, looked at (up to 63 of each), evenly spaced


def of_pixels(pixels: NDArray[np.uint8] | NDArray[np.float32]) -> tuple[str, ...]:
    """Warnings that an (H, W, 3) picture, 0..255, earns at the size it is scored at.

    thumbnail-only: min(H, W) < 224. flat and noise-like: `content_warning`.
    """
    small = "thumbnail-only" if min(pixels.shape[:2]) < SIDE else None
    return tuple(name for name in (small, content_warning(pixels)) if name)


def content_warning(
    pixels: NDArray[np.uint8] | NDArray[np.float32],
) -> Literal["flat", "noise-like"] | None:
    """What an (H, W, 3) picture, 0..255, is when it has no content; None when it has some.

    With g = (R + G + B) / 3, `coarse` is the mean square of g(x - s) - 2 g(x) + g(x + s) along rows
    plus the same along columns, at s = 1/20 of the side (at least 2); `fine` is that sum at s = 1.

    flat: coarse < 33 - no bend at the scale of any object: one colour, a smooth gradient.
    noise-like: not flat and fine > 0.66 coarse - neighbours differ as much as far pixels do.

    Also noise-like by this measure: 1-bit dithers and pages of very small text. Missed: noise that
    was enlarged or smoothed. A side under 5 pixels is not looked at.
    """
    coarse = fine = 0.0
    for picture in (pixels, pixels.swapaxes(0, 1)):
        lines = picture[:: max(1, len(picture) // LINES)].mean(axis=2, dtype=np.float64)
        step = max(2, lines.shape[1] // 20)
        if lines.shape[1] > 2 * step:
            coarse += _bend(lines, step)
            fine += _bend(lines, 1)
    if coarse < FLAT_BEND:
        return "flat"
    return "noise-like" if fine > NOISE_SHARE * coarse else None


def _bend(lines: NDArray[np.float64], step: int) -> float:
    second = lines[:, 2 * step :] - 2 * lines[:, step:-step] + lines[:, : -2 * step]
    return float(np.mean(second * second))
