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
from tower import PAIRS

PICTURES = tuple(recipe.picture(200, 300, seed) for seed in range(3))
DATA = Batches(PICTURES, seed=4, ladders=3, sides=(64, 96))


def test_a_batch_is_its_number() -> None:
    first, again, other = DATA[7], DATA[7], DATA[8]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert first.views.shape != other.views.shape or not torch.equal(first.views, other.views)


def test_ladders_start_pristine_and_get_worse() -> None:
    for number in range(6):
        batch = DATA[number]
        assert batch.views.dtype == torch.uint8
        assert batch.views.shape[:2] == (3 * LADDER + GARBAGE, 3)
        assert batch.targets.shape == (3 * LADDER + GARBAGE, len(PAIRS))
        assert (batch.severities.diff(dim=1) > 0).all()
        good = batch.targets[: 3 * LADDER, 0].view(3, LADDER)
        assert good[:, 0].tolist() == pytest.approx([0.97] * 3)
        assert (good[:, 1:] < good[:, :1]).all()
        assert (batch.targets[-GARBAGE:, :5] < 0.05).all()


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


def test_kodak_is_held_out(tmp_path: Path) -> None:
    for folder in ("kodak", "more"):
        (tmp_path / folder).mkdir()
        Image.fromarray(PICTURES[0]).save(tmp_path / folder / "a.png")
    train, held = pristine.pictures(tmp_path)
    assert train == [tmp_path / "more" / "a.png"]
    assert held == [tmp_path / "kodak" / "a.png"]


def test_a_folder_without_held_out_pictures_is_refused(tmp_path: Path) -> None:
    Image.fromarray(PICTURES[0]).save(tmp_path / "a.png")
    with pytest.raises(SystemExit, match="1 pictures to train on and 0 held out"):
        pristine.pictures(tmp_path)
