from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import recipe
from magiqa import Failure, Score, Settings, SettingsError
from magiqa.evaluate.methods import METHODS, PAPER, find_method, settings_of
from magiqa.evaluate.rivals.metric import Metric, call
from magiqa.records import Picture


def test_methods_are_settings_under_the_papers_protocol() -> None:
    assert settings_of("ma-clip") == PAPER == Settings(protocol="paper")
    assert settings_of("similarity") == Settings(protocol="paper", weight=1)
    assert settings_of("l2") == Settings(protocol="paper", weight=0, magnitude="l2")
    assert settings_of("fixed-0.8") == Settings(protocol="paper", weight=0.8)
    assert settings_of("clip-iqa").pairs == (("Good photo.", "Bad photo."),)
    assert {each.protocol for each in METHODS.values()} == {"paper"}


@pytest.mark.parametrize("name", [*METHODS, "fixed-0.5"])
def test_every_method_can_be_asked_of_whole_pictures(name: str) -> None:
    assert settings_of(name).coverage == "paper"
    assert settings_of(f"{name}-whole").coverage == "whole"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ma-clpi", r"method - no 'ma-clpi' - did you mean ma-clip\?"),
        ("fixed-2", r"method - no 'fixed-2' - did you mean fixed-0\.8\?"),
        ("fixed-nan", r"method - no 'fixed-nan'"),
        ("whole", r"method - no 'whole' - choose from ma-clip, similarity, .*, clip-iqa-whole"),
        (
            "no_such_module:f",
            r"'no_such_module:f' cannot be imported \(ModuleNotFoundError: No module named",
        ),
        ("math:no_such", r"cannot be imported \(AttributeError: module 'math' has no attribute"),
        (":f", r"':f' cannot be imported \(ValueError: Empty module name\)"),
        ("math:pi", r"'math:pi' is no function - give one of a picture's path"),
    ],
)
def test_what_is_no_method_is_told(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        find_method(name)


def test_a_module_that_is_no_python_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_written.py").write_text("def f(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError, match=r"'half_written:f' cannot be imported \(SyntaxError"):
        find_method("half_written:f")


def test_a_function_is_called_with_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lengths.py").write_text("def of(path):\n    return len(path)\n")
    monkeypatch.syspath_prepend(tmp_path)
    function = find_method("lengths:of")
    assert not isinstance(function, Settings | Metric)
    assert call(function, "four", "four") == 4.0


def raising(_: str) -> float:
    raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (raising, r"a\.png - the method failed \(RuntimeError\('out of luck'\)\)"),
        (lambda _: math.nan, r"a\.png - the method gave nan"),
        (lambda _: None, r"a\.png - the method failed \(TypeError"),
    ],
)
def test_a_function_that_fails_costs_one_picture(function: object, text: str) -> None:
    assert callable(function)
    failure = call(function, "a.png", "a.png")
    assert isinstance(failure, Failure)
    assert failure.source == "a.png"
    assert re.match(text, failure.text)


@pytest.mark.parametrize("name", ["piqe", "niqe", "ilniqe"])
def test_a_rival_is_found_and_lower_is_better(name: str) -> None:
    metric = find_method(name)
    assert isinstance(metric, Metric)
    assert metric.lower_is_better
    assert metric.provenance["backbone"] == name


def test_a_rival_gives_its_own_number_and_no_cues() -> None:
    pixels = recipe.picture(200, 300, 1)
    [score] = Metric("mean", lambda picture: float(picture.mean()), True).stream(
        [Picture("a.png", pixels, 300, 200)]
    )
    assert isinstance(score, Score)
    assert score.score == pytest.approx(pixels.mean())
    assert math.isnan(score.similarity)
    assert (score.backbone, score.pairs, score.views) == ("mean", {}, ())
