"""From the pictures of packages to training pictures: each scaled down, large ones cut as well.

python training/tiles.py UNPACKED PRISTINE, where UNPACKED holds a folder for each package of
pictures.txt; writes PRISTINE/photo and PRISTINE/artwork.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

LONG = 720  # pixels of a tile's longer side
SMALLEST = 1.5  # times a tile that a picture must have, so that scaling makes it crisp
LIST = Path(__file__).parent / "pictures.txt"


def main() -> None:
    """Write the tiles of every picture of the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unpacked", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    for index, line in enumerate(LIST.read_text().splitlines()):
        use, name = line.split(maxsplit=1)
        with Image.open(given.unpacked / name) as file:
            found = tiles(_opaque(file))
        (given.out / use).mkdir(parents=True, exist_ok=True)
        for number, tile in enumerate(found):
            tile.save(given.out / use / f"{index:03d}-{number}.png")


def tiles(picture: Image.Image) -> list[Image.Image]:
    """The whole at a tile's size or less; and its quarters at twice the scale if it is large."""
    longer = max(picture.size)
    whole = _scaled(picture, min(LONG, int(longer / SMALLEST)))
    if longer < SMALLEST * 2 * LONG:
        return [whole]
    large = _scaled(picture, 2 * LONG)
    across, down = large.width // 2, large.height // 2
    corners = [(left, top) for top in (0, down) for left in (0, across)]
    return [whole, *(large.crop((x, y, x + across, y + down)) for x, y in corners)]


def _opaque(picture: Image.Image) -> Image.Image:
    layers = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")


def _scaled(picture: Image.Image, long: int) -> Image.Image:
    share = long / max(picture.size)
    size = (round(picture.width * share), round(picture.height * share))
    return picture.resize(size, Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
