from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage import data

from distortions import KINDS, SHARES, distort, mixture
from distortions.pixels import Bytes, Floats, convolve, from_ycc, to_ycc

LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
NEARLY = {"colour.palette": 60.0}  # 256 colours are not all


@pytest.fixture(scope="module")
def astronaut() -> Bytes:
    return np.ascontiguousarray(data.astronaut()[40:168, 160:320])  # type: ignore[no-untyped-call]


def error(first: Bytes, second: Bytes) -> float:
    return float(((first.astype(float) - second.astype(float)) ** 2).mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_ladder_starts_at_the_picture_and_leads_away_from_it(kind: str, astronaut: Bytes) -> None:
    before = astronaut.copy()
    rungs = [distort(astronaut, kind, level, seed=5) for level in LEVELS]

    assert all(rung.dtype == np.uint8 and rung.shape == astronaut.shape for rung in rungs)
    assert (astronaut == before).all()
    errors = [error(astronaut, rung) for rung in rungs]
    assert errors[0] < NEARLY.get(kind, 15.0)
    assert errors == sorted(errors)
    assert errors[-1] > 4 * errors[0] + 10


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_draws_one_pattern(kind: str, astronaut: Bytes) -> None:
    assert (distort(astronaut, kind, 0.6, 1) == distort(astronaut, kind, 0.6, 1)).all()


@pytest.mark.parametrize("kind", ["noise.white", "blur.motion", "structure.warp", "tone.haze"])
def test_another_seed_draws_another_pattern(kind: str, astronaut: Bytes) -> None:
    assert (distort(astronaut, kind, 0.6, 1) != distort(astronaut, kind, 0.6, 2)).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(33, 70, 3), (64, 41, 3)])
def test_any_size_is_kept(kind: str, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert distort(picture, kind, 0.9, 3).shape == shape


def test_every_kind_is_in_some_mixture() -> None:
    rng = np.random.default_rng(0)
    seen = {kind for _ in range(1500) for kind in mixture(rng, 2)}
    assert seen == set(KINDS)


def test_a_mixture_follows_the_way_of_a_picture() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        families = [KINDS[kind].family for kind in mixture(rng, 3)]
        assert families == sorted(families, key=list(SHARES).index)
        assert len(set(families)) == 3


def test_every_family_has_its_place_in_the_order() -> None:
    assert set(SHARES) == {kind.family for kind in KINDS.values()}
    assert all(0 < kind.weight <= 1 for kind in KINDS.values())


def test_noise_has_the_deviation_it_says() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)
    noisy = distort(grey, "noise.white", 0.25, 0).astype(float)  # 0.22 * 0.25 ** 1.5 * 255
    assert noisy.std() == pytest.approx(7.0, rel=0.03)


def test_darkening_by_hand() -> None:
    grey = np.full((40, 40, 3), 200, np.uint8)
    assert (distort(grey, "tone.darken", 1.0, 0) == 24).all()  # 200 * 0.12


def test_what_a_generator_gets_wrong_is_detail(astronaut: Bytes) -> None:
    def coarse(picture: Bytes) -> Floats:
        found: Floats = ndimage.gaussian_filter(picture.astype(np.float32), (8, 8, 0))
        return found

    flat = np.full((40, 50, 3), 90, np.uint8)
    for kind in ("structure.scrambled", "structure.invented"):
        assert (distort(flat, kind, 1.0, 0) == 90).all()
        ruined = distort(astronaut, kind, 1.0, 0)
        assert error(astronaut, ruined) > 150  # squared levels
        assert np.abs(coarse(ruined) - coarse(astronaut)).mean() < 3  # levels


def test_convolution_by_hand() -> None:
    line = np.zeros((5, 5, 1), np.float32)
    line[2, 2] = 1
    kernel = np.array([[1.0, 2.0, 3.0]])
    assert convolve(line, kernel)[2, :, 0] == pytest.approx([0, 1, 2, 3, 0], abs=1e-6)
    flat = np.ones((6, 9, 3), np.float32)
    assert convolve(flat, np.full((3, 5), 1 / 15)) == pytest.approx(flat, abs=1e-6)


def test_luma_and_chroma_and_back() -> None:
    values = np.random.default_rng(0).random((4, 5, 3), dtype=np.float32)
    assert from_ycc(to_ycc(values)) == pytest.approx(values, abs=1e-5)
    assert to_ycc(np.full((1, 1, 3), 0.4, np.float32))[0, 0] == pytest.approx([0.4, 0, 0], abs=1e-6)
