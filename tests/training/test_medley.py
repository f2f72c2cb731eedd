from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import medley
import pristine
import recipe
from magiqa.evaluate.rivals.niqe import Niqe
from medley import LONG, SHORT, Source

SOURCE = Source(tuple(recipe.picture(321, 481, seed) for seed in range(2)), ())


def test_natural_by_hand() -> None:
    found = medley.natural(np.array([1.0, 2.2, np.sqrt(2.2 * 22), 22.0, np.inf]))
    assert found.tolist() == pytest.approx([1, 1, 0.5, 0, 0], abs=1e-6)


def test_a_medley_is_drawn_once_and_read_again(tmp_path: Path) -> None:
    first = medley.drawn(tmp_path / "medley", SOURCE, seed=2, count=8)
    again = medley.drawn(tmp_path / "medley", Source((), ()), seed=2, count=8)
    assert np.array_equal(first.natural, again.natural)
    assert first.upright.any()
    assert not first.upright.all()
    for number in range(8):
        picture = first.picture(number)
        assert picture.shape == ((LONG, SHORT, 3) if first.upright[number] else (SHORT, LONG, 3))
        expected = medley.natural(np.array([Niqe()(np.ascontiguousarray(picture))]))
        assert first.natural[number] == pytest.approx(expected[0])
    with pytest.raises(SystemExit, match="8 pictures of seed 2, asked for 9 of seed 3 - give"):
        medley.drawn(tmp_path / "medley", SOURCE, seed=3, count=9)


def test_pictures_stand_and_lie_and_are_no_two_alike() -> None:
    found = [medley.picture(SOURCE, np.random.default_rng(seed)) for seed in range(40)]
    assert {picture.shape for picture in found} == {(LONG, SHORT, 3), (SHORT, LONG, 3)}
    assert all(picture.dtype == np.uint8 for picture in found)
    assert len({picture.tobytes() for picture in found}) == 40


def test_artworks_are_drawn_from_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DRAWING", "GARBAGE"):
        monkeypatch.setattr(medley, name, 0)
    monkeypatch.setattr(pristine, "_toned", lambda picture, _: picture)
    green = np.full((SHORT, LONG, 3), (0, 200, 0), np.uint8)
    source = Source((np.zeros_like(green),), (green,))
    rng = np.random.default_rng(0)
    green_ones = sum(int(medley._base(source, 8, 8, rng)[0, 0, 1] == 200) for _ in range(2000))
    assert green_ones / 2000 == pytest.approx(medley.ARTWORK, abs=0.03)


def test_a_view_is_a_window_or_the_thumbnail(tmp_path: Path) -> None:
    pixels = np.broadcast_to(np.arange(LONG) // 2, (SHORT, LONG)).astype(np.uint8)
    np.save(tmp_path / "a.npy", np.stack([pixels] * 3, -1)[None])
    found = medley.Medley(tmp_path / "a.npy", np.zeros(1, bool), np.ones(1, np.float32))
    spreads = set()
    for seed in range(60):
        view = found.view(0, 160, np.random.default_rng(seed))
        assert view.shape == (160, 160, 3)
        spreads.add(int(np.ptp(view)))
    assert min(spreads) <= 80  # a window sees 160 of the 384 columns
    assert max(spreads) > 185  # the thumbnail all


def test_textures_and_blends_are_pictures() -> None:
    rng = np.random.default_rng(0)
    first, second = (medley.texture(60, 40, rng) for _ in range(2))
    assert first.shape == (40, 60, 3)
    assert first.std() > 5
    black, white = (np.full((40, 60, 3), level, np.uint8) for level in (0, 255))
    levels = {int(medley.blend(black, white, np.random.default_rng(n)).mean()) for n in range(12)}
    assert len(levels) > 6
    assert max(levels) - min(levels) > 100
    assert medley.blend(first, second, rng).dtype == np.uint8
