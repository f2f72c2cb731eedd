"""Pictures through the encoder as they are, each one view of its own size (coverage="whole")."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from magiqa.clip.towers import STRIDE
from magiqa.errors import PictureError
from magiqa.records import Embedded, Failure, Picture

Encode: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A picture (1, 3, H, W), 0..255 -> its embedding (1, D)."""


def embed_whole(
    pictures: Iterable[Picture | Failure], encode: Encode, on_error: Literal["raise", "return"]
) -> Iterator[Embedded | Failure]:
    """Embeddings in the order of the pictures, one by one, for no two need be of one size."""
    for picture in pictures:
        try:
            yield picture if isinstance(picture, Failure) else _embedded(picture, encode)
        except PictureError as error:
            if on_error == "raise":
                raise
            yield Failure(picture.source, type(error).__name__, str(error))


def _embedded(picture: Picture, encode: Encode) -> Embedded:
    height, width = picture.pixels.shape[:2]
    size = f"{picture.source} - {width}x{height}"
    if min(width, height) < STRIDE:
        raise PictureError(
            f"{size} has a side under {STRIDE} - leave it out, or cut views (coverage)"
        )
    pixels = np.moveaxis(picture.pixels, -1, 0)[None].astype(np.float32)
    try:
        embedding = encode(pixels)
    except MemoryError:
        raise PictureError(
            f"{size} as a whole needs more memory than there is - set resize, or cut views "
            f"(coverage)"
        ) from None
    box = (0, 0, width, height)
    return Embedded(
        picture.source, picture.width, picture.height, picture.warnings, (box,), embedding
    )
