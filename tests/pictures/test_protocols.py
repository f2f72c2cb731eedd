"""Every kind of picture under both protocols, against values worked out by hand."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pillow_heif
import pytest
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from magiqa import Item, PictureError, Settings
from magiqa.pictures.decode import read
from pictures.hostile import png, png_chunk, tiff

PHOTO, PAPER = Settings(), Settings(protocol="paper")


def pixels_of(data: Any, settings: Settings) -> NDArray[Any]:
    return read(Item("it", data), settings).pixels


def image(values: ArrayLike, mode: str | None = None) -> Image.Image:
    made = Image.fromarray(np.asarray(values, np.uint8))
    return made.convert(mode) if mode else made


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


# Colour: ICC profiles by the byte, and the arithmetic they stand for

P3 = [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
SRGB = [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
"""Linear red, green and blue -> XYZ under D50, as in the profiles' rXYZ, gXYZ and bXYZ."""


def profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2, of a display, or of a printer where it connects by Lab."""
    device = b"mntr" if connection == b"XYZ " else b"prtr"
    tags = {b"wtpt": xyz([0.9642, 1, 0.8249]), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">8xI4s4s4s12x4s", 0x02100000, device, space, connection, b"acsp")
    header = header.ljust(68, b"\0") + xyz([0.9642, 1, 0.8249])[8:]
    whole = header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def xyz(values: list[float]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def srgb_curve() -> bytes:
    table = (srgb_decoded(np.arange(1024) / 1023) * 65535).round().astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(table)) + table.tobytes()


def display_p3() -> bytes:
    columns = np.transpose(P3).tolist()
    primaries = {name + b"XYZ": xyz(column) for name, column in zip(RGB, columns, strict=True)}
    return profile(b"RGB ", {**primaries, **{name + b"TRC": srgb_curve() for name in RGB}})


def linear_grey() -> bytes:
    """Grey whose values are proportional to light."""
    return profile(b"GRAY", {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, 256)})


def black_ink_alone() -> bytes:
    """CMYK where L* = 100 (1 - K), whatever the other inks."""
    corners = [(255 * (1 - corner % 2), 128, 128) for corner in range(16)]  # K varies fastest
    identity = bytes(range(256))
    unit = struct.pack(">9i", *(65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + unit + identity * 4
    lut += b"".join(map(bytes, corners)) + identity * 3
    return profile(b"CMYK", {b"A2B0": lut}, b"Lab ")


RGB = (b"r", b"g", b"b")


def srgb_decoded(values: ArrayLike) -> NDArray[Any]:
    v = np.asarray(values, np.float64)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def srgb_encoded(linear: ArrayLike) -> NDArray[Any]:
    v = np.clip(linear, 0, 1)
    return 255 * np.where(v <= 0.0031308, v * 12.92, 1.055 * v ** (1 / 2.4) - 0.055)


def p3_to_srgb(colours: ArrayLike) -> NDArray[Any]:
    light = srgb_decoded(np.asarray(colours) / 255)
    return srgb_encoded(light @ np.transpose(P3) @ np.linalg.inv(np.transpose(SRGB)))


def grey_of_lightness(lightness: float) -> NDArray[Any]:
    return srgb_encoded([((lightness + 16) / 116) ** 3] * 3)


def over_white(colours: ArrayLike, alpha: ArrayLike) -> NDArray[Any]:
    opacity = np.asarray(alpha)[..., None] / 255
    return np.asarray(colours) * opacity + 255 * (1 - opacity)


def greys(*values: float) -> NDArray[Any]:
    return np.repeat(np.array([[values]]), 3, axis=0).T.reshape(1, -1, 3)


COLOURS = [[[255, 0, 0], [200, 100, 50], [10, 240, 120], [128, 128, 128], [255, 255, 255]]]
ALPHA = [[255, 192, 128, 1, 0]]
COLOURS_ALPHA = np.dstack([COLOURS, ALPHA])


class Case(NamedTuple):
    """An encoded picture of one row, and its pixels under each protocol."""

    data: Any
    photo: ArrayLike
    paper: ArrayLike
    within: float = 0.5  # rounding


def cmyk_jpeg(stored: list[int], transform: int, icc: bytes | None = None) -> bytes:
    """Four planes of a JPEG; Adobe's marker says whether they are CMYK (0) or YCCK (2)."""
    plane = Image.new("CMYK", (8, 8), tuple(255 - value for value in stored))
    data = saved(plane, "JPEG", quality=100, subsampling=0, icc_profile=icc)
    before, marker, after = data.partition(b"\xff\xee\x00\x0eAdobe")
    return before + marker + after[:6] + bytes([transform]) + after[7:]


