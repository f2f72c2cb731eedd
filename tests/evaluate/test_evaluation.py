from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CHECKPOINTS

import recipe
from magiqa.clip import releases
from magiqa.clip.weights import Checkpoint
from magiqa.evaluate.datasets import find_dataset
from magiqa.evaluate.evaluation import is_released, results, srcc
from magiqa.evaluate.layouts import Rated

RATED = [Rated(str(label), Path(str(label)), label) for label in (1.0, 2.0, 3.0, 4.0, 5.0)]
LABELS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])


def test_one_swapped_pair_of_five_by_hand() -> None:
    # ranks 1 2 3 5 4: SRCC 1 - 6 (1 + 1) / (5 * 24) = .9, KRCC (9 - 1) / 10 = .8
    [found] = results(find_dataset("agiqa-3k"), RATED, {"a": np.array([0.1, 0.2, 0.3, 0.5, 0.4])})
    assert found.correlation
    assert found.correlation.n == 5
    assert found.correlation.srcc == pytest.approx(0.9)
    assert found.correlation.krcc == pytest.approx(0.8)
    assert found.against_first is None


def test_where_lower_labels_are_better_falling_scores_agree() -> None:
    [found] = results(find_dataset("csiq"), RATED, {"a": -LABELS})
    assert found.correlation
    assert found.correlation.srcc == pytest.approx(1)
    assert srcc(-LABELS, RATED, higher_is_better=False) == pytest.approx(1)


def test_a_picture_that_one_method_lacks_is_left_out_for_all() -> None:
    gap = np.array([np.nan, 2.0, 3.0, 5.0, 4.0])
    first, second = results(find_dataset("agiqa-3k"), RATED, {"a": LABELS, "b": gap})
    assert first.correlation
    assert second.correlation
    assert second.against_first
    assert first.correlation.n == second.correlation.n == 4
    # ranks 1 2 4 3 of four: 1 - 6 * 2 / (4 * 15) = .8, against 1
    assert second.against_first.difference == pytest.approx(0.8 - 1)
    assert srcc(gap, RATED, higher_is_better=True) == pytest.approx(0.8)


def test_what_has_no_correlation_says_so_and_spoils_no_other() -> None:
    scores = {"equal": np.ones(5), "good": LABELS}
    equal, good = results(find_dataset("agiqa-3k"), RATED, scores)
    assert equal.correlation is None
    assert "constant has no correlation" in str(equal.error)
    assert good.correlation
    assert good.against_first is None
    assert math.isnan(srcc(np.ones(5), RATED, higher_is_better=True))


def test_the_srcc_of_a_sweep_is_the_correlations_with_ties() -> None:
    scores = np.array([0.3, 0.3, 0.2, 0.9, 0.9])
    [found] = results(find_dataset("csiq"), RATED, {"a": scores})
    assert found.correlation
    assert srcc(scores, RATED, higher_is_better=False) == pytest.approx(found.correlation.srcc)


def test_random_weights_are_not_released_ones() -> None:
    tiny = Checkpoint(CHECKPOINTS / "tiny-resnet.safetensors", "file")
    assert not is_released(tiny)
    # not even where its place says so: no released backbone has its sizes
    assert not is_released(Checkpoint(tiny.path, "timm/resnet50_clip.openai"))


@pytest.mark.slow
def test_of_a_released_shape_only_openais_own_bytes_are(monkeypatch: pytest.MonkeyPatch) -> None:
    path = recipe.checkpoint_file("RN50", CHECKPOINTS)
    assert not is_released(Checkpoint(path, "file"))
    assert is_released(Checkpoint(path, "timm/resnet50_clip.openai"))
    own = hashlib.sha256(path.read_bytes()).hexdigest()
    release = replace(releases.RELEASES["RN50"], sha256=own)
    monkeypatch.setitem(releases.RELEASES, "RN50", release)
    assert is_released(Checkpoint(path, "file"))
