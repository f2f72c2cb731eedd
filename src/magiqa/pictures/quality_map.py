"""Window scores drawn over the picture, and the same as an array."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from magiqa.atomic import replacing
from magiqa.errors import OutputError, PictureError, SettingsError, nearest
from magiqa.pictures.views import SIDE
from magiqa.records import Box, Score

Cue: TypeAlias = Literal["score", "similarity", "magnitude"]
Field: TypeAlias = NDArray[np.float32]
Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

LOWEST = (0.30, -0.01, -0.18)  # dark blue in OKLab: lightness, green to red, blue to yellow
HIGHEST = (0.92, -0.07, 0.15)  # yellow
MINIMAL_SPAN = 0.1
"""What the colours span at least, so that a tiny spread does not look like a large one."""
RELIEF = 0.6  # share of the picture's detail that is laid over the colours
SOFT = 32  # pixels: what changes more slowly is no detail
BAND = 256  # rows coloured at once


def quality_map(score: Score, cue: Cue = "score") -> Field:
    """How the score, or a cue, varies over the picture: (height, width) of it as scored.

    A pixel has the mean over the windows that hold it, weighted towards their centres
    (`window_map`), and NaN in the right and bottom remainder that no window covers. Higher is
    better. Raises PictureError for a picture of less than two windows, SettingsError for an unknown
    cue.

    >>> from magiqa import Scorer, Settings
    >>> score = Scorer(weights=checkpoint, settings=Settings(coverage="full"))("photo.jpg")
    >>> quality_map(score).shape
    (260, 300)
    """
    values = window_values(score, cue)
    *windows, whole = (view.box for view in score.views)
    return window_map(windows, values, whole[2], whole[3])


def window_values(score: Score, cue: Cue) -> list[float]:
    """What each window contributes, in the order of the views. Raises as `quality_map`."""
    if cue not in get_args(Cue):
        raise SettingsError(f"cue - got {cue!r} - {nearest(str(cue), get_args(Cue))}")
    if not score.views:
        raise PictureError(f"{score.source} - was scored without views - score the picture itself")
    *windows, whole = score.views
    if len(windows) < 2:
        width, height = whole.box[2:]
        if windows:
            reason = 'has one window - give a larger picture, or coverage "full"'
        elif min(width, height) < SIDE:
            reason = f"has a side under {SIDE} pixels, no window fits - give a larger picture"
        else:
            reason = 'was scored as a whole - cut windows: coverage "paper" or "full"'
        raise PictureError(f"{score.source} - nothing to map: {width}x{height} {reason}")
    return [getattr(view, cue) for view in windows]


def window_map(boxes: Sequence[Box], values: Sequence[float], width: int, height: int) -> Field:
    """Values of windows, averaged smoothly over a picture of width x height: (height, width).

    The pixel in column x and row y has sum_k w_k v_k / sum_k w_k over the windows k that hold it,
    NaN where none does. The weight of a window (left, top, right, bottom) there is t_x t_y, with

        t_x = max(0, 1 - |2 x + 1 - left - right| / (right - left))

    and t_y likewise from y, top, bottom: 1 at the centre, falling evenly towards the edges, never 0
    inside. So all values lie between the least and the greatest of `values`.

    The boxes, at least one, are those of `views.boxes` without the thumbnail: a grid, row by row.
    Hence the sums are products of a sum over columns and a sum over rows, and the map is Y V X',
    with V the values as a grid and X, Y each pixel's weights along a side, divided by their sum.
    """
    columns = sorted({(left, right) for left, _, right, _ in boxes})
    rows = sorted({(top, bottom) for _, top, _, bottom in boxes})
    grid = np.asarray(values, np.float32).reshape(len(rows), len(columns))
    field = _shares(rows, height) @ (grid @ _shares(columns, width).T)
    return np.clip(field, grid.min(), grid.max(), out=field)  # rounding may lead out of the range


def _shares(sides: Sequence[tuple[int, int]], length: int) -> Field:
    """Each window's share in each pixel along a side, (length, windows); NaN where none is."""
    starts, ends = np.array(sides).T
    offsets = np.abs(2 * np.arange(length)[:, None] + 1 - starts - ends)
    tents = np.maximum(1 - offsets / (ends - starts), 0)
    sums = tents.sum(axis=1, keepdims=True)
    shares: Field = (tents / np.where(sums > 0, sums, np.nan)).astype(np.float32)
    return shares


def span(values: Sequence[float]) -> tuple[float, float]:
    """What the lowest and the highest colour stand for: the range of the values.

    One under MINIMAL_SPAN is widened to it on both sides alike.
    """
    low, high = min(values), max(values)
    missing = max(0.0, MINIMAL_SPAN - (high - low))
    return low - missing / 2, high + missing / 2