def inks(cyan: float, magenta: float, yellow: float, black: float) -> NDArray[Any]:
    """An 8x8 picture of one CMYK colour without profile: each ink takes its share of light."""
    light = (255 - np.array([cyan, magenta, yellow])) * (255 - black) / 255
    return np.broadcast_to(light, (8, 8, 3))


def ycck() -> Case:
    # Y, Cb, Cr, K; JPEG's matrix gives R, G, B, whose complements are the inks, kept inverted
    y, cb, cr, k = stored = [150, 100, 160, 200]
    light = [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128)]
    light.append(y + 1.772 * (cb - 128))
    wanted = inks(light[0], light[1], light[2], 255 - k)
    return Case(cmyk_jpeg(stored, 2), wanted, wanted, 2.5)


def deep_png(values: list[list[int]], colour: int, before: bytes = b"") -> bytes:
    row = np.array(values, ">u2").tobytes()
    return png(len(values), 1, b"\0" + row, depth=16, colour=colour, before=before)


def deep_tiff(values: Any, bits: int = 16, kind: str = "<u2", sample: int = 1) -> bytes:
    planes = np.asarray(values).reshape(-1, np.asarray(values).shape[-1])
    channels = planes.shape[1]
    tags = {339: (3, [sample] * channels)}
    data = planes.astype(kind).tobytes()
    return tiff(len(planes), 1, data, [bits] * channels, 2 if channels == 3 else 1, tags)


def palette(alphas: bytes) -> bytes:
    made = Image.new("P", (3, 1))
    made.putpalette([255, 0, 0, 0, 0, 255, 10, 20, 30])
    made.putdata([0, 1, 2])
    return saved(made, "PNG", transparency=alphas)


def palette_and_alpha() -> Image.Image:
    made = Image.new("PA", (1, 1), (0, 128))
    made.putpalette([10, 20, 30])
    return made


DEEP = [0, 128, 129, 255, 256, 257, 32767, 32768, 65278, 65535]
DEEP_RGB = [[0, 255, 256], [32768, 65535, 511], [1000, 20000, 60000]]
P3_ROW = p3_to_srgb(COLOURS)
TRANSPARENT = png_chunk(b"tRNS", struct.pack(">H", 257))
DEEP_PHOTO = greys(*(value / 257 for value in DEEP))
DEEP_PAPER = greys(*(min(value, 255) for value in DEEP))  # as Pillow converts: clipped
HIGH_BYTES = [[[value >> 8 for value in pixel] for pixel in DEEP_RGB]]
PREMULTIPLIED = bytes([64, 0, 32, 128, 10, 20, 30, 255, 0, 0, 0, 0])

