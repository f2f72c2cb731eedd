"""Pristine pictures: which are trained on, crops of them, drawings, and what is no picture."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from distortions.pixels import Bytes, from_ycc, to_bytes, to_unit, to_ycc

HELD_OUT = "kodak"  # a folder of this name is for validation alone
ARTWORK = "artwork"  # a folder of this name holds renderings and illustrations
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"}
TRIES = 4  # crops looked at for one with something in it
DETAIL = 4.0  # of a crop with something in it nearly everywhere


def files(folder: Path) -> list[Path]:
    """Picture files under a folder, in order."""
    # os.walk, for rglob passes linked folders by, and data sets are often linked
    found = (Path(at, name) for at, _, names in os.walk(folder, followlinks=True) for name in names)
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def pictures(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Files under a folder in order: photographs and artworks to train on, those held out.

    Artworks lie in a folder `artwork`, what is held out in `kodak`.
    """
    found = files(folder)
    held, artworks = (
        [path for path in found if name in path.relative_to(folder).parts]
        for name in (HELD_OUT, ARTWORK)
    )
    train = [path for path in found if path not in held and path not in artworks]
    if not train or not held:
        raise SystemExit(
            f"{folder} - {len(train)} pictures to train on and {len(held)} held out - give a "
            f"folder that has pictures and a folder '{HELD_OUT}' with others"
        )
    return train, artworks, held


def read(path: Path) -> Bytes:
    """A picture as RGB bytes (H, W, 3)."""
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def load(files: list[Path]) -> tuple[Bytes, ...]:
    """Pictures in memory."""
    return tuple(map(read, files))


def crop(
    picture: Bytes,
    width: int,
    height: int,
    rng: np.random.Generator,
    scales: tuple[float, float] = (1.0, 2.0),
    how: Image.Resampling = Image.Resampling.LANCZOS,
) -> Bytes:
    """A crop of so many source pixels a pixel, at most, mirrored and toned at random.

    Scaling down hides what the picture's own camera and codec did; a small picture is enlarged.
    """
    source = Image.fromarray(picture)
    room = min(picture.shape[1] / width, picture.shape[0] / height)
    best, most = None, -1.0
    scale = min(room, float(np.exp(rng.uniform(*np.log(scales)))))
    for _ in range(TRIES):
        across, down = width * scale, height * scale
        left = rng.uniform(0, max(0.0, picture.shape[1] - across))
        top = rng.uniform(0, max(0.0, picture.shape[0] - down))
        box = (left, top, min(left + across, picture.shape[1]), min(top + down, picture.shape[0]))
        found = np.asarray(source.resize((width, height), how, box=box))
        here = detail(found)
        if here > most:
            best, most = found, here
        if most > DETAIL:
            break
    assert best is not None
    return _toned(best[:, ::-1] if rng.random() < 0.5 else best, rng)


def detail(picture: Bytes) -> float:
    """How much there is to see: of 16 cells' mean steps between neighbours, the lower quartile.

    In levels of green, 0..255. Plain sky, and what is out of focus, have little.
    """
    steps = np.abs(np.diff(picture[..., 1].astype(np.float32), axis=1))
    cells = [cell.mean() for row in np.array_split(steps, 4) for cell in np.array_split(row, 4, 1)]
    return float(np.percentile(cells, 25))


def drawing(width: int, height: int, rng: np.random.Generator) -> Bytes:
    """Leaves of plain colours over one another, drawn at twice the size: a clean illustration."""
    canvas = Image.new("RGB", (2 * width, 2 * height), tuple(rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(canvas)
    for _ in range(int(rng.integers(30, 120))):
        side = 2 * width * rng.uniform(0.02, 0.5) ** 1.5
        x, y = rng.uniform(0, 2 * width), rng.uniform(0, 2 * height)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            pen.ellipse((x - side, y - side, x + side, y + side * rng.uniform(0.2, 1.5)), colour)
        else:
            corners = np.array((x, y)) + rng.uniform(-side, side, (int(rng.integers(3, 6)), 2))
            pen.polygon([tuple(corner) for corner in corners], colour)
    small = np.asarray(canvas.resize((width, height), Image.Resampling.LANCZOS))
    shade = np.linspace(rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.2), width)[None, :, None]
    return to_bytes(to_unit(small) * shade)


def garbage(width: int, height: int, rng: np.random.Generator) -> Bytes:
    """No picture: noise of some grain, one colour, or a plain gradient."""
    kind = rng.integers(4)
    shape = (height, width, 3)
    if kind == 0:
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if kind == 1:
        level, spread = rng.uniform(0, 255), rng.uniform(20, 90)
        return np.clip(rng.normal(level, spread, shape), 0, 255).astype(np.uint8)
    colour = rng.integers(0, 256, 3) if rng.random() < 0.6 else np.zeros(3)
    if kind == 2:
        return np.broadcast_to(colour, shape).astype(np.uint8)
    ramp = np.linspace(0, 1, width)[None, :, None] * rng.uniform(-60, 60, 3)
    return np.clip(np.broadcast_to(colour + ramp, shape), 0, 255).astype(np.uint8)


def thumbnail(picture: Bytes, side: int) -> Bytes:
    """The whole picture at side x side as magiqa's thumbnail view: bilinear, no antialiasing."""
    values = picture.astype(np.float32)
    for axis in (0, 1):
        length = values.shape[axis]
        centres = np.maximum((np.arange(side) + 0.5) * (length / side) - 0.5, 0)
        near = centres.astype(int)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        share = (centres - near).astype(np.float32).reshape(shape)
        far = np.minimum(near + 1, length - 1)
        values = values.take(near, axis) * (1 - share) + values.take(far, axis) * share
    return to_bytes(values / 255)


def _toned(picture: Bytes, rng: np.random.Generator) -> Bytes:
    """Other light, other taste: none of it makes a picture worse."""
    if rng.random() < 0.3:
        return np.ascontiguousarray(picture)
    ycc = to_ycc(to_unit(picture) ** np.float32(np.exp(rng.uniform(-0.3, 0.3))))
    colour = 0.0 if rng.random() < 0.05 else rng.uniform(0.7, 1.6)
    mean = ycc[..., 0].mean()
    ycc[..., 0] = mean + (ycc[..., 0] - mean) * rng.uniform(0.85, 1.25)
    ycc[..., 1:] *= np.float32(colour)
    return to_bytes(from_ycc(ycc) * np.float32(1 + rng.uniform(-0.08, 0.08, 3)))
