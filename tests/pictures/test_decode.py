from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

import recipe
from magiqa import Item, PictureError, Settings
from magiqa.pictures.decode import read
from magiqa.records import Picture

PAPER = Settings(protocol="paper")
PIXELS = recipe.picture(40, 60, seed=1)


def read_data(data: Any, settings: Settings | None = None) -> Picture:
    return read(Item("it", data), settings or Settings())


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_every_way_to_hand_a_picture_over_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(Image.fromarray(PIXELS)))
    image = Image.open(path)
    ways = [
        path,
        str(path),
        path.read_bytes(),
        bytearray(path.read_bytes()),
        image,
        PIXELS,
        torch.tensor(np.moveaxis(PIXELS, -1, 0).copy()),
    ]
    for settings in (PAPER, Settings()):
        for way in ways:
            picture = read_data(way, settings)
            np.testing.assert_array_equal(picture.pixels, PIXELS)
            assert (picture.width, picture.height) == (60, 40)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_zero_to_one(dtype: type) -> None:
    picture = read_data((PIXELS / 255).astype(dtype))
    assert picture.pixels.dtype == np.float32
    np.testing.assert_allclose(picture.pixels, PIXELS, atol=0.2 if dtype is np.float16 else 1e-4)


def test_grey_arrays_and_pictures_become_three_equal_channels() -> None:
    grey = PIXELS[:, :, 0]
    wanted = np.repeat(grey[:, :, None], 3, axis=2)
    np.testing.assert_array_equal(read_data(grey).pixels, wanted)
    np.testing.assert_array_equal(read_data(encoded(Image.fromarray(grey))).pixels, wanted)


# the marked corner (red) of a 2x3 picture, where each EXIF orientation shows it
CORNERS = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1)}


@pytest.mark.parametrize("orientation", [*CORNERS, 8])
def test_orientation_is_applied_under_photo_alone(orientation: int) -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(pixels), exif=exif)
    upright = read_data(data)
    assert tuple(upright.pixels[CORNERS.get(orientation, (-1, 0))]) == (255, 0, 0)
    assert (upright.width, upright.height) == ((3, 2) if orientation < 5 else (2, 3))
    np.testing.assert_array_equal(read_data(data, PAPER).pixels, pixels)


def test_transparency_lies_over_white_under_photo() -> None:
    red = np.array([[[255, 0, 0, 255], [255, 0, 0, 0], [0, 0, 0, 128]]], np.uint8)
    data = encoded(Image.fromarray(red))
    np.testing.assert_array_equal(
        read_data(data).pixels, [[[255, 0, 0], [255, 255, 255], [127, 127, 127]]]
    )
    np.testing.assert_array_equal(read_data(data, PAPER).pixels, red[:, :, :3])


def test_sixteen_bits_are_scaled_under_photo() -> None:
    deep = np.array([[0, 257, 32768, 65535]], np.uint16)
    pixels = read_data(encoded(Image.fromarray(deep))).pixels
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 1, 128, 255])


def test_an_embedded_profile_is_brought_to_srgb_under_photo() -> None:
    linear = ImageCms.createProfile("LAB")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(PIXELS)
    same = read_data(encoded(image, icc_profile=srgb)).pixels
    assert np.abs(same.astype(int) - PIXELS).max() <= 1
    # a profile of another colour space does not fit the picture and is passed over
    unfit = ImageCms.ImageCmsProfile(linear).tobytes()
    np.testing.assert_array_equal(read_data(encoded(image, icc_profile=unfit)).pixels, PIXELS)
    broken = encoded(image, icc_profile=b"not a profile")
    np.testing.assert_array_equal(read_data(broken).pixels, PIXELS)


def test_the_first_frame_of_an_animation_is_read() -> None:
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    data = encoded(first, "GIF", save_all=True, append_images=[second])
    for settings in (Settings(), PAPER):
        assert tuple(read_data(data, settings).pixels[0, 0]) == (255, 0, 0)


def test_a_large_picture_is_scaled_down_with_a_warning() -> None:
    data = encoded(Image.fromarray(recipe.picture(900, 1600, seed=2)), "JPEG")
    picture = read_data(data)
    factor = (1024 * 768 / (900 * 1600)) ** 0.5
    assert picture.pixels.shape == (round(900 * factor), round(1600 * factor), 3)
    assert (picture.width, picture.height) == (1600, 900)
    assert picture.warnings == ("downscaled",)
    for settings in (Settings(max_pixels=None), PAPER):
        native = read_data(data, settings)
        assert native.pixels.shape == (900, 1600, 3)
        assert native.warnings == ()


