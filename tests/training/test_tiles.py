from __future__ import annotations

from PIL import Image

import tiles


def test_a_large_photograph_is_itself_and_its_quarters() -> None:
    found = tiles.tiles(Image.new("RGB", (3000, 2000)))
    assert [tile.size for tile in found] == [(720, 480)] * 5


def test_a_smaller_one_is_itself_alone() -> None:
    assert [tile.size for tile in tiles.tiles(Image.new("RGB", (900, 1200)))] == [(540, 720)]
