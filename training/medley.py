"""A medley: pictures of every sort and what NIQE says of each; no severity, no opinion.

What a ladder cannot teach is how natural a picture is that nobody knows the history of. NIQE
(Mittal et al. 2012) says it of anything, so anything can be asked: photographs, artwork, drawings,
texture; enlarged or reduced, spoiled or blended. Drawn once a run and kept in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

import pristine
from distortions import distort, mixture
from distortions.pixels import Bytes
from magiqa.atomic import replacing
from magiqa.errors import PictureError
from magiqa.evaluate.rivals.niqe import Niqe

SHORT, LONG = 288, 384  # sides of a picture: twelve of NIQE's blocks
UPRIGHT = 0.35  # share of pictures that are higher than wide
TEXTURE, DRAWING, GARBAGE, ARTWORK = 0.03, 0.04, 0.02, 0.14  # shares; the rest are photographs
REDUCED, ENLARGED = (1.0, 1.9), (0.3, 1.0)  # source pixels a pixel, at most: many are small
BLENDED = 0.12  # share of pictures that are two
THUMBNAILS = 0.2  # share of views that show the whole picture
BEST, WORST = 2.2, 22.0  # NIQE of the best and of what is no better than garbage
FILTERS = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)


class Source(NamedTuple):
    """Pictures that a medley is made of."""

    photographs: Sequence[Bytes]
    artworks: Sequence[Bytes]


class Medley(NamedTuple):
    """Pictures in a file, upright ones lying on their side, and how natural each is."""

    file: Path
    """(N, SHORT, LONG, 3) uint8, as numpy saves it; read where needed, for it is large."""
    upright: NDArray[np.bool_]
    natural: NDArray[np.float32]
    """(N,), 0..1, of `natural`."""

    def picture(self, number: int) -> Bytes:
        """One picture as it stands."""
        pixels: Bytes = np.load(self.file, mmap_mode="r")[number]
        return pixels.transpose(1, 0, 2) if self.upright[number] else pixels

    def view(self, number: int, side: int, rng: np.random.Generator) -> Bytes:
        """A window of a picture, or its thumbnail, mirrored at random: (side, side, 3)."""
        picture = self.picture(number)
        if rng.random() < THUMBNAILS:
            found = pristine.thumbnail(picture, side)
        else:
            top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
            found = picture[top : top + side, left : left + side]
        return np.ascontiguousarray(found[:, ::-1] if rng.random() < 0.5 else found)


def natural(niqe: NDArray[np.float64]) -> NDArray[np.float32]:
    """NIQE, lower is better, as a target: 1 to 0, even in its logarithm."""
    share = np.log(np.maximum(niqe, 1e-3) / BEST) / np.log(WORST / BEST)
    found: NDArray[np.float32] = np.clip(1 - share, 0, 1).astype(np.float32)
    return found


def drawn(folder: Path, source: Source, seed: int, count: int, workers: int = 0) -> Medley:
    """The medley of a folder or, where there is none, so many pictures drawn into it.

    SystemExit: the folder holds another seed's, or another number of pictures.
    """
    pixels, notes = folder / "pixels.npy", folder / "niqe.npz"
    if not (pixels.exists() and notes.exists()):
        folder.mkdir(exist_ok=True)
        kept = np.lib.format.open_memmap(pixels, "w+", np.uint8, (count, SHORT, LONG, 3))
        loader: DataLoader[tuple[Tensor, float]] = DataLoader(
            _Pictures(source, seed, Niqe()),  # type: ignore[arg-type]
            sampler=range(count),
            batch_size=None,
            num_workers=workers,
        )
        niqe, upright = [], []
        for number, (picture, value) in enumerate(loader):
            upright.append(picture.shape[0] > picture.shape[1])
            kept[number] = picture.transpose(0, 1) if upright[-1] else picture
            niqe.append(value)
        kept.flush()
        with replacing(notes) as part, part.open("wb") as file:
            np.savez(file, niqe=niqe, upright=upright, seed=seed)
    with np.load(notes) as known:
        if (int(known["seed"]), len(known["niqe"])) != (seed, count):
            raise SystemExit(
                f"{folder} - {len(known['niqe'])} pictures of seed {known['seed']}, asked for "
                f"{count} of seed {seed} - give another --out, or delete it"
            )
        return Medley(pixels, known["upright"], natural(known["niqe"]))


def picture(source: Source, rng: np.random.Generator) -> Bytes:
    """A picture of any sort, SHORT by LONG or LONG by SHORT."""
    width, height = (SHORT, LONG) if rng.random() < UPRIGHT else (LONG, SHORT)
    found = texture(width, height, rng) if rng.random() < TEXTURE else None
    found = _spoiled(_base(source, width, height, rng) if found is None else found, rng)
    if rng.random() < BLENDED:
        found = blend(found, _spoiled(_base(source, width, height, rng), rng), rng)
        found = _spoiled(found, rng) if rng.random() < 0.5 else found
    return np.array(found)  # one that may be written to, as torch asks


def texture(width: int, height: int, rng: np.random.Generator) -> Bytes:
    """Noise whose spectrum falls with some power of frequency, 0 (white) to 2.2 (clouds)."""
    spectrum = np.fft.rfft2(rng.normal(size=(height, width, 3)), axes=(0, 1))
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    radius[0, 0] = 1
    falling = radius ** -rng.uniform(0, 2.2)
    values = np.fft.irfft2(spectrum * falling[..., None], s=(height, width), axes=(0, 1))
    values = (values - values.mean()) / values.std()
    values = values[..., :1] if rng.random() < 0.4 else values
    shown = np.broadcast_to(128 + rng.uniform(10, 70) * values, (height, width, 3))
    found: Bytes = np.clip(shown, 0, 255).astype(np.uint8)
    return found


def blend(first: Bytes, second: Bytes, rng: np.random.Generator) -> Bytes:
    """Two pictures of one size over one another, evenly or by soft or hard patches."""
    height, width = first.shape[:2]
    share = np.full((1, 1, 1), rng.uniform(0.1, 0.9))
    if rng.random() < 0.5:
        cells = int(rng.integers(2, 9))
        coarse = Image.fromarray((255 * rng.random((cells, cells))).astype(np.uint8))
        fine = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) / 255
        share = np.clip((fine - 0.5) * rng.uniform(1, 30) + 0.5, 0, 1)[..., None]
    found: Bytes = np.clip(first * share + second * (1 - share), 0, 255).astype(np.uint8)
    return found


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures by number, each with its NIQE: a data set for torch's loader."""

    source: Source
    seed: int
    niqe: Niqe

    def __getitem__(self, number: int) -> tuple[Bytes, float]:
        found = picture(self.source, np.random.default_rng((self.seed, number, 1)))
        try:
            return found, self.niqe(found)
        except PictureError:  # hardly a block in which anything varies
            return found, np.inf


def _base(source: Source, width: int, height: int, rng: np.random.Generator) -> Bytes:
    sort = rng.random()
    if sort < DRAWING:
        return pristine.drawing(width, height, rng)
    if sort < DRAWING + GARBAGE:
        return pristine.garbage(width, height, rng)
    artwork = source.artworks and sort < DRAWING + GARBAGE + ARTWORK
    pictures = source.artworks if artwork else source.photographs
    scales = REDUCED if rng.random() < 0.6 else ENLARGED
    how = FILTERS[rng.integers(len(FILTERS))]
    return pristine.crop(
        pictures[int(rng.integers(len(pictures)))], width, height, rng, scales, how
    )


def _spoiled(found: Bytes, rng: np.random.Generator) -> Bytes:
    """None to three kinds, all as likely, faint ones more often."""
    for kind in mixture(rng, int(rng.choice(4, p=[0.2, 0.4, 0.25, 0.15])), alike=True):
        found = distort(found, kind, float(rng.random() ** 1.3), int(rng.integers(2**31)))
    return found
