from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

import recipe
from magiqa import (
    PRESETS,
    Failure,
    Item,
    PictureError,
    Score,
    Scorer,
    Settings,
    SettingsError,
    WeightsError,
    equations,
)
from magiqa.records import Embedded

SIZES = [(224, 224), (260, 300), (480, 225), (100, 640), (1, 1), (384, 512)]
PICTURES = [recipe.picture(*size, seed=seed) for seed, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def alone(tiny: Scorer) -> list[Score]:
    return [tiny(picture) for picture in PICTURES]


@given(order=st.permutations(range(len(SIZES))), micro_batch=st.integers(1, 9))
@hypothesis_settings(max_examples=25, deadline=None)
def test_a_batch_equals_one_by_one_whatever_order_and_micro_batch(
    checkpoint: Path, alone: list[Score], order: list[int], micro_batch: int
) -> None:
    scorer = Scorer(weights=checkpoint, micro_batch=micro_batch)
    together = scorer.score_many([PICTURES[index] for index in order])
    for score, index in zip(together, order, strict=True):
        single = alone[index]
        assert score.score == pytest.approx(single.score, abs=1e-5)
        assert score.pairs == pytest.approx(single.pairs, abs=1e-5)
        assert [view.box for view in score.views] == [view.box for view in single.views]
        for got, wanted in zip(score.views, single.views, strict=True):
            assert got.magnitude == pytest.approx(wanted.magnitude, abs=1e-5)


def test_a_picture_is_the_mean_of_its_views(alone: list[Score]) -> None:
    for score in alone:
        for name in ("score", "similarity", "magnitude", "weight"):
            mean = np.mean([getattr(view, name) for view in score.views])
            assert getattr(score, name) == pytest.approx(mean, abs=1e-12)
        assert score.similarity == pytest.approx(np.mean(list(score.pairs.values())), abs=1e-12)
        for view in score.views:
            low, high = sorted((view.similarity, view.magnitude))
            assert low - 1e-12 <= view.score <= high + 1e-12


def test_both_protocols_agree_on_a_plain_picture(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(recipe.picture(300, 400, seed=5)).save(path)
    paper = Scorer(weights=checkpoint, settings=Settings(protocol="paper"))
    assert paper(path).score == Scorer(weights=checkpoint)(path).score


def test_tensors_score_as_arrays_do(tiny: Scorer, alone: list[Score]) -> None:
    for picture, wanted in zip(PICTURES, alone, strict=True):
        tensor = torch.tensor(np.moveaxis(picture, -1, 0) / 255.0, requires_grad=True)
        assert tiny(tensor).score == pytest.approx(wanted.score, abs=1e-5)


def test_a_failure_takes_its_pictures_place(tiny: Scorer, alone: list[Score]) -> None:
    rows = tiny.score_many(["gone.jpg", PICTURES[0], b"junk", PICTURES[1]], on_error="return")
    assert [type(row) for row in rows] == [Failure, Score, Failure, Score]
    assert rows[0] == Failure(
        "gone.jpg", "PictureError", "gone.jpg - there is no such file - check the path"
    )
    assert isinstance(rows[3], Score)
    assert rows[3].score == pytest.approx(alone[1].score, abs=1e-5)
    assert rows[3].source == "picture 3"


def test_without_return_the_first_failure_is_raised(tiny: Scorer) -> None:
    with pytest.raises(PictureError, match=r"gone\.jpg - there is no such file"):
        tiny.score_many([PICTURES[0], "gone.jpg"])


def test_a_generator_is_read_no_further_than_needed(tiny: Scorer) -> None:
    read = 0

    def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield Item(f"{read}", PICTURES[1])

    stream = tiny.stream(endless())
    first = next(stream)
    assert first.source == "1"
    assert read <= 3 * 8


def test_nothing_in_nothing_out(tiny: Scorer) -> None:
    assert tiny.score_many([]) == []


def test_small_pictures_have_the_thumbnail_alone_and_say_so(tiny: Scorer) -> None:
    for picture in (recipe.picture(100, 640, seed=1), recipe.picture(1, 5000, seed=2)):
        score = tiny(picture)
        assert "thumbnail-only" in score.warnings
        [view] = score.views
        assert view.box == (0, 0, picture.shape[1], picture.shape[0])
        assert score.score == view.score


def test_width_and_height_are_the_pictures_own(checkpoint: Path) -> None:
    scorer = Scorer(weights=checkpoint, settings=Settings(resize=(300, 250)))
    score = scorer(PICTURES[5])
    assert (score.width, score.height) == (512, 384)
    assert score.views[-1].box == (0, 0, 300, 250)


@pytest.mark.parametrize(
    ("settings", "cue"), [(Settings(weight=1), "similarity"), (Settings(weight=0), "magnitude")]
)
def test_one_cue_alone(checkpoint: Path, settings: Settings, cue: str) -> None:
    score = Scorer(weights=checkpoint, settings=settings)(PICTURES[1])
    assert score.score == getattr(score, cue)


def test_ablations_are_settings_that_move_the_score(checkpoint: Path) -> None:
    variants = [
        Settings(),
        Settings(prompts="clip-iqa"),
        Settings(prompts="sharpness"),
        Settings(prompts=(("Bad photo.", "Good photo."),)),
        Settings(weight=0.8),
        Settings(weight=0, magnitude="l1"),
        Settings(weight=0, magnitude="l2"),
        Settings(box_cox_lambda=0),
        Settings(alpha=0),
        Settings(base_similarity=0.5, base_magnitude=0.5),
        Settings(positional_embedding=True),
        Settings(coverage="full"),
    ]
    scores = [Scorer(weights=checkpoint, settings=each)(PICTURES[1]).score for each in variants]
    assert len({round(score, 9) for score in scores}) == len(variants)


def test_swapped_prompts_give_one_minus_similarity(checkpoint: Path) -> None:
    there, back = (
        Scorer(weights=checkpoint, settings=Settings(prompts=pairs))(PICTURES[1]).similarity
        for pairs in ("clip-iqa", (("Bad photo.", "Good photo."),))
    )
    assert there + back == pytest.approx(1, abs=1e-6)


def test_own_prompts_without_a_vocabulary_are_refused(checkpoint: Path) -> None:
    with pytest.raises(SettingsError, match=r"prompt 'Sunny photo.' - not one of the presets'"):
        Scorer(weights=checkpoint, settings=Settings(prompts=(("Sunny photo.", "Bad photo."),)))


def test_provenance_names_everything_a_score_rests_on(tiny: Scorer) -> None:
    assert tiny.backbone == "resnet-1-1-1-1x8"
    assert tiny.provenance["fingerprint"] == Settings().fingerprint
    assert len(tiny.provenance["weights_hash"]) == 64
    assert tiny.provenance["engine"].startswith("onnxruntime ")
    assert tiny.provenance["weights"] == "file"


def test_wrong_use_is_told(checkpoint: Path, tiny: Scorer) -> None:
    with pytest.raises(WeightsError, match=r"backbone - no 'RN5O' - did you mean RN50 or"):
        Scorer("RN5O")
    with pytest.raises(WeightsError, match=r"holds resnet-1-1-1-1x8, not RN50 - leave"):
        Scorer("RN50", weights=checkpoint)
    with pytest.raises(SettingsError, match=r"micro_batch - got 0 - give at least 1"):
        Scorer(weights=checkpoint, micro_batch=0)
    with pytest.raises(SettingsError, match=r"threads - got -1 - give at least 1"):
        Scorer(weights=checkpoint, threads=-1)
    with pytest.raises(SettingsError, match=r"on_error - got 'ignore' - give \"raise\" or"):
        tiny.score_many([], on_error="ignore")  # type: ignore[call-overload]
    with pytest.raises(
        PictureError, match=r"pictures - got one, photo\.jpg - give a list, or call"
    ):
        tiny.score_many("photo.jpg")
    pixels = recipe.picture(9, 9, seed=0)
    one: Any
    for one in (pixels, torch.zeros(3, 9, 9), Image.fromarray(pixels), io.BytesIO(b"a\nb")):
        with pytest.raises(PictureError, match=r"pictures - got one, picture 0 - give a list"):
            tiny.score_many(one)
    assert len(tiny.score_many(pixels[None])) == 1
    with pytest.raises(SettingsError, match=r"provider - CUDAExecutionProvider is not available"):
        Scorer(weights=checkpoint, provider="CUDAExecutionProvider")


def test_anchors_of_other_prompts_score_what_is_embedded(checkpoint: Path, tiny: Scorer) -> None:
    pixels = recipe.picture(300, 400, seed=2)
    anchors = tiny.anchors_of(PRESETS["sharpness"])
    asked = Scorer(weights=checkpoint, settings=Settings(prompts="sharpness"))
    np.testing.assert_array_equal(anchors.embeddings, asked.anchors.embeddings)
    embedded = tiny.embed(pixels).astype(np.float64)
    pairs = equations.pair_probabilities(embedded, anchors.embeddings, anchors.logit_scale)
    assert float(pairs.mean()) == pytest.approx(asked(pixels).similarity, abs=1e-6)


def test_each_micro_batch_is_told(checkpoint: Path) -> None:
    scorer = Scorer(weights=checkpoint, micro_batch=4, threads=1)
    told: list[int] = []
    scorer.told_of_batch = told.append
    scorer.score_many([recipe.picture(300, 400, seed=2)] * 3)  # three views each
    assert told == [4, 4, 1]


def test_pictures_that_are_complete_together_score_exactly_as_alone(tiny: Scorer) -> None:
    items = [Item(str(seed), recipe.picture(230, 240 + 20 * seed, seed)) for seed in range(5)]
    failure = Failure("gone", "PictureError", "gone")
    entries: list[Item | Failure] = [*items[:3], failure, *items[3:]]
    together = list(tiny.stream(entries))
    embedded = list(tiny.stream_embeddings(entries))
    assert together.pop(3) is embedded.pop(3) is failure
    for score, entry in zip(together, embedded, strict=True):
        assert isinstance(entry, Embedded)
        assert score == tiny.score_embedded(entry)