CASES = {
    "RGB": Case(saved(image(COLOURS), "PNG"), COLOURS, COLOURS),
    "Display P3 PNG": Case(
        saved(image(COLOURS), "PNG", icc_profile=display_p3()), P3_ROW, COLOURS, 1
    ),
    "Display P3 TIFF": Case(
        saved(image(COLOURS), "TIFF", icc_profile=display_p3()), P3_ROW, COLOURS, 1
    ),
    "Display P3 with alpha: colour first, then white": Case(
        saved(image(COLOURS_ALPHA), "PNG", icc_profile=display_p3()),
        over_white(P3_ROW, ALPHA),
        COLOURS,
        1,
    ),
    "Display P3 with palette": Case(
        saved(image(COLOURS).quantize(5), "PNG", icc_profile=display_p3()), P3_ROW, COLOURS, 1
    ),
    "grey": Case(saved(image([[0, 7, 255]]), "PNG"), greys(0, 7, 255), greys(0, 7, 255)),
    "grey with a grey profile": Case(
        saved(image([[0, 64, 128, 255]]), "PNG", icc_profile=linear_grey()),
        srgb_encoded(greys(0, 64, 128, 255) / 255),
        greys(0, 64, 128, 255),
        1,
    ),
    "grey with the profile of a colour display: passed over": Case(
        saved(image([[0, 64]]), "PNG", icc_profile=display_p3()), greys(0, 64), greys(0, 64)
    ),
    "grey and alpha": Case(
        saved(image(np.dstack([[[0, 100, 200]], [[255, 128, 0]]])), "PNG"),
        over_white(greys(0, 100, 200), [[255, 128, 0]]),
        greys(0, 100, 200),
        0.6,
    ),
    "grey and alpha with a grey profile": Case(
        saved(image(np.dstack([[[0, 128]], [[128, 255]]])), "PNG", icc_profile=linear_grey()),
        greys(127, 188),
        greys(0, 128),
        1,
    ),
    "grey with a transparent value": Case(
        saved(image([[0, 7, 255]]), "PNG", transparency=7), greys(0, 255, 255), greys(0, 7, 255)
    ),
    "one bit": Case(saved(image([[0, 255]], "1"), "PNG"), greys(0, 255), greys(0, 255)),
    "one bit, black transparent": Case(
        saved(image([[0, 255]], "1"), "PNG", transparency=0), greys(255, 255), greys(0, 255)
    ),
    "alpha": Case(saved(image(COLOURS_ALPHA), "PNG"), over_white(COLOURS, ALPHA), COLOURS, 0.6),
    "palette, alpha for each colour": Case(
        palette(bytes([255, 128, 0])),
        [[[255, 0, 0], [127, 127, 255], [255, 255, 255]]],
        [[[255, 0, 0], [0, 0, 255], [10, 20, 30]]],
    ),
    "palette, one colour transparent": Case(
        palette(b"\xff\x00"),
        [[[255, 0, 0], [255, 255, 255], [10, 20, 30]]],
        [[[255, 0, 0], [0, 0, 255], [10, 20, 30]]],
    ),
    "palette and alpha, in memory": Case(
        palette_and_alpha(), [[[132, 137, 142]]], [[[10, 20, 30]]], 1
    ),
    "16-bit grey PNG": Case(deep_png([[v] for v in DEEP], 0), DEEP_PHOTO, DEEP_PAPER),
    "16-bit grey PNG with a transparent value": Case(
        deep_png([[v] for v in DEEP], 0, TRANSPARENT),
        np.where(np.array(DEEP)[None, :, None] == 257, 255, DEEP_PHOTO),
        DEEP_PAPER,
    ),
    "16-bit grey PNG with a grey profile": Case(
        saved(
            Image.fromarray(np.array([[0, 16448, 65535]], np.uint16)),
            "PNG",
            icc_profile=linear_grey(),
        ),
        srgb_encoded(greys(0, 64, 255) / 255),
        greys(0, 255, 255),
        1,
    ),
    "16-bit grey TIFF": Case(deep_tiff([[v] for v in DEEP]), DEEP_PHOTO, DEEP_PAPER),
    # of 16-bit colour Pillow keeps the high byte: within one level of v / 257
    "16-bit RGB PNG": Case(deep_png(DEEP_RGB, 2), HIGH_BYTES, HIGH_BYTES),
    "16-bit RGB TIFF": Case(deep_tiff(DEEP_RGB), HIGH_BYTES, HIGH_BYTES),
    "16-bit grey and alpha PNG": Case(
        deep_png([[0x8012, 0xFFFF], [0x4000, 0x8000], [0, 0]], 4),
        over_white(greys(128, 64, 0), [[255, 128, 0]]),
        greys(128, 64, 0),
        0.6,
    ),
    "16-bit RGBA PNG": Case(
        deep_png([[0x8012, 0xFFFF, 0, 0xFFFF], [0, 0x4000, 0xFF00, 0x8000]], 6),
        [[[128, 255, 0], [127, 159, 255]]],
        [[[128, 255, 0], [0, 64, 255]]],
    ),
    "32-bit integers within 16 bits": Case(
        deep_tiff([[0], [257], [65535]], 32, "<i4", 2), greys(0, 1, 255), greys(0, 255, 255)
    ),
    "floats in 0..1": Case(
        deep_tiff([[0], [0.25], [1]], 32, "<f4", 3), greys(0, 64, 255), greys(0, 0, 1)
    ),
    "premultiplied alpha TIFF": Case(
        tiff(3, 1, PREMULTIPLIED, [8] * 4, 2, {338: (3, [1])}),
        [[[191, 127, 159], [10, 20, 30], [255, 255, 255]]],
        [[[127, 0, 63], [10, 20, 30], [0, 0, 0]]],
        1,
    ),
    "CMYK TIFF": Case(
        saved(Image.new("CMYK", (8, 8), (30, 60, 90, 120)), "TIFF"),
        inks(30, 60, 90, 120),
        inks(30, 60, 90, 120),
        1,
    ),
    "CMYK JPEG, its values inverted as Adobe's": Case(
        cmyk_jpeg([225, 195, 165, 135], 0), inks(30, 60, 90, 120), inks(30, 60, 90, 120), 2
    ),
    "CMYK JPEG with profile": Case(  # K of 40 %, so a lightness of 60
        cmyk_jpeg([225, 195, 165, 153], 0, black_ink_alone()),
        np.broadcast_to(grey_of_lightness(60), (8, 8, 3)),
        inks(30, 60, 90, 102),
        2,
    ),
    "YCCK JPEG": ycck(),
    "LAB TIFF": Case(  # L* is stored as 255ths of 100; neutral
        saved(Image.new("LAB", (1, 1), (128, 128, 128)), "TIFF"),
        [[grey_of_lightness(100 * 128 / 255)]],
        [[grey_of_lightness(100 * 128 / 255)]],
        1,
    ),
    "PPM": Case(saved(image(COLOURS), "PPM"), COLOURS, COLOURS),
    "16-bit PGM": Case(b"P5 2 1 65535\n\x00\x80\x80\x00", greys(0, 128), greys(128, 255)),
    "float PFM": Case(
        b"Pf\n2 1\n-1.0\n" + struct.pack("<2f", 0.5, 1), greys(128, 255), greys(0, 1)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_both_protocols_by_hand(name: str) -> None:
    case = CASES[name]
    for settings, wanted in ((PHOTO, case.photo), (PAPER, case.paper)):
        pixels = pixels_of(case.data, settings)
        assert pixels.dtype == np.uint8
        assert pixels.shape == np.shape(wanted)
        assert np.abs(pixels - np.asarray(wanted, np.float64)).max() <= case.within


def test_premultiplied_grey_lies_over_white_under_photo() -> None:
    stored = Image.new("LA", (1, 1), (127, 128)).convert("La")  # 64 of 128
    assert np.abs(pixels_of(stored, PHOTO) - greys(64 + 127)).max() <= 1


def test_display_p3_differs_enough_to_be_seen_and_matches_published_values() -> None:
    assert np.abs(P3_ROW - COLOURS).max() > 15
    # Display P3's red is sRGB's 1.0931, -0.2267, -0.1501: out of range, so clipped
    np.testing.assert_allclose(p3_to_srgb([255, 0, 0]), [255, 0, 0], atol=0.01)
    np.testing.assert_allclose(p3_to_srgb([128, 128, 128]), [128] * 3, atol=0.1)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            deep_tiff([[0], [70000]], 32, "<i4", 2),
            r"holds values in 0..70000, beyond 0..65535 - sa",
        ),
        (deep_tiff([[-1], [5]], 32, "<i4", 2), r"holds values in -1..5, beyond 0..65535"),
        (deep_tiff([[0], [255.0]], 32, "<f4", 3), r"holds values in 0..255, beyond 0..1 - save it"),
    ],
)
def test_values_of_unknown_range_are_refused_under_photo(data: bytes, text: str) -> None:
    with pytest.raises(PictureError, match=f"it - {text}"):
        pixels_of(data, PHOTO)
    assert pixels_of(data, PAPER).shape == (1, 2, 3)


