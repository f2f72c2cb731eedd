"""A JPEG of a few kilobytes that takes as long to decode as one likes."""

from __future__ import annotations

import io

from PIL import Image

_START_OF_SCAN = b"\xff\xda"


def slow_jpeg(scans: int, side: int = 2000) -> bytes:
    """A flat progressive JPEG whose last scan, 14 bytes, is there `scans` times more.

    Each refines all blocks by nothing, which takes a decoder some 2 ms at side 2000.
    """
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    body, end = file.getvalue()[:-2], file.getvalue()[-2:]
    last = body[body.rindex(_START_OF_SCAN) :]
    return body + last * scans + end
