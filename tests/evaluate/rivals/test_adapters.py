"""Other libraries' metrics, here by modules of the same shape."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import recipe
from magiqa import MissingExtra, SettingsError, WeightsError
from magiqa.evaluate.rivals import adapters


class Mean:
    """A metric as pyiqa's, torchmetrics' and piq's are: a tensor in 0..1 -> a tensor."""

    lower_better = True
    higher_is_better = True
    forgotten = 0

    def __call__(self, picture: Any) -> Any:
        assert picture.shape == (1, 3, 60, 80)
        return picture.mean()

    def reset(self) -> None:
        Mean.forgotten += 1


@pytest.fixture(autouse=True)
def libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    pyiqa: Any = ModuleType("pyiqa")
    pyiqa.list_models = lambda _: ["arniqa", "clipiqa+"]
    pyiqa.create_metric = lambda _: Mean()
    piq: Any = ModuleType("piq")
    piq.CLIPIQA = piq.BRISQUELoss = Mean
    arniqa = SimpleNamespace(ARNIQA=Mean)
    for name, module in (
        ("pyiqa", pyiqa),
        ("piq", piq),
        ("torchmetrics.image.arniqa", arniqa),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(adapters, "version", lambda _: "1.2")


@pytest.mark.parametrize(
    ("name", "lower_is_better"),
    [
        ("pyiqa:clipiqa+", True),
        ("torchmetrics:arniqa", False),
        ("piq:clip_iqa", False),
        ("piq:brisque", True),
    ],
)
def test_direction_and_version_are_the_librarys(name: str, lower_is_better: bool) -> None:
    metric = adapters.find(name)
    assert metric.lower_is_better == lower_is_better
    assert metric.rests_on == f"{name.partition(':')[0]} 1.2"
    pixels = recipe.picture(60, 80, 1)
    assert metric.function(pixels) == pytest.approx(pixels.mean() / 255, abs=1e-6)


def test_torchmetrics_remembers_no_picture() -> None:
    metric, before = adapters.find("torchmetrics:arniqa"), Mean.forgotten
    for _ in range(2):
        metric.function(recipe.picture(60, 80, 1))
    assert Mean.forgotten == before + 2


def test_a_name_that_a_library_has_not_is_told() -> None:
    with pytest.raises(SettingsError, match=r"pyiqa has no 'arniq' that needs no .* mean arniqa"):
        adapters.find("pyiqa:arniq")
    with pytest.raises(SettingsError, match=r"method - no 'lpips' of piq - choose from clip_iqa"):
        adapters.find("piq:lpips")


def test_a_library_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "piq", None)
    with pytest.raises(MissingExtra, match=r"piq:clip_iqa - piq is not there.* - pip install piq"):
        adapters.find("piq:clip_iqa")


def test_weights_that_cannot_be_had_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(_: str) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(sys.modules["pyiqa"], "create_metric", offline)
    with pytest.raises(WeightsError, match=r"pyiqa cannot make it \(ConnectionError\('no network'"):
        adapters.find("pyiqa:arniqa")
