from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import recipe
from magiqa.errors import PictureError
from magiqa.evaluate.rivals import piqe as module
from magiqa.evaluate.rivals.piqe import piqe
from magiqa.evaluate.rivals.primitives import gaussian, grey, mscn


def checkers(still: slice | None = None) -> np.ndarray:
    """A block of -1 and 1 in turn, one column of rows 0 to 15 flat where asked."""
    cell = np.where(np.indices((16, 16)).sum(axis=0) % 2, 1.0, -1.0)
    if still:
        cell[still, 15] = 0
    return cell


@pytest.mark.parametrize(("length", "blocky"), [(0, False), (5, False), (6, True), (16, True)])
def test_six_still_pixels_of_an_edge_are_an_artefact(length: int, blocky: bool) -> None:
    for turn in range(4):
        cell = np.rot90(checkers(slice(1, 1 + length)), turn)
        assert module._blocky(cell[None]).tolist() == [blocky]


def test_noise_by_hand() -> None:
    # middle and rest alike: their ratio is 1, and so, nearly, is the deviation s
    alike = checkers()
    # s = 10: beta = |10 - 1| / 10, and 10 > 1.8; s = 1: beta = 0; s = 0.5: 0.5 < 2 * 0.5
    for factor, noisy in ((10.0, True), (1.0, True), (0.5, False)):
        cells = factor * alike[None]
        variance = np.array([factor**2])
        assert module._noisy(cells, variance).tolist() == [noisy]


def test_a_block_with_nothing_beside_its_middle() -> None:
    cell = np.zeros((1, 16, 16))
    cell[0, ::2, 7] = 9  # MATLAB's rest leaves out columns 8 and 10, and this is the 8th
    assert module._noisy(cell, cell.var(axis=(1, 2), ddof=1)).tolist() == [False]


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (5, 7), (16, 16), (100, 33)])
@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_flat_picture_scores_100(size: tuple[int, int], level: int) -> None:
    assert piqe(np.full((*size, 3), level, np.uint8)) == 100


def test_a_busy_block_by_hand() -> None:
    # one block, impaired or not by its edges: 100 (D + 1) / (1 + 1)
    picture = recipe.picture(16, 16, seed=0)
    image = grey(picture)
    image = np.floor(image * 255 / image.max() + 0.5)
    cell = mscn(image, gaussian(7, 7 / 6))[0]
    variance = cell.var(ddof=1)
    assert variance > module.BUSY
    lost = (1 - variance) * module._blocky(cell[None])[0]
    lost += variance * module._noisy(cell[None], np.array([variance]))[0]
    assert piqe(picture) == pytest.approx(50 * (lost + 1), abs=1e-12)


@pytest.mark.parametrize(
    ("height", "width", "seed", "expected"),
    [(512, 512, 0, 23.745769498), (300, 260, 11, 24.002186435)],
)
def test_golden(height: int, width: int, seed: int, expected: float) -> None:
    assert piqe(recipe.picture(height, width, seed)) == pytest.approx(expected, abs=1e-6)


def test_brightness_does_not_matter() -> None:
    dark = np.repeat(recipe.picture(60, 70, seed=1)[..., :1] // 2, 3, axis=2)
    assert piqe(2 * dark) == piqe(dark)


def test_the_rest_is_mirrored() -> None:
    picture = recipe.picture(50, 37, seed=2)
    padded = np.pad(picture, ((0, 14), (0, 11), (0, 0)), mode="symmetric")
    assert piqe(padded) == pytest.approx(piqe(picture), abs=1e-9)


@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
@settings(deadline=None)
def test_every_picture_has_a_score(picture: np.ndarray) -> None:
    assert math.isfinite(piqe(picture))


def test_what_is_no_picture() -> None:
    with pytest.raises(PictureError, match="give uint8, \\(H, W, 3\\)"):
        piqe(np.zeros((20, 20), np.uint8))
