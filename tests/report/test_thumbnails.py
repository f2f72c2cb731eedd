from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Settings
from magiqa.report import thumbnails as module
from magiqa.report.thumbnails import jpeg, thumbnails
from magiqa.runs.places import file_stamp


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A large and a small picture, and a text that claims to be one."""
    monkeypatch.chdir(tmp_path)
    for name, (height, width) in {"large.png": (600, 900), "small.png": (90, 60)}.items():
        Image.fromarray(recipe.picture(height, width, seed=3)).save(name)
    Path("text.png").write_text("a text")
    return tmp_path


def size(content: bytes | str) -> tuple[int, int]:
    assert isinstance(content, bytes), content
    with Image.open(io.BytesIO(content)) as image:
        assert image.format == "JPEG"
        return image.size


def test_the_longer_side_is_bounded_and_nothing_is_enlarged() -> None:
    made = dict(thumbnails({"large.png": None, "small.png": None}, Settings(), jobs=0))
    assert size(made["large.png"]) == (320, 213)
    assert size(made["small.png"]) == (60, 90)


def test_many_are_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIXELS", 2 * 200**2)
    made = dict(thumbnails({"large.png": None, "small.png": None}, Settings(), jobs=0))
    assert size(made["large.png"]) == (200, 133)
    monkeypatch.setattr(module, "PIXELS", 1)
    made = dict(thumbnails({"large.png": None}, Settings(), jobs=0))
    assert size(made["large.png"]) == (160, 107)


def test_a_thumbnail_looks_like_its_picture() -> None:
    [(_, content)] = thumbnails({"large.png": None}, Settings(), jobs=0)
    assert isinstance(content, bytes)
    with Image.open("large.png") as whole, Image.open(io.BytesIO(content)) as small:
        expected = np.asarray(whole.resize(small.size, Image.Resampling.BOX), np.float64)
        assert np.abs(np.asarray(small) - expected).mean() < 8  # of JPEG


def test_workers_make_them_too_and_say_what_is_wrong_with_the_others() -> None:
    stamps = {"text.png": None, "gone.png": None, "small.png": file_stamp("small.png")}
    made = dict(thumbnails(stamps, Settings(), jobs=1))
    assert size(made["small.png"]) == (60, 90)
    assert made["text.png"] == "not a picture in a format Pillow knows and magiqa reads"
    assert made["gone.png"] == "there is no such file or folder"


def test_a_picture_that_changed_since_is_not_shown() -> None:
    stamp = file_stamp("small.png")
    os.utime("small.png", (1e9, 1e9))
    assert dict(thumbnails({"small.png": stamp}, Settings(), jobs=0)) == {
        "small.png": "changed since it was scored"
    }


def test_even_noise_stays_small() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (320, 320, 3), dtype=np.uint8)
    assert len(jpeg(noise, 320)) < 0.35 * 320 * 320
    assert size(jpeg(noise[:1], 160)) == (160, 1)
