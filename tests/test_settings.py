from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from magiqa import PRESETS, Settings, SettingsError

BAD: list[tuple[dict[str, Any], str]] = [
    ({"prompts": "ensembel"}, r"prompts - no preset 'ensembel' - did you mean ensemble\?"),
    ({"prompts": "x"}, r"no preset 'x' - choose from ensemble, paper-text"),
    ({"prompts": ()}, r"prompts - got \(\) - give a preset's name or"),
    ({"prompts": (("only one",),)}, r"prompt pair - got \('only one',\) - give two texts"),
    ({"prompts": (("good", " "),)}, r"prompt pair - got \('good', ' '\) - give two texts"),
    ({"prompts": (("good", "good "),)}, r"both texts are 'good' - give two that differ"),
    ({"prompts": (("sch\udcf6n", "b"),)}, r"prompt pair - got \(.*\) - give it in UTF-8"),
    ({"prompts": (("a", "b"), ("a", "b"))}, r"give each pair once"),
    ({"magnitude": "l3"}, r"magnitude - got 'l3' - choose from box-cox, l1, l2"),
    ({"magnitude": "l2"}, r"magnitude='l2' - got weight='adaptive' - the paper fuses only Box-Cox"),
    ({"weight": 1.5}, r"weight - got 1.5 - give a number in 0..1 or \"adaptive\""),
    ({"weight": "fixed"}, r"weight - got 'fixed' - give a number in 0..1 or \"adaptive\""),
    ({"alpha": float("nan")}, r"alpha - got nan - give a finite number"),
    ({"box_cox_lambda": "0.5"}, r"box_cox_lambda - got '0.5' - give a finite number"),
    ({"coverage": "Full"}, r"coverage - got 'Full' - did you mean full\?"),
    ({"protocol": "foto"}, r"protocol - got 'foto' - did you mean photo\?"),
    ({"max_pixels": 0}, r"max_pixels - got 0 - give a whole number of at least 1"),
    ({"max_decode_pixels": 1.5}, r"max_decode_pixels - got 1.5 - give a whole number"),
    ({"resize": (224,)}, r"resize - got \(224,\) - give \(width, height\)"),
    ({"resize": (224, -1)}, r"resize - got -1 - give a whole number"),
    ({"resize": 512}, r"resize - got 512 - give \(width, height\)"),
    ({"resize": "512x384"}, r"resize - got '512x384' - give \(width, height\)"),
]


@pytest.mark.parametrize(("options", "text"), BAD)
def test_errors_say_what_got_and_how_to_mend(options: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        Settings(**options)


def test_defaults_are_the_papers() -> None:
    settings = Settings()
    assert settings.pairs == PRESETS["ensemble"]
    assert (settings.box_cox_lambda, settings.alpha) == (0.5, 1.0)
    assert (settings.base_similarity, settings.base_magnitude) == (1.0, 0.6)
    assert not settings.positional_embedding


def test_fingerprint_is_frozen() -> None:
    # journals and outputs carry it: a change here is a change of format
    assert Settings().fingerprint == "3d2a7265239c084d"


def test_equal_settings_have_one_fingerprint() -> None:
    spelled = Settings(prompts=list(map(list, PRESETS["ensemble"])), alpha=1, resize=[224, 224])  # type: ignore[arg-type]
    assert spelled.fingerprint == Settings(resize=(224, 224)).fingerprint
    assert hash(spelled) != hash(Settings())
    counted = Settings(max_pixels=np.int64(5), alpha=np.float32(0.5), weight=np.float64(1))  # type: ignore[arg-type]
    assert counted.fingerprint == Settings(max_pixels=5, alpha=0.5, weight=1.0).fingerprint


@pytest.mark.parametrize(
    "options",
    [
        {"prompts": "clip-iqa"},
        {"weight": 0},
        {"weight": 0, "magnitude": "l1"},
        {"box_cox_lambda": 0},
        {"alpha": 2},
        {"base_similarity": 0.9},
        {"base_magnitude": 0.5},
        {"positional_embedding": True},
        {"coverage": "full"},
        {"protocol": "paper"},
        {"max_pixels": None},
        {"resize": (224, 224)},
        {"max_decode_pixels": 10},
    ],
)
def test_every_knob_moves_the_fingerprint(options: dict[str, Any]) -> None:
    assert Settings(**options).fingerprint != Settings().fingerprint


def test_to_dict_survives_json() -> None:
    settings = Settings(prompts=(("a", "b"),), resize=(300, 200), weight=0.5)
    assert Settings(**json.loads(json.dumps(settings.to_dict()))) == settings
