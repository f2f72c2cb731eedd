from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

import recipe
from magiqa.errors import PictureError, SettingsError
from magiqa.evaluate.rivals import ilniqe_features as module
from magiqa.evaluate.rivals.ilniqe import IlNiqe, fit_ilniqe, sharp_features
from magiqa.evaluate.rivals.ilniqe_features import features
from magiqa.evaluate.rivals.models import Template, write


@pytest.fixture(scope="module")
def shipped() -> IlNiqe:
    return IlNiqe()


@pytest.fixture(scope="module")
def found() -> np.ndarray:
    return features(recipe.picture(300, 260, seed=11))[0]


@pytest.mark.parametrize(
    ("height", "width", "seed", "expected"),
    [(512, 512, 0, 39.65948476), (300, 260, 11, 36.81164262)],
)
def test_golden(shipped: IlNiqe, height: int, width: int, seed: int, expected: float) -> None:
    """By the shipped model, fitted on BSDS500."""
    assert shipped(recipe.picture(height, width, seed)) == pytest.approx(expected, rel=1e-5)


def test_gradients_are_conv2s() -> None:
    plane = np.random.default_rng(0).normal(size=(20, 30))
    x, y = np.meshgrid(np.arange(-5, 6), np.arange(-5, 6))  # ceil(3 * 1.66) = 5
    bell = np.exp(-(x**2 + y**2) / (2 * 1.66**2))
    expected = [signal.correlate2d(plane, filter_ * bell, "same") for filter_ in (x, y)]
    assert module._gradient(plane, 1.66) == pytest.approx(np.stack(expected), abs=1e-12)


@pytest.mark.parametrize(("turn", "nearest"), [((0, 1), 0), ((-1, 1), 1), ((1, 0), 2), ((1, 1), 3)])
def test_a_wave_is_answered_in_its_direction(turn: tuple[int, int], nearest: int) -> None:
    # one of Euclid's length 8 pixels, along x, along a diagonal, along y, along the other
    rows, columns = np.indices((64, 64))
    wave = np.cos(2 * np.pi * (turn[0] * rows + turn[1] * columns) * 8 / 64)
    answers = [np.abs(each).mean() for each in module._log_gabor(wave, 2.4)]
    assert len(answers) == 12
    for octave in range(3):
        assert np.argmax(answers[4 * octave :][:4]) == nearest


def test_a_log_gabor_answer_by_hand() -> None:
    # a wave of 4 pixels along x: half its amplitude, times the filter at frequency 1 / 4
    columns = np.indices((16, 16))[1]
    answers = list(module._log_gabor(np.cos(2 * np.pi * columns / 4), 2.0))
    apart = math.exp(-(math.log(2 / 4) ** 2) / (2 * math.log(0.55) ** 2))
    behind = math.exp(-(math.pi**2) / (2 * (math.pi / 4 / 1.1) ** 2))  # of the wave that goes back
    assert answers[0].real[0, 0] == pytest.approx(apart * (1 + behind) / 2, abs=1e-12)
    assert answers[0].imag[0, 1] == pytest.approx(apart * (1 - behind) / 2, abs=1e-12)


def test_colours_by_hand() -> None:
    rgb = np.exp(np.array([[[0.0, 2]], [[0, 4]], [[0, 0]]]))  # logs less their means: +-1, +-2, 0
    intensity, blue_yellow, red_green = module._log_colours(rgb)
    assert intensity[0] == pytest.approx([-3 / math.sqrt(3), 3 / math.sqrt(3)], abs=1e-4)
    assert blue_yellow[0] == pytest.approx([-3 / math.sqrt(6), 3 / math.sqrt(6)], abs=1e-4)
    assert red_green[0] == pytest.approx([1 / math.sqrt(2), -1 / math.sqrt(2)], abs=1e-4)


def test_features_and_their_places(found: np.ndarray) -> None:
    assert found.shape == (36, 468)
    assert np.isfinite(found).all()
    for scale in (found[:, :234], found[:, 234:]):
        assert (scale[:, 18:24] > 0).all()  # three Weibulls of gradients
        assert (scale[:, 25:30:2] > 0).all()  # variances of colours
        assert ((scale[:, 30:186:2] >= 0.2) & (scale[:, 30:186:2] <= 10)).all()  # 78 shapes
        assert (scale[:, 186:] > 0).all()  # 24 Weibulls


def test_distance_by_hand(tmp_path: Path, found: np.ndarray) -> None:
    # along two axes; the mean of both covariances is the identity
    components = np.zeros((468, 2))
    components[[0, 30], [0, 1]] = 1
    seen = found[:, [0, 30]] - 1
    model = Template(
        np.array([3.0, -4.0]), 2 * np.eye(2) - np.cov(seen.T), np.full(468, 1.0), components
    )
    write(tmp_path / "model.npz", model, {})
    score = IlNiqe(tmp_path / "model.npz")(recipe.picture(300, 260, seed=11))
    assert score == pytest.approx(np.linalg.norm(seen - [3, -4], axis=1).mean(), rel=1e-6)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_flat_picture(shipped: IlNiqe, level: int) -> None:
    with pytest.raises(PictureError, match="picture - 0 of its 36 blocks have texture, IL-NIQE"):
        shipped(np.full((1, 1, 3), level, np.uint8))


@pytest.mark.parametrize("size", [(8, 8), (2, 900), (1500, 2000)])
def test_small_and_large_pictures_have_a_score(shipped: IlNiqe, size: tuple[int, int]) -> None:
    assert math.isfinite(shipped(recipe.picture(*size, seed=3)))


@pytest.mark.parametrize("size", [(1, 2), (3, 2)])
def test_tiny_pictures_are_all_but_flat(shipped: IlNiqe, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(256, size=(*size, 3)).astype(np.uint8)
    with pytest.raises(PictureError, match="leave out pictures that are flat or tiny"):
        shipped(picture)


def test_a_picture_that_is_half_flat_or_grey(shipped: IlNiqe) -> None:
    picture = recipe.picture(300, 300, seed=3)
    picture[:150] = 255
    assert math.isfinite(shipped(picture))
    grey = np.repeat(picture[..., :1], 3, axis=2)
    assert math.isfinite(shipped(grey))
    picture[150:] //= 255  # 0 and 1
    assert math.isfinite(shipped(picture))


def test_a_fit_is_along_principal_components() -> None:
    rows = np.random.default_rng(0).normal(size=(600, 468)) * np.arange(1, 469)
    rows[3, 5] = np.nan
    rows[4, 6] = np.inf
    model = fit_ilniqe([rows[:100], rows[100:]])
    left = np.delete(rows, [3, 4], axis=0)
    assert model.origin == pytest.approx(left.mean(axis=0))
    variances = np.linalg.eigvalsh(np.cov(left.T))[::-1]
    assert np.diag(model.covariance) == pytest.approx(variances[:430], rel=1e-5)
    assert model.mean == pytest.approx(np.zeros(430), abs=1e-9)
    assert model.components.T @ model.components == pytest.approx(np.eye(430), abs=1e-6)


def test_a_fit_on_too_little() -> None:
    few = sharp_features(recipe.picture(300, 260, seed=11))
    assert 0 < len(few) < 36
    wanted = f"pictures - {len(few)} sharp blocks, IL-NIQE's model needs 469 - give more pictures"
    with pytest.raises(SettingsError, match=wanted):
        fit_ilniqe([few])
