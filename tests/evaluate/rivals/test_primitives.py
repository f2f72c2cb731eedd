from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from magiqa.errors import PictureError
from magiqa.evaluate.rivals import primitives


def walk(*shape: int) -> np.ndarray:
    """Values that go up and down, on both sides of 0."""
    return np.random.default_rng(3).normal(size=shape)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((255, 0, 0), 76),  # 76.2287, as rgb2gray documents
        ((0, 255, 0), 150),  # 149.6960
        ((0, 0, 255), 29),  # 29.0753
        ((255, 255, 255), 255),
        ((0, 5, 5), 4),  # 3.5053: rounded, where a cast would give 3
    ],
)
def test_grey_by_hand(rgb: tuple[int, int, int], expected: int) -> None:
    assert primitives.grey(np.array([[rgb]], np.uint8)).tolist() == [[expected]]


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8, \(4, 4\)"),
        (np.zeros((4, 4, 3)), r"float64, \(4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"uint8, \(0, 4, 3\)"),
    ],
)
def test_what_is_no_picture(array: np.ndarray, got: str) -> None:
    with pytest.raises(PictureError, match=rf"picture - got an array of {got} - give uint8"):
        primitives.checked(array)


def test_gaussian_by_hand() -> None:
    side = math.exp(-0.5)
    expected = np.array([side, 1, side]) / (1 + 2 * side)
    assert primitives.gaussian(3, 1.0) == pytest.approx(expected, abs=1e-15)


def test_an_even_window_lies_where_matlab_lays_it() -> None:
    # a pixel sees 2 before it and 3 behind: an impulse is seen from 3 before it to 2 behind
    image = np.zeros((11, 11))
    image[5, 5] = 1
    found = primitives.smoothed(image, np.arange(1.0, 7))
    assert found[:, 5].tolist() == [0, 0, *(3.0 * each for each in (6, 5, 4, 3, 2, 1)), 0, 0, 0]


def test_edges_are_repeated() -> None:
    window = primitives.gaussian(7, 7 / 6)
    image = walk(9, 12)
    padded = np.pad(image, 3, mode="edge")
    expected = signal.correlate2d(padded, np.outer(window, window), "valid")
    assert primitives.smoothed(image, window) == pytest.approx(expected, abs=1e-14)


def test_beyond_the_edges_are_zeros_for_a_derivative() -> None:
    image, weights = walk(5, 6), np.array([-1.0, 0.5, 1.0])
    expected = signal.correlate2d(image, weights[None, :], "same")
    assert primitives.correlated(image, weights, 1) == pytest.approx(expected, abs=1e-14)


def test_mscn_by_hand() -> None:
    # in one row the window (1, 2, 1) / 4 sees 0 0 8: mean 2, mean square 16, deviation sqrt(12)
    window = np.array([0.25, 0.5, 0.25])
    image = np.array([[0.0, 0.0, 8.0, 8.0]])
    normalised, sigma = primitives.mscn(image, window)
    assert sigma[0] == pytest.approx([0, math.sqrt(12), math.sqrt(12), 0], abs=1e-12)
    step = 2 / (math.sqrt(12) + 1)
    assert normalised[0] == pytest.approx([0, -step, step, 0], abs=1e-12)


def test_what_is_flat_is_exactly_zero() -> None:
    normalised, _ = primitives.mscn(np.full((20, 20), 77.7), primitives.gaussian(7, 7 / 6))
    assert not normalised.any()


def test_halving_by_hand() -> None:
    # an impulse: half the cubic (a = -0.5) of half of 3.5, 1.5, 0.5 and 2.5 pixels
    image = np.zeros((1, 20))
    image[0, 10] = 1
    found = primitives.resized(image, 1, 10)[0]
    expected = [0, 0, 0, -0.01171875, 0.11328125, 0.43359375, -0.03515625, 0, 0, 0]
    assert found == pytest.approx(expected, abs=1e-15)


def test_borders_are_mirrored() -> None:
    image = walk(6, 8)
    padded = np.pad(image, ((6, 6), (8, 8)), mode="symmetric")
    inner = primitives.resized(padded, 9, 12)[3:6, 4:8]
    assert primitives.resized(image, 3, 4) == pytest.approx(inner, abs=1e-14)


