from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import recipe
from magiqa.errors import PictureError, SettingsError
from magiqa.evaluate.rivals.models import Statistics, write
from magiqa.evaluate.rivals.niqe import SHARP, Niqe, features, fit_niqe, sharp_features


@pytest.fixture(scope="module")
def shipped() -> Niqe:
    return Niqe()


@pytest.mark.parametrize(
    ("height", "width", "seed", "expected"),
    [(512, 512, 0, 6.823551651), (300, 260, 11, 9.049508057)],
)
def test_golden(shipped: Niqe, height: int, width: int, seed: int, expected: float) -> None:
    """By the shipped model, fitted on BSDS500."""
    assert shipped(recipe.picture(height, width, seed)) == pytest.approx(expected, abs=1e-6)


def test_features_by_their_places() -> None:
    picture = recipe.picture(300, 250, seed=4)
    found, sharpness = features(picture)
    assert found.shape == (6, 36)
    assert sharpness.shape == (6,)
    assert np.isfinite(found).all()
    # the fourth block alone: its MSCN differs at the edges only, its shape little
    alone, _ = features(np.tile(picture[96:192, 96:192], (1, 2, 1)))
    assert alone[0, [0, 18]] == pytest.approx(found[3, [0, 18]], rel=0.1)


def test_what_fills_no_block_is_not_seen(shipped: Niqe) -> None:
    picture = recipe.picture(250, 310, seed=4)
    cut = picture[:192, :288]
    assert shipped(cut) == shipped(picture)


def test_distance_by_hand(tmp_path: Path) -> None:
    picture = recipe.picture(600, 600, seed=5)
    found, _ = features(picture)
    # the mean of both covariances is the identity: what is left is Euclid's distance, 3-4-5
    mean = found.mean(axis=0)
    mean[[2, 30]] += (3, -4)
    covariance = 2 * np.eye(36) - np.cov(found, rowvar=False)
    write(tmp_path / "model.npz", Statistics(mean, covariance), {})
    assert Niqe(tmp_path / "model.npz")(picture) == pytest.approx(5, abs=1e-9)


@pytest.mark.parametrize("size", [(1, 1), (95, 500), (191, 191), (96, 191)])
def test_a_picture_too_small(shipped: Niqe, size: tuple[int, int]) -> None:
    height, width = size
    wanted = (
        f"picture - got {width}x{height} pixels, NIQE compares blocks of 96x96, at least two - "
        f"give a larger picture"
    )
    with pytest.raises(PictureError, match=wanted):
        shipped(recipe.picture(height, width, seed=0))


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_a_flat_picture(shipped: Niqe, level: int) -> None:
    with pytest.raises(PictureError, match="picture - 0 of its 4 blocks have texture, NIQE"):
        shipped(np.full((200, 200, 3), level, np.uint8))


def test_blocks_without_texture_are_passed_over(shipped: Niqe) -> None:
    picture = recipe.picture(192, 288, seed=6)
    picture[:110, :110] = 128
    assert math.isfinite(shipped(picture))
    picture[:, 90:] = 128
    with pytest.raises(PictureError, match="1 of its 6 blocks have texture"):
        shipped(picture)


@given(seed=st.integers(0, 99), rows=st.integers(90, 210), columns=st.integers(90, 210))
@settings(deadline=None, max_examples=30)
def test_a_number_or_an_error(shipped: Niqe, seed: int, rows: int, columns: int) -> None:
    generator = np.random.default_rng(seed)
    levels = generator.integers(1, 256)
    picture = generator.integers(levels, size=(rows, columns, 3)).astype(np.uint8)
    try:
        assert math.isfinite(shipped(picture))
    except PictureError:
        assert levels == 1 or min(rows, columns) < 96 or max(rows, columns) < 192


def test_a_fit_is_of_sharp_blocks() -> None:
    pictures = [recipe.picture(480, 480, seed) for seed in range(6)]
    for picture in pictures:  # so dull that no block of it is sharp
        picture[:200] = picture[:200] // 16
    kept = [sharp_features(picture) for picture in pictures]
    every, sharpness = features(pictures[0])
    expected = every[sharpness > SHARP * sharpness.max()]
    assert kept[0].tolist() == expected.tolist()
    assert 0 < len(kept[0]) <= 15  # of 25, of which 10 are in the upper 200 rows
    model = fit_niqe(kept)
    rows = np.concatenate(kept)
    assert model.mean == pytest.approx(rows.mean(axis=0))
    assert model.covariance == pytest.approx(np.cov(rows.T))


def test_a_fit_on_too_little() -> None:
    with pytest.raises(SettingsError, match="pictures - 0 sharp blocks, NIQE's model needs 37 - "):
        fit_niqe([])
    few = sharp_features(recipe.picture(192, 192, seed=0))
    with pytest.raises(SettingsError, match=f"pictures - {len(few)} sharp blocks"):
        fit_niqe([few])
