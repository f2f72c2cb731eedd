"""The backbone that comes with magiqa: its file is the released one, its numbers stay."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import recipe
from magiqa import PRESETS, Scorer, Settings, SettingsError, WeightsError
from magiqa.clip.anchors import load_anchors
from magiqa.clip.cache import file_sha256
from magiqa.clip.sources import NANO, packaged
from magiqa.clip.weights import Checkpoint, open_checkpoint

GOLDEN = json.loads((Path(__file__).parent / "nano.json").read_text())
HAS = ["ensemble", "brightness", "noisiness", "colorfulness", "sharpness", "contrast"]


@pytest.fixture(scope="module")
def nano() -> Scorer:
    return Scorer(NANO, threads=1)


def test_the_file_is_the_pinned_one_and_small() -> None:
    file = files("magiqa.clip") / "nano.safetensors"
    assert Path(str(file)) == packaged().path
    assert file_sha256(packaged().path) == packaged().sha256
    assert packaged().path.stat().st_size < 4_000_000


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: str(golden["picture"]))
def test_golden_scores_on_recipe_pictures(golden: dict[str, dict[str, int]], nano: Scorer) -> None:
    score = nano(recipe.picture(**golden["picture"]))
    found = {name: getattr(score, name) for name in ("similarity", "magnitude", "weight", "score")}
    assert found == pytest.approx(golden["cues"], abs=1e-5)
    assert list(score.pairs.values()) == pytest.approx(golden["pairs"], abs=1e-5)
    assert score.backbone == NANO


def test_provenance_says_where_it_is_from(nano: Scorer) -> None:
    assert nano.provenance["backbone"] == NANO
    assert nano.provenance["weights"] == "magiqa"


@pytest.mark.parametrize("preset", HAS)
def test_a_preset_has_anchors_in_the_file(preset: str) -> None:
    anchors = load_anchors(open_checkpoint(NANO, None), PRESETS[preset])
    assert anchors.embeddings.shape == (len(PRESETS[preset]), 2, 128)
    np.testing.assert_allclose(np.linalg.norm(anchors.embeddings, axis=-1), 1, atol=1e-6)
    assert anchors.logit_scale > 1


@pytest.mark.parametrize("prompts", ["clip-iqa", "paper-text", (("fine", "poor"),)])
def test_other_prompts_are_refused(prompts: str | tuple[tuple[str, str]]) -> None:
    with pytest.raises(
        SettingsError,
        match=r"prompts - got \('.*'\) - nano reads no texts, it learned what good means: choose "
        rf"from {', '.join(HAS)}, or another backbone",
    ):
        Scorer(NANO, settings=Settings(prompts=prompts))


def test_the_file_itself_can_be_given() -> None:
    scorer = Scorer(weights=packaged().path, threads=1)
    assert scorer.backbone == NANO
    with pytest.raises(WeightsError, match="holds nano, not RN50 - leave the backbone out or name"):
        Scorer("RN50", weights=packaged().path)


def test_anchors_without_a_direction_are_told(tmp_path: Path) -> None:
    parameters = load_file(packaged().path)
    parameters["anchors.contrast"] = np.zeros_like(parameters["anchors.contrast"])
    save_file(parameters, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"anchors\.contrast holds embeddings that are zero"):
        load_anchors(Checkpoint(tmp_path / "a.safetensors", "file"), PRESETS["contrast"])


def test_a_noisier_photograph_scores_less(nano: Scorer) -> None:
    import skimage.data

    photograph = np.asarray(skimage.data.astronaut())  # type: ignore[no-untyped-call]
    noise = np.random.default_rng(0).normal(0, 1, photograph.shape)
    steps = [np.clip(photograph + noise * s, 0, 255).astype(np.uint8) for s in (0, 15, 40)]
    scores = [score.score for score in nano.score_many(steps)]
    assert scores == sorted(scores, reverse=True)