@pytest.mark.parametrize("size", [(7, 5), (40, 61), (13, 90)])
def test_resizing_keeps_a_constant_and_colours_apart(size: tuple[int, int]) -> None:
    picture = np.broadcast_to(np.array([10, 20, 250], np.uint8), (17, 23, 3))
    found = primitives.resized(picture, *size)
    assert found.shape == (*size, 3)
    assert found == pytest.approx(np.broadcast_to([10.0, 20.0, 250.0], found.shape), abs=1e-11)


def test_blocks_go_row_by_row() -> None:
    cells = primitives.blocks(np.arange(5 * 7.0).reshape(5, 7), 2)
    assert cells.shape == (6, 2, 2)
    assert cells[1].tolist() == [[2, 3], [9, 10]]
    assert cells[3].tolist() == [[14, 15], [21, 22]]


def test_aggd_by_hand() -> None:
    # E|x|^2 / E x^2 is 1 / 2 for both, a Laplacian's: scale = deviation * sqrt(G(1) / G(3))
    fit = primitives.aggd(np.array([[-2.0, 2, 0, 0], [-6, 6, 0, 0]]))
    assert fit.alpha.tolist() == [1, 1]
    assert fit.left == pytest.approx([math.sqrt(2), 3 * math.sqrt(2)], abs=1e-12)
    assert fit.right == pytest.approx(fit.left, abs=1e-12)
    assert fit.mean.tolist() == [0, 0]


def test_aggd_finds_what_was_drawn() -> None:
    # half-normal on either side, the right one twice as wide and drawn twice as often
    drawn = np.abs(np.random.default_rng(0).normal(size=600_000))
    drawn[:200_000] *= -1
    drawn[200_000:] *= 2
    fit = primitives.aggd(drawn[None])
    assert fit.alpha[0] == pytest.approx(2, abs=0.02)
    # exp(-(x / scale)^2): scale = sqrt(2) deviations
    assert fit.left[0] == pytest.approx(math.sqrt(2), rel=0.01)
    assert fit.right[0] == pytest.approx(2 * math.sqrt(2), rel=0.01)
    assert fit.mean[0] == pytest.approx(drawn.mean(), rel=0.02)


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_aggd_scales_and_mirrors(factor: float, seed: int) -> None:
    rows = np.random.default_rng(seed).laplace(size=(2, 500)) ** 3
    fit, larger, mirrored = (primitives.aggd(each) for each in (rows, factor * rows, -rows))
    assert larger.alpha == pytest.approx(fit.alpha, abs=0.0011)  # a step of the grid
    assert larger.left == pytest.approx(factor * fit.left, rel=0.01)
    assert mirrored.left == pytest.approx(fit.right, rel=0.01)
    assert mirrored.mean == pytest.approx(-fit.mean, rel=0.02)


@pytest.mark.parametrize("row", [[0.0, 0, 0], [0, 1, 2], [-1, 0, -2]])
def test_aggd_of_one_side_is_nan(row: list[float]) -> None:
    fit = primitives.aggd(np.array([row]))
    assert fit.alpha[0] == 0.2
    assert math.isnan(fit.scale[0])


def test_neighbours_are_sought_within_the_block() -> None:
    # stripes: products are -4 and -1 along a row, 2 along a column, -2 on both diagonals; at 0.2,
    # the shape of what has one sign, scale over deviation is sqrt(G(5) / G(15))
    stripes = np.tile([1.0, -1.0], (4, 2)) * np.array([[2.0], [1], [2], [1]])
    found = primitives.mscn_features(stripes[None])[0].reshape(9, 2)
    along_rows, along_columns, *diagonals = found[1:].reshape(4, 4)
    spread = math.sqrt(math.gamma(5) / math.gamma(15))
    wanted = [0.2, math.nan, spread * math.sqrt((16 + 1) / 2), math.nan]
    assert along_rows == pytest.approx(wanted, nan_ok=True)
    assert along_columns == pytest.approx([0.2, math.nan, math.nan, spread * 2], nan_ok=True)
    for diagonal in diagonals:
        assert diagonal == pytest.approx([0.2, math.nan, spread * 2, math.nan], nan_ok=True)


def test_inverse_leaves_out_what_is_rounding() -> None:
    matrix = np.diag([4.0, 2.0, 1e-16])
    assert primitives.inverse(matrix) == pytest.approx(np.diag([0.25, 0.5, 0]), abs=1e-12)


def test_without_scipy() -> None:
    code = "import sys; sys.modules['scipy'] = None; import magiqa.evaluate.rivals.piqe"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MissingExtra: rival metrics need scipy - pip install 'magiqa[evaluate]'" in done.stderr
