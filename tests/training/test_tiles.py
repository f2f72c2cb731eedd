from __future__ import annotations

from PIL import Image

import tiles


def test_a_large_photograph_is_itself_and_its_quarters() -> None:
    found = tiles.tiles(Image.new("RGB", (3000, 2000)))
    assert [tile.size for tile in found] == [(720, 480)] * 5


def test_a_smaller_one_is_itself_alone_and_crisp() -> None:
    assert [tile.size for tile in tiles.tiles(Image.new("RGB", (900, 1200)))] == [(540, 720)]
    assert [tile.size for tile in tiles.tiles(Image.new("RGB", (900, 600)))] == [(600, 400)]


def test_the_list_names_each_picture_once_and_its_use() -> None:
    lines = [line.split(maxsplit=1) for line in tiles.LIST.read_text().splitlines()]
    assert {use for use, _ in lines} == {"photo", "artwork"}
    names = [name for _, name in lines]
    assert len(set(names)) == len(names)
