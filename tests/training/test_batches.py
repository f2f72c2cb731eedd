from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import pristine
import recipe
from batches import GARBAGE, LADDER, Batches, garbage
from magiqa.pictures import views

PICTURES = tuple(recipe.picture(200, 300, seed) for seed in range(3))
DATA = Batches(PICTURES, (), seed=4, ladders=3, sides=(64, 96))


def test_a_batch_is_its_number() -> None:
    first, again, other = DATA[7], DATA[7], DATA[8]
    assert all(torch.equal(a, b) for a, b in zip(first[:-1], again[:-1], strict=True))
    assert first.kinds == again.kinds
    assert first.views.shape != other.views.shape or not torch.equal(first.views, other.views)


def test_some_ladders_are_of_artwork(monkeypatch: pytest.MonkeyPatch) -> None:
    artwork = (np.full((200, 300, 3), (0, 200, 0), np.uint8),)
    monkeypatch.setattr(pristine, "DRAWN", 0)
    data = Batches(PICTURES, artwork, seed=4, ladders=50, sides=(32,))
    batch = data[0]
    drawn = (~batch.photo).view(-1)[: 50 * LADDER : LADDER]
    assert 1 <= int(drawn.sum()) <= 20
    firsts = batch.views[: 50 * LADDER : LADDER][drawn].to(torch.float32)
    assert (firsts[:, 1] >= firsts[:, 0]).all()  # green it is, whatever its tone


def test_ladders_start_pristine_and_get_worse() -> None:
    for number in range(6):
        batch = DATA[number]
        assert batch.views.dtype == torch.uint8
        assert batch.views.shape[:2] == (3 * LADDER + GARBAGE, 3)
        assert batch.faults.shape == (3 * LADDER + GARBAGE, 6)
        assert batch.attributes.shape == (3 * LADDER + GARBAGE, 3)
        assert len(batch.kinds) == 3
        assert (batch.severities.diff(dim=1) > 0).all()
        bad = batch.faults[: 3 * LADDER, 0].view(3, LADDER)
        assert (bad[:, 0] == 0).all()
        assert (bad.diff(dim=1) > 0).all()
        assert (batch.faults[-GARBAGE:] == 1).all()


def test_ladders_of_some_kinds_are_left_out() -> None:
    batch = DATA[7]
    fewer, rows = batch.without(batch.kinds[1])
    kept = [kinds for kinds in batch.kinds if not set(kinds) & set(batch.kinds[1])]
    assert list(fewer.kinds) == kept
    assert rows[LADDER : 2 * LADDER].sum() == 0
    assert rows[-GARBAGE:].all()
    assert len(fewer.views) == len(kept) * LADDER + GARBAGE == int(rows.sum())


def test_pristine_views_are_photographs_of_one_side() -> None:
    found = DATA.pristine(3, 64)
    assert len(found) == 3
    assert all(view.shape == (64, 64, 3) for view, _ in found)


def test_garbage_shows_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [garbage(32, rng) for _ in range(40)]
    assert all(view.shape == (32, 32, 3) and view.dtype == np.uint8 for view in found)
    spreads = [float(view.astype(float).std(axis=(0, 1)).max()) for view in found]
    assert min(spreads) == 0  # one colour
    assert max(spreads) > 60  # noise


def test_the_thumbnail_is_magiqas() -> None:
    picture = recipe.picture(300, 420, 1)
    expected = views.thumbnail(picture.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert np.abs(pristine.thumbnail(picture, 224) - expected).max() <= 0.51


def test_crops_have_the_asked_size_also_of_small_pictures() -> None:
    rng = np.random.default_rng(0)
    for picture in (PICTURES[0], recipe.picture(50, 60, 0)):
        assert pristine.crop(picture, 90, 70, rng).shape == (70, 90, 3)
    assert pristine.drawing(90, 70, rng).shape == (70, 90, 3)


def test_kodak_is_held_out_and_artwork_apart(tmp_path: Path) -> None:
    tmp_path /= "artwork"  # what the folder itself is called says nothing
    for folder in ("artwork", "kodak", "more"):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(PICTURES[0]).save(tmp_path / folder / "a.png")
    photographs, artworks, held = pristine.pictures(tmp_path)
    assert photographs == [tmp_path / "more" / "a.png"]
    assert artworks == [tmp_path / "artwork" / "a.png"]
    assert held == [tmp_path / "kodak" / "a.png"]


def test_linked_folders_are_looked_into(tmp_path: Path) -> None:
    for folder in ("elsewhere/more", "elsewhere/kodak", "here"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("more", "kodak"):
        Image.fromarray(PICTURES[0]).save(tmp_path / "elsewhere" / name / "a.png")
        (tmp_path / "here" / name).symlink_to(tmp_path / "elsewhere" / name)
    here = tmp_path / "here"
    assert pristine.pictures(here) == ([here / "more" / "a.png"], [], [here / "kodak" / "a.png"])


def test_a_folder_without_held_out_pictures_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match="1 pictures to train on and 0 held out"):
        pristine.pictures(tmp_path)
