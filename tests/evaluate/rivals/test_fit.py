from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa.errors import PictureError, SettingsError
from magiqa.evaluate.rivals import ilniqe
from magiqa.evaluate.rivals.fit import fit
from magiqa.evaluate.rivals.ilniqe import IlNiqe
from magiqa.evaluate.rivals.niqe import Niqe, fit_niqe, sharp_features


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("good")
    paths = [folder / f"{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        Image.fromarray(recipe.picture(480, 480, seed)).save(path)
    return paths


def test_niqe(files: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "model.npz"
    assert fit("niqe", files, out) == 5
    with np.load(out, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
    assert about == {
        "metric": "niqe",
        "recipe": "blocks of 96, sharper than 0.75 of the sharpest in a picture",
        "folders": [files[0].parent.name],
        "pictures": 5,
    }
    expected = fit_niqe(sharp_features(recipe.picture(480, 480, seed)) for seed in range(5))
    metric = Niqe(out)
    assert metric._model.covariance.tolist() == expected.covariance.tolist()
    # what it was fitted on is nearer to it than noise
    noise = np.random.default_rng(0).integers(256, size=(480, 480, 3)).astype(np.uint8)
    assert metric(recipe.picture(480, 480, seed=0)) < metric(noise)


def test_ilniqe(files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def sharp(picture: np.ndarray) -> np.ndarray:
        """As many blocks as a fit needs, sooner than from pictures."""
        seen.append(picture.shape)
        return np.random.default_rng(len(seen)).normal(size=(400, 468))

    monkeypatch.setattr(ilniqe, "sharp_features", sharp)
    out = tmp_path / "model.npz"
    assert fit("ilniqe", files[:2], out) == 2
    assert seen == [(480, 480, 3)] * 2
    with np.load(out, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
    assert about["metric"] == "ilniqe"
    assert about["recipe"].startswith("pictures at 524x524, blocks of 84, sharper than 0.78 of")
    assert math.isfinite(IlNiqe(out)(recipe.picture(100, 100, seed=0)))


def test_a_picture_that_cannot_serve_is_named(files: list[Path], tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    Image.fromarray(recipe.picture(100, 100, seed=0)).save(small)
    with pytest.raises(PictureError, match=r"small\.png - got 100x100 pixels, NIQE compares"):
        fit("niqe", [files[0], small], tmp_path / "model.npz")
    small.write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"small\.png - not a picture"):
        fit("niqe", [files[0], small], tmp_path / "model.npz")
    assert not (tmp_path / "model.npz").exists()


def test_too_few_pictures(files: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="sharp blocks, NIQE's model needs 37 - give more"):
        fit("niqe", files[:1], tmp_path / "model.npz")