@pytest.mark.parametrize("settings", [PHOTO, PAPER])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_floats_that_are_not_finite_are_refused(value: float, settings: Settings) -> None:
    with pytest.raises(PictureError, match="it - holds NaN or infinite pixels - mend or drop"):
        pixels_of(deep_tiff([[0], [value]], 32, "<f4", 3), settings)


# Orientation: stored ABC over DEF, and how each value shows it

STORED = ["ABC", "DEF"]
UPRIGHT = {
    1: ["ABC", "DEF"],
    2: ["CBA", "FED"],
    3: ["FED", "CBA"],
    4: ["DEF", "ABC"],
    5: ["AD", "BE", "CF"],
    6: ["DA", "EB", "FC"],
    7: ["FC", "EB", "DA"],
    8: ["CF", "BE", "AD"],
}
SIDE = 16  # of a letter's square, so that JPEG and AVIF keep it
GREYS = {letter: 40 * place for place, letter in enumerate("ABCDEF")}


def squares(rows: list[str]) -> Image.Image:
    values = np.array([[GREYS[letter] for letter in row] for row in rows], np.uint8)
    return Image.fromarray(np.kron(values, np.ones((SIDE, SIDE), np.uint8))).convert("RGB")


def exif(orientation: Any) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def exif_entry(kind: int, count: int, value: bytes) -> bytes:
    """EXIF data of an orientation of a wrong type (2 is text, 3 short) or count."""
    entry = struct.pack("<HHI", 0x0112, kind, count) + value.ljust(4, b"\0")
    return b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)


