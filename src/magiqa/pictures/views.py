"""Picture -> views: 224x224 windows at stride 128, row by row, and one thumbnail of the whole.

A picture here is (3, H, W), numpy or torch, any real dtype; values keep their range. Cutting is
indexing and arithmetic only, so it is differentiable where the array library is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from array_api_compat import array_namespace, device

from magiqa.records import Box
from magiqa.settings import Coverage

Array: TypeAlias = Any
Cut: TypeAlias = Box | None
"""A window's box, or None for the thumbnail."""

SIDE = 224
STRIDE = 128


def boxes(width: int, height: int, coverage: Coverage = "paper") -> list[Box]:
    """Boxes of all views of a picture: its windows row by row, then the whole (the thumbnail).

    A picture with a side under 224 has the thumbnail alone. "paper" leaves the remainder on the
    right and bottom to the thumbnail; "full" adds windows that end at the edge; "whole" has no
    windows, and the view is no thumbnail but the picture itself.

    >>> boxes(352, 224)
    [(0, 0, 224, 224), (128, 0, 352, 224), (0, 0, 352, 224)]
    """
    if coverage == "whole":
        return [(0, 0, width, height)]
    windows = [
        (left, top, left + SIDE, top + SIDE)
        for top in _starts(height, coverage)
        for left in _starts(width, coverage)
    ]
    return [*windows, (0, 0, width, height)]


def cut(out: Array, picture: Array, cuts: Sequence[Cut]) -> None:
    """Views of a picture into `out`, (len(cuts), 3, 224, 224) of floats."""
    for view, box in zip(out, cuts, strict=True):
        view[...] = thumbnail(picture) if box is None else window(picture, box)


def window(picture: Array, box: Box) -> Array:
    """The pixels in a box, (3, 224, 224), without a copy."""
    left, top, right, bottom = box
    return picture[:, top:bottom, left:right]


def thumbnail(picture: Array) -> Array:
    """The whole picture as (3, 224, 224): bilinear, half-pixel centres, no antialiasing.

    Nothing is rounded; integers become float32; at most 448 rows are read.
    """
    xp = array_namespace(picture)
    dtype = picture.dtype if xp.isdtype(picture.dtype, "real floating") else xp.float32
    _, height, width = picture.shape
    top, bottom, down = _samples(height, dtype, xp, device(picture))
    left, right, across = _samples(width, dtype, xp, device(picture))
    if height > 2 * SIDE:  # leave the other rows where they are
        picture = picture[:, xp.concat([top, bottom])]
        kept = xp.arange(2 * SIDE, device=device(picture))
        top, bottom = kept[:SIDE], kept[SIDE:]
    near, far = (xp.astype(xp.take(picture, at, axis=2), dtype) for at in (left, right))
    rows = near + (far - near) * across
    upper, lower = xp.take(rows, top, axis=1), xp.take(rows, bottom, axis=1)
    return upper + (lower - upper) * down[:, None]


def _starts(length: int, coverage: Coverage) -> list[int]:
    last = length - SIDE
    starts = list(range(0, last + 1, STRIDE))
    if coverage == "full" and starts and starts[-1] != last:
        starts.append(last)
    return starts


def _samples(length: int, dtype: Any, xp: Any, where: Any) -> tuple[Array, Array, Array]:
    """The two source indices of each of 224 samples along a side, and the second one's share."""
    centres = (xp.arange(SIDE, dtype=dtype, device=where) + 0.5) * (length / SIDE) - 0.5
    centres = xp.where(centres > 0, centres, xp.zeros_like(centres))
    near = xp.astype(xp.floor(centres), xp.int64)
    far = xp.where(near + 1 < length, near + 1, near)
    return near, far, centres - xp.astype(near, dtype)