def ramp() -> NDArray[np.uint8]:
    """The colours of the map, low to high: (256, 3), sRGB.

    A straight line in OKLab from dark blue to yellow, all of it within sRGB: lightness rises
    evenly and steps look equal, nearly so without red or green cones. The matrices define OKLab
    (Ottosson, "A perceptual color space for image processing", 2020).
    """
    share = np.linspace(0, 1, 256)[:, None]
    lab = np.array(LOWEST) * (1 - share) + np.array(HIGHEST) * share
    cones = lab @ [
        [1, 1, 1],
        [0.3963377774, -0.1055613458, -0.0894841775],
        [0.2158037573, -0.0638541728, -1.2914855480],
    ]
    linear = cones**3 @ [
        [4.0767416621, -1.2684380046, -0.0041960863],
        [-3.3077115913, 2.6097574011, -0.7034186147],
        [0.2309699292, -0.3413193965, 1.7076147010],
    ]
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)


def draw(score: Score, pixels: Pixels, cue: Cue = "score") -> Image.Image:
    """The map over the picture as scored, (H, W, 3), with a legend. Raises as `quality_map`."""
    values, field = window_values(score, cue), quality_map(score, cue)
    caption = f"{cue} {getattr(score, cue):.4f}\nwindows {min(values):.4f} to {max(values):.4f}"
    if np.isnan(field[-1, -1]):
        caption += "\ngrey: in no window"
    return render(pixels, field, *span(values), caption)


def render(pixels: Pixels, field: Field, low: float, high: float, caption: str) -> Image.Image:
    """A map (H, W) over its picture (H, W, 3), 0..255, with a legend below.

    Colours stand for low..high (low < high). The picture's detail is laid over them in grey, its
    light and shade left out, so that they mean the same in dark and in bright places. Where the map
    is NaN the picture is plain grey.
    """
    height, width = field.shape
    legend = _legend(width, low, high, caption)
    drawn = Image.new("RGB", (legend.width, height + legend.height), "white")
    grey = Image.fromarray(pixels.astype(np.uint8, copy=False)).convert("L")
    soft = grey.filter(ImageFilter.GaussianBlur(SOFT))
    colours = ramp()
    for top in range(0, height, BAND):
        rows = slice(top, top + BAND)
        covered = np.isfinite(field[rows])
        share = np.where(covered, (field[rows] - low) / (high - low), 0).clip(0, 1)
        light = np.asarray(grey)[rows].astype(np.float32)
        relief = RELIEF * (light - np.asarray(soft)[rows])
        tinted = colours[np.round(share * 255).astype(np.uint8)] + relief[..., None]
        band = np.where(covered[..., None], tinted, light[..., None]).clip(0, 255)
        drawn.paste(Image.fromarray(np.round(band).astype(np.uint8)), (0, top))
    drawn.paste(legend, (0, height))
    return drawn


def _legend(width: int, low: float, high: float, caption: str) -> Image.Image:
    """The caption, the colours and what they stand for; as wide as the picture, if that will do."""
    size = min(max(width // 40, 14), 40)
    font = ImageFont.load_default(size)
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    _, _, right, bottom = measure.multiline_textbbox((size, size), caption, font, spacing=size / 2)
    width, top = max(width, round(right) + size), round(bottom) + size // 2
    legend = Image.new("RGB", (width, top + 3 * size), "white")
    pen = ImageDraw.Draw(legend)
    pen.multiline_text((size, size), caption, "black", font, spacing=size / 2)
    bar = Image.fromarray(ramp()[None]).resize((width - 2 * size, size))
    legend.paste(bar, (size, top))
    for value, anchor in ((low, "la"), ((low + high) / 2, "ma"), (high, "ra")):
        at = size + (width - 2 * size) * (value - low) / (high - low)
        pen.text((at, top + size * 1.3), f"{value:.3f}", "black", font, anchor)
    return legend


def check(path: Path, picture: Path) -> None:
    """Refuse what a picture's map cannot be written to, before any work. Raises OutputError."""
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise OutputError(
            f"{path} - no picture format {path.suffix or 'without a suffix'!r} - name it .png, "
            f".jpg, .webp, .tiff or another that Pillow writes"
        )
    if path.is_dir():
        raise OutputError(f"{path} - this is a folder - name a file in it")
    if path.exists() and picture.exists() and path.samefile(picture):
        raise OutputError(f"{path} - this is the picture itself - name another file")
    if not path.parent.is_dir():
        raise OutputError(f"{path} - there is no folder {path.parent} - make it first")


def save(drawn: Image.Image, path: Path) -> None:
    """Write a map in the format of its suffix, whole or not at all. Raises OutputError."""
    try:
        with replacing(path) as part:
            drawn.save(part, Image.registered_extensions()[path.suffix.lower()])
    except (OSError, ValueError) as error:  # a full disk; a picture too large for the format
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{path} - cannot be written ({reason}) - name another file") from None
