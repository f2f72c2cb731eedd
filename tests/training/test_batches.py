from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import batches
import pristine
import recipe
from batches import GARBAGE, LADDER, Batches
from magiqa.pictures import views
from medley import Medley
from tower import PAIRS

PICTURES = tuple(recipe.picture(200, 300, seed) for seed in range(3))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Batches:
    file = tmp_path_factory.mktemp("medley") / "pixels.npy"
    levels = np.arange(4, dtype=np.uint8) * 85  # a picture's level tells which it is
    np.save(file, np.broadcast_to(levels[:, None, None, None], (4, 288, 384, 3)))
    medley = Medley(file, np.array([0, 1, 0, 0], bool), (levels / 255).astype(np.float32))
    return Batches(PICTURES, medley, seed=4, ladders=3, sides=(64, 96))


def test_a_batch_is_its_number(data: Batches) -> None:
    first, again, other = data[7], data[7], data[8]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.views.shape != other.views.shape or not torch.equal(first.views, other.views)


def test_ladders_start_pristine_and_get_worse(data: Batches) -> None:
    for number in range(6):
        batch = data[number]
        assert batch.views.dtype == torch.uint8
        assert batch.views.shape[:2] == (3 * LADDER + GARBAGE, 3)
        assert batch.pairs.shape == (3 * LADDER + GARBAGE, len(PAIRS))
        assert (batch.severities.diff(dim=1) > 0).all()
        good = batch.pairs[: 3 * LADDER, 0].view(3, LADDER)
        assert good[:, 0].tolist() == pytest.approx([0.97] * 3)
        assert (good[:, -1] < good[:, 0]).all()


def test_garbage_is_bad_and_not_asked_what_it_cannot_tell(data: Batches) -> None:
    empty = data[1].pairs[-GARBAGE:]
    assert empty[:, :5].max() < 0.04
    assert (empty[:, [6, 8]] == 0.5).all()


def test_the_medley_comes_with_its_targets(data: Batches) -> None:
    sides = set()
    for number in range(6):
        batch = data[number]
        side = batch.medley.shape[2]
        assert (side, len(batch.medley)) in batches.OTHERS
        assert batch.medley.shape[1:] == (3, side, side)
        assert torch.equal(batch.medley[:, 0, 0, 0] / 255, batch.natural)
        sides.add(side)
    assert sides == {160, 224}


def test_garbage_shows_nothing() -> None:
    rng = np.random.default_rng(0)
    found = [pristine.garbage(40, 32, rng) for _ in range(40)]
    assert all(view.shape == (32, 40, 3) and view.dtype == np.uint8 for view in found)
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


def test_detail_is_of_nearly_all_of_a_view() -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 8
    assert pristine.detail(stripes) == 8
    stripes[:, :32] = 0
    assert pristine.detail(stripes) < 1


def test_ladders_are_of_pictures_that_show_something(data: Batches) -> None:
    plain = np.full((300, 400, 3), 90, np.uint8)
    busy = np.random.default_rng(0).integers(0, 256, plain.shape, dtype=np.uint8)
    found = Batches((plain, busy), data.medley, seed=0, ladders=10, sides=(64,))
    firsts = torch.cat([found[number].views[: 10 * LADDER : LADDER] for number in range(3)])
    assert (firsts.float().std(dim=(2, 3)).amax(dim=1) == 0).sum() <= 6  # of 30: half by chance


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
