"""From large photographs to training pictures: each scaled down whole, and cut at twice that size.

python training/tiles.py DIR/usr/share/backgrounds PRISTINE/lomiri
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from pristine import SUFFIXES

LONG = 720  # pixels of a tile's longer side
SMALLEST = 1.5  # times a tile's cuts that a photograph must have, so that scaling makes it crisp


def main() -> None:
    """Write the tiles of every photograph under a folder, but for those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--without", nargs="*", default=[], help="beginnings of names to leave out")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(given.photographs.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(tuple(given.without)):
            with Image.open(path) as file:
                found = tiles(file.convert("RGB"))
            for number, tile in enumerate(found):
                name = f"{path.stem}-{number}.jpg"
                tile.save(given.out / name, quality=93, subsampling=0)


def tiles(photograph: Image.Image) -> list[Image.Image]:
    """The whole at a tile's size; and its quarters at twice the scale if it is large enough."""
    whole = _scaled(photograph, LONG)
    if max(photograph.size) < SMALLEST * 2 * LONG:
        return [whole]
    large = _scaled(photograph, 2 * LONG)
    across, down = large.width // 2, large.height // 2
    corners = [(left, top) for top in (0, down) for left in (0, across)]
    return [whole, *(large.crop((x, y, x + across, y + down)) for x, y in corners)]


def _scaled(photograph: Image.Image, long: int) -> Image.Image:
    share = long / max(photograph.size)
    size = (round(photograph.width * share), round(photograph.height * share))
    return photograph.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