def test_exactly_the_limit_is_not_scaled() -> None:
    assert read_data(Image.new("RGB", (1024, 768))).warnings == ("flat",)
    # over it by one pixel, and brought to the size that it has
    assert read_data(Image.fromarray(recipe.picture(887, 887, seed=0))).warnings == ()


def test_arrays_are_resized_only_when_asked() -> None:
    large = recipe.picture(900, 1600, seed=2)
    assert read_data(large).pixels.shape == large.shape
    resized = Settings(resize=(300, 200))
    wanted = Image.fromarray(large).resize((300, 200), Image.Resampling.BICUBIC)
    picture = read_data(large, resized)
    np.testing.assert_array_equal(picture.pixels, np.asarray(wanted))
    assert (picture.width, picture.height, picture.warnings) == (1600, 900, ("thumbnail-only",))
    floats = read_data(large / np.float32(255), resized).pixels
    assert floats.dtype == np.float32
    assert np.abs(floats - picture.pixels).max() <= 1


BAD: list[tuple[Any, str]] = [
    ("nowhere.jpg", r"it - there is no such file - check the path"),
    (Path("."), r"it - not a file but a folder or a device - name a picture"),
    (b"", r"it - not a picture in a format Pillow knows and magiqa reads - give J"),
    (b"hello, I am a text", r"it - not a picture in a format Pillow knows"),
    (
        encoded(Image.fromarray(PIXELS), "JPEG")[:-200],
        r"it - cannot be decoded \(.*\) - the file",
    ),
    (np.full((8, 8, 3), np.nan), r"it - holds NaN or infinite pixels - mend or drop the picture"),
    (np.full((8, 8, 3), np.inf, np.float32), r"it - holds NaN or infinite"),
    (np.full((8, 8, 3), 2.0), r"got floats in 2..2 - give floats in 0..1, or uint8"),
    (np.zeros((8, 8, 3), np.int32), r"got an array of int32 - give uint8 \(0..255\) or floats"),
    (np.zeros((8, 8, 3), bool), r"got an array of bool"),
    (np.zeros((3, 8, 8), np.uint8), r"got an array of shape \(3, 8, 8\) - give \(H, W, 3\)"),
    (np.zeros((2, 8, 8, 3), np.uint8), r"shape \(2, 8, 8, 3\)"),
    (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\)"),
    (torch.zeros(1, 3, 8, 8), r"shape torch.Size\(\[1, 3, 8, 8\]\) - give \(3, H, W\)"),
    (None, r"got an array of shape \(\)"),
    ([[1, 2], [3]], r"it - got list that is no array \(.*\) - give an array of uint8, or of"),
    (torch.zeros(3, 8, 8, dtype=torch.bfloat16), r"it - got Tensor that is no array"),
    (Image.new("RGB", (0, 5)), r"it - 0x5, so it has no pixels - give one that has"),
    ({"a": 1}, r"got an array of shape \(\)"),
    (io.BytesIO(b"a picture"), r"it - got an open file - give its path, or the bytes in it"),
]


@pytest.mark.parametrize(("data", "text"), BAD)
def test_bad_input_is_told(data: Any, text: str) -> None:
    with pytest.raises(PictureError, match=text):
        read_data(data)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(PictureError, match=r"the file is empty \(0 bytes\) - fetch it again"):
        read_data(tmp_path / "empty.jpg")


def test_a_picture_over_the_limit_is_refused_before_decoding() -> None:
    data = encoded(Image.fromarray(PIXELS))[:60]  # the header alone
    with pytest.raises(PictureError, match=r"it - 60x40 is over the limit on decoding - scale"):
        read_data(data, Settings(max_decode_pixels=60 * 40 - 1))


def test_a_bomb_is_refused(recwarn: pytest.WarningsRecorder) -> None:
    # a PNG header that promises 60,000 x 60,000 pixels
    data = bytearray(encoded(Image.fromarray(PIXELS)))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    text = (
        r"it - over Pillow's own limit on decoding - scale it down, or raise PIL\.Image\.MAX_IMAGE_"
    )
    with pytest.raises(PictureError, match=text):
        read_data(bytes(data))
    assert not recwarn.list
