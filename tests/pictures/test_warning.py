from __future__ import annotations

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from magiqa.pictures import warning
from pictures import fixtures

SIZES = [(384, 512), (224, 224), (100, 640), (1200, 1600)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_flat_fixture_is_flagged(height: int, width: int) -> None:
    for name, pixels in fixtures.flat(height, width):
        assert warning.content_warning(pixels) == "flat", name


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_every_noise_fixture_is_flagged(height: int, width: int) -> None:
    for name, pixels in fixtures.noise(height, width):
        assert warning.content_warning(pixels) == "noise-like", name


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photographs_are_not_flagged_even_when_poor(name: str) -> None:
    photograph = getattr(skimage.data, name)()
    blurred = np.asarray(Image.fromarray(photograph).filter(ImageFilter.GaussianBlur(5)))
    noise = np.random.default_rng(2).normal(0, 25, photograph.shape)
    dark = photograph * 0.3
    for values in (photograph, blurred, photograph + noise, dark):
        assert warning.of_pixels(values.clip(0, 255).astype(np.uint8)) == ()
    assert warning.of_pixels(fixtures.jpeg(photograph, 10)) == ()


def test_flat_by_hand() -> None:
    # a |x - 20| over 41 columns, step 2: bends of 2a, 4a, 2a among 37, so coarse = 24 a^2 / 37
    tent = np.abs(np.arange(41) - 20)[None, :, None] * np.ones((41, 1, 3), np.float32)
    assert warning.content_warning(8 * tent) is None  # 41.5
    assert warning.content_warning(7 * tent) == "flat"  # 31.8


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 5000), (4, 4), (5, 3)])
def test_the_smallest_pictures_are_looked_at_without_trouble(height: int, width: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    assert warning.of_pixels(pixels) == ("thumbnail-only", "flat")


@pytest.mark.parametrize(("side", "warned"), [(223, True), (224, False)])
def test_thumbnail_only_begins_under_224(side: int, warned: bool) -> None:
    pixels = np.zeros((side, 300, 3), np.uint8)
    assert ("thumbnail-only" in warning.of_pixels(pixels)) is warned
