from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CHECKPOINTS
from safetensors.torch import load_file

import recipe
from magiqa import Failure, PictureError, Scorer, Settings, SettingsError
from magiqa.clip.architecture import read_architecture
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.towers import Floats
from magiqa.clip.weights import Checkpoint
from magiqa.records import Picture
from magiqa.scorer import OnError
from magiqa.whole import embed_whole

CLIP_IQA = Settings(protocol="paper", prompts="clip-iqa", weight=1, coverage="whole")


@pytest.fixture(scope="module")
def whole(checkpoint: Path) -> Scorer:
    return Scorer(weights=checkpoint, settings=CLIP_IQA)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (224, 224), (301, 97), (63, 500)])
def test_any_size_is_encoded_as_the_usual_module_does(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, height: int, width: int
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    from usual_module import UsualTower

    parameters = load_file(checkpoint)
    shapes = {name: tuple(values.shape) for name, values in parameters.items()}
    visual = {
        name.removeprefix("visual."): values.double()
        for name, values in parameters.items()
        if name.startswith("visual.")
    }
    usual = UsualTower(read_architecture(shapes, ""), visual).double().eval()
    random = np.random.default_rng(height)
    picture = random.uniform(0, 255, (1, 3, height, width)).astype(np.float32)
    wanted = usual(torch.from_numpy(picture).double()).numpy()
    got = OnnxEncoder(Checkpoint(checkpoint, ""), whole=True)(picture)
    np.testing.assert_allclose(got, wanted, atol=2e-6 * np.abs(wanted).max())


def test_a_picture_of_a_views_size_is_that_view(tiny: Scorer, whole: Scorer) -> None:
    picture = recipe.picture(224, 224, seed=3)
    window, _ = tiny.embed(picture)
    [itself] = whole.embed(picture)
    np.testing.assert_allclose(itself, window, atol=1e-5 * np.abs(window).max())


def test_it_is_one_view_whose_score_is_the_single_pairs(whole: Scorer) -> None:
    score = whole(recipe.picture(300, 261, seed=4))
    [view] = score.views
    assert view.box == (0, 0, 261, 300)
    assert score.score == score.similarity == score.pairs["Good photo. / Bad photo."]


def test_pictures_of_all_sizes_at_once_are_as_one_by_one(whole: Scorer) -> None:
    pictures = [recipe.picture(height, 100, seed=height) for height in (50, 120, 50)]
    assert [each.score for each in whole.score_many(pictures)] == [
        whole(each).score for each in pictures
    ]


@pytest.mark.parametrize("on_error", ["raise", "return"])
def test_a_side_under_32_is_told(whole: Scorer, on_error: OnError) -> None:
    pictures = [recipe.picture(31, 100, seed=1), recipe.picture(32, 100, seed=1)]
    text = r"100x31 has a side under 32 - leave it out, or cut views"
    if on_error == "raise":
        with pytest.raises(PictureError, match=text):
            whole.score_many(pictures)
        return
    failure, score = whole.score_many(pictures, on_error="return")
    assert isinstance(failure, Failure)
    assert failure.kind == "PictureError"
    assert not isinstance(score, Failure)


def test_too_little_memory_costs_one_picture() -> None:
    def refuse(_: Floats) -> Floats:
        raise MemoryError

    picture = Picture("a.png", recipe.picture(40, 50, seed=1), 50, 40)
    [failure] = embed_whole([picture], refuse, "return")
    assert isinstance(failure, Failure)
    assert "50x40 as a whole needs more memory than there is - set resize" in failure.text


def test_a_transformer_takes_views_alone() -> None:
    with pytest.raises(SettingsError, match=r"takes 224x224 alone - use a residual backbone"):
        Scorer(weights=recipe.checkpoint_file("tiny-vit", CHECKPOINTS), settings=CLIP_IQA)


def test_positions_are_made_for_views() -> None:
    with pytest.raises(SettingsError, match=r'with coverage="whole" - it is made for 224x224'):
        Settings(coverage="whole", positional_embedding=True)