def letters(pixels: NDArray[Any]) -> list[str]:
    middles = pixels[SIDE // 2 :: SIDE, SIDE // 2 :: SIDE, 0].astype(int)
    return ["".join("ABCDEF"[round(value / 40)] for value in row) for row in middles]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_orientation(kind: str, orientation: int) -> None:
    data = saved(squares(STORED), kind, exif=exif(orientation), quality=95)
    assert letters(pixels_of(data, PHOTO)) == UPRIGHT[orientation]
    # Pillow itself turns a TIFF upright, so the authors' code does
    wanted = UPRIGHT[orientation] if kind == "TIFF" else STORED
    assert letters(pixels_of(data, PAPER)) == wanted


def test_orientation_with_a_band_of_many_rows() -> None:
    rows = np.arange(600, dtype=np.uint8)[:, None] * np.ones((1, 8), np.uint8)
    data = saved(Image.fromarray(rows), "PNG", exif=exif(6))
    np.testing.assert_array_equal(pixels_of(data, PHOTO)[0, :, 0], rows[::-1, 0])


def test_orientation_in_xmp_and_after_the_pixels() -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6"/></x:xmpmeta>'
    assert letters(pixels_of(saved(squares(STORED), "WEBP", xmp=xmp), PHOTO)) == UPRIGHT[6]
    plain = saved(squares(STORED), "PNG")
    late = plain[:-12] + png_chunk(b"eXIf", exif(8).tobytes()[6:]) + plain[-12:]
    assert letters(pixels_of(late, PHOTO)) == UPRIGHT[8]


@pytest.mark.parametrize(
    "metadata",
    [
        exif(0),
        exif(9),
        exif(65535),
        exif_entry(2, 6, b"six\0"),
        exif_entry(3, 0, b""),
        b"Exif\0\0II*\0\xff",
        b"garbage",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_that_makes_no_sense_is_passed_over(kind: str, metadata: Any) -> None:
    data = saved(squares(STORED), kind, exif=metadata)
    assert letters(pixels_of(data, PHOTO)) == STORED


# Formats

PATTERN = np.kron(np.array(COLOURS, np.uint8), np.ones((16, 16, 1), np.uint8))
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}, "BMP": {}, "GIF": {}, "PPM": {}}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_formats_are_exact_and_the_protocols_agree(kind: str) -> None:
    data = saved(image(PATTERN), kind, **LOSSLESS[kind])
    np.testing.assert_array_equal(pixels_of(data, PHOTO), PATTERN)
    np.testing.assert_array_equal(pixels_of(data, PAPER), PATTERN)


def heic(pixels: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    options = {"quality": 100, "chroma": 444, **options}
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(file, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("JPEG", saved(image(PATTERN), "JPEG", quality=100, subsampling=0)),
        (
            "progressive",
            saved(image(PATTERN), "JPEG", quality=100, subsampling=0, progressive=True),
        ),
        ("AVIF", saved(image(PATTERN), "AVIF", quality=100, subsampling="4:4:4")),
        ("HEIC", heic(PATTERN)),
    ],
)
def test_lossy_formats_are_close_and_the_protocols_agree(name: str, data: bytes) -> None:
    pixels = pixels_of(data, PHOTO)
    tolerance = 2 if name in ("JPEG", "progressive") else 6
    assert np.abs(pixels.astype(int) - PATTERN).max() <= tolerance
    np.testing.assert_array_equal(pixels_of(data, PAPER), pixels)


@pytest.mark.parametrize("progressive", [False, True])
def test_twelve_megapixels(progressive: bool) -> None:
    quarters = np.array([[[200, 40, 40], [40, 200, 40]], [[40, 40, 200], [220, 220, 220]]])
    large = Image.fromarray(quarters.astype(np.uint8)).resize((4000, 3000), 0)
    data = saved(large, "JPEG", progressive=progressive)
    for settings, sides in ((PHOTO, (768, 1024)), (PAPER, (3000, 4000))):
        pixels = pixels_of(data, settings)
        height, width = pixels.shape[:2]
        assert (height, width) == sides
        middles = pixels[height // 4 :: height // 2, width // 4 :: width // 2].astype(int)
        assert np.abs(middles - quarters).max() <= 3
    assert "downscaled" in read(Item("it", data), PHOTO).warnings


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF", "TIFF", "MPO"])
def test_the_first_frame_of_several_is_read(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "lime")]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    for settings in (PHOTO, PAPER):
        middle = pixels_of(data, settings)[8, 8].astype(int)
        assert np.abs(middle - [255, 0, 0]).max() <= 3


@pytest.mark.parametrize(("kind", "wrong"), [("PNG", "a.jpg"), ("JPEG", "a.png"), ("GIF", "a")])
def test_a_format_is_recognised_by_content(kind: str, wrong: str, tmp_path: Path) -> None:
    (tmp_path / wrong).write_bytes(saved(image(PATTERN), kind))
    assert pixels_of(tmp_path / wrong, PHOTO).shape == PATTERN.shape


def test_heic_is_upright_under_both_protocols_and_recognised_by_content(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(heic(np.asarray(squares(STORED)), exif=exif(6).tobytes()))
    for settings in (PHOTO, PAPER):
        assert letters(pixels_of(tmp_path / "a.png", settings)) == UPRIGHT[6]


def test_heic_with_alpha_and_profile() -> None:
    flat = np.full((32, 32, 4), [200, 100, 50, 128], np.uint8)
    wanted = over_white(p3_to_srgb([200, 100, 50]), 128)
    pixels = pixels_of(heic(flat, icc_profile=display_p3()), PHOTO)
    assert np.abs(pixels - wanted).max() <= 4


def test_heic_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data = heic(PATTERN)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    text = r"it - a HEIC picture, which takes pillow-heif - pip install 'magiqa\[files\]'"
    with pytest.raises(PictureError, match=text):
        pixels_of(data, PHOTO)


def test_pillow_heif_is_loaded_for_heic_alone_and_registered_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(heic(PATTERN))
    (tmp_path / "a.avif").write_bytes(saved(image(PATTERN), "AVIF"))
    script = """
import sys
from PIL import Image
from magiqa import Item, Settings
from magiqa.pictures.decode import read
read(Item("it", sys.argv[1]), Settings())
assert "pillow_heif" not in sys.modules
read(Item("it", sys.argv[2]), Settings())
assert "pillow_heif" in sys.modules
assert "HEIF" not in Image.OPEN
"""
    names = [str(tmp_path / "a.avif"), str(tmp_path / "a.heic")]
    subprocess.run([sys.executable, "-c", script, *names], check=True, timeout=60)
