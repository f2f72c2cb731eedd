"""Small copies of pictures, decoded as the run decoded them: under its limits, in its processes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from magiqa.pictures.pool import DecodePool
from magiqa.records import Failure, Item
from magiqa.runs.fetch import fetched
from magiqa.runs.reopen import reopened
from magiqa.settings import Settings

SMALLEST, LARGEST = 160, 320  # pixels of a longer side
PIXELS = 1000 * LARGEST**2  # of all thumbnails: a page of many has smaller ones
DENSITY = 0.35  # bytes a pixel at most, so that noise does not make a page large
QUALITIES = (75, 50, 25, 10)


def thumbnails(
    stamps: Mapping[str, str | None], settings: Settings, jobs: int
) -> Iterator[tuple[str, bytes | str]]:
    """For each source a JPEG, or why there is none; in no particular order.

    `stamps` maps sources to their stamps when they were scored; a picture that has changed since is
    not shown. The longer side is at most LARGEST pixels, less when there are many.
    """
    side = round(min(LARGEST, max(SMALLEST, (PIXELS / max(1, len(stamps))) ** 0.5)))

    def unchanged() -> Iterator[Item | Failure]:
        for item in reopened(stamps):
            was = stamps[item.source]
            if isinstance(item, Item) and was is not None and item.stamp != was:
                yield Failure(item.source, "", f"{item.source} - changed since it was scored")
            else:
                yield item

    with DecodePool(settings, jobs) as pool:
        for picture in pool.read(fetched(unchanged())):
            if isinstance(picture, Failure):
                what, *_ = picture.text.removeprefix(f"{picture.source} - ").split(" - ")
                yield picture.source, what
            else:
                yield picture.source, jpeg(picture.pixels.astype(np.uint8, copy=False), side)


def jpeg(pixels: NDArray[np.uint8], side: int) -> bytes:
    """RGB pixels (H, W, 3), scaled down to a longer side of at most `side`."""
    height, width = pixels.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    for quality in QUALITIES:
        file = io.BytesIO()
        small.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() < max(DENSITY * size[0] * size[1], 1024):
            break
    return file.getvalue()
