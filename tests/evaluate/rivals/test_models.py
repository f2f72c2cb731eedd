from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from magiqa.errors import OutputError, SettingsError
from magiqa.evaluate.rivals import models
from magiqa.evaluate.rivals.models import Statistics, Template, read_ilniqe, read_niqe, write

MEND = "give a model of this metric: from `magiqa fit`, or the authors' .mat"


@pytest.fixture
def gaussian() -> Statistics:
    generator = np.random.default_rng(0)
    return Statistics(generator.normal(size=36), generator.normal(size=(36, 36)))


@pytest.fixture
def template() -> Template:
    generator = np.random.default_rng(0)
    shapes = (430,), (430, 430), (468,), (468, 430)
    return Template(*(generator.normal(size=shape) for shape in shapes))


@pytest.mark.parametrize("name", ["niqe", "ilniqe"])
def test_what_ships(name: str) -> None:
    path = models.DATA / f"{name}.npz"
    assert path.stat().st_size < 2_000_000
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(str(file["about"]))
    assert (about["metric"], about["folders"], about["pictures"]) == (name, ["bsds500"], 500)
    assert about["recipe"]
    model = read_niqe() if name == "niqe" else read_ilniqe()
    assert np.linalg.eigvalsh(model.covariance)[0] > 0


def test_niqe_comes_back(gaussian: Statistics, tmp_path: Path) -> None:
    write(tmp_path / "new" / "m.npz", gaussian, {"metric": "niqe"})
    found = read_niqe(tmp_path / "new" / "m.npz")
    assert found.mean.tolist() == gaussian.mean.tolist()
    assert found.covariance.tolist() == gaussian.covariance.tolist()


def test_ilniqe_comes_back_in_float32(template: Template, tmp_path: Path) -> None:
    write(tmp_path / "m.npz", template, {})
    found = read_ilniqe(tmp_path / "m.npz")
    assert found.origin.tolist() == template.origin.tolist()
    assert found.components == pytest.approx(template.components, rel=1e-7)
    assert found.components.dtype == found.covariance.dtype == np.float64


def test_the_same_model_is_the_same_file(gaussian: Statistics, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, gaussian, {"metric": "niqe"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_authors_niqe(gaussian: Statistics, tmp_path: Path) -> None:
    path = tmp_path / "modelparameters.mat"
    savemat(path, {"mu_prisparam": gaussian.mean[None], "cov_prisparam": gaussian.covariance})
    found = read_niqe(path)
    assert found.mean.tolist() == gaussian.mean.tolist()
    assert found.covariance.tolist() == gaussian.covariance.tolist()


def test_the_authors_ilniqe(template: Template, tmp_path: Path) -> None:
    cell = np.empty((1, 4), dtype=object)
    cell[0, 0], cell[0, 1] = template.mean[None], template.covariance
    cell[0, 2], cell[0, 3] = template.origin[:, None], template.components
    path = tmp_path / "templateModel.mat"
    savemat(path, {"templateModel": cell})
    found = read_ilniqe(path)
    for name in ("mean", "covariance", "origin", "components"):
        assert getattr(found, name).tolist() == getattr(template, name).tolist()
    savemat(path, {"templateModel": cell[:, :3]})
    with pytest.raises(SettingsError, match="holds 3 arrays where a template has 4 - " + MEND):
        read_ilniqe(path)


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"m\.npz - there is no such model - give a \.npz or"):
        read_niqe(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["m.npz", "m.mat"])
@pytest.mark.parametrize("content", [b"", b"nothing of the kind" * 20])
def test_a_damaged_model(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    for read in (read_niqe, read_ilniqe):
        with pytest.raises(SettingsError, match=rf"{name} - cannot be read \(.+\) - {MEND}"):
            read(tmp_path / name)


def test_nothing_in_a_model_is_run(tmp_path: Path) -> None:
    pickled = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "m.npz", mean=pickled, covariance=pickled)
    with pytest.raises(SettingsError, match=r"cannot be read .*allow_pickle=False"):
        read_niqe(tmp_path / "m.npz")


def test_a_model_of_something_else(gaussian: Statistics, tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    write(path, gaussian, {})
    with pytest.raises(SettingsError, match="m.npz - lacks origin, components - " + MEND):
        read_ilniqe(path)
    savemat(tmp_path / "m.mat", {"x": 1.0})
    with pytest.raises(SettingsError, match="lacks mu_prisparam, cov_prisparam"):
        read_niqe(tmp_path / "m.mat")


@pytest.mark.parametrize(
    ("mean", "covariance", "why"),
    [
        (np.zeros(35), np.eye(36), r"the mean is float64 \(35,\) where it should be \(36,\)"),
        (np.zeros(36), np.eye(35), r"the covariance is float64 \(35, 35\) where it should be"),
        (np.full(36, "a"), np.eye(36), r"the mean is <U1 \(36,\)"),
        (np.full(36, np.nan), np.eye(36), "the mean holds values that are not finite"),
    ],
)
def test_a_model_of_the_wrong_kind(
    tmp_path: Path, mean: np.ndarray, covariance: np.ndarray, why: str
) -> None:
    np.savez(tmp_path / "m.npz", mean=mean, covariance=covariance)
    with pytest.raises(SettingsError, match=why):
        read_niqe(tmp_path / "m.npz")


def test_a_template_that_does_not_fit_itself(template: Template, tmp_path: Path) -> None:
    wrong = Template(template.mean[:-1], template.covariance, template.origin, template.components)
    write(tmp_path / "m.npz", wrong, {})
    with pytest.raises(SettingsError, match=r"the mean is float64 \(429,\) where it should be"):
        read_ilniqe(tmp_path / "m.npz")


def test_where_nothing_can_be_written(gaussian: Statistics, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot be written .* check the folder and its space"):
        write(tmp_path / "file" / "m.npz", gaussian, {})
