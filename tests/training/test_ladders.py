from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import export
import judge
import ladders
import recipe
from ladders import LEVELS, Rung
from magiqa import Scorer, Settings
from tower import Nano

FALLING = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
STUCK = [6.0, 5.0, 4.0, 4.0, 2.0, 1.0]


def rungs(kinds: list[str], pictures: int) -> list[Rung]:
    return [
        Rung(picture, kind, level)
        for picture in range(pictures)
        for kind in kinds
        for level in range(len(LEVELS))
    ]


def test_a_ladder_is_monotone_when_it_falls_at_every_step() -> None:
    found = rungs(["blur.gaussian", "noise.white"], 2)
    scores = np.array(FALLING + STUCK + FALLING + FALLING)
    assert ladders.monotone_shares(found, scores) == {"blur": 1.0, "noise": 0.5}
    assert ladders.monotone_shares(found, scores, by_kind=True)["noise.white"] == 0.5


def test_rank_correlation_is_one_where_scores_fall_with_severity() -> None:
    found = rungs(["blur.gaussian"], 2)
    assert ladders.rank_correlation(found, np.array(FALLING * 2)) == pytest.approx(1)
    assert ladders.rank_correlation(found, -np.array(FALLING * 2)) == pytest.approx(-1)


def test_a_ladder_holds_the_picture_and_five_levels() -> None:
    picture = recipe.picture(60, 60, 0)
    found = list(ladders.degraded([picture], ["noise.white"]))
    assert [rung.level for rung, _ in found] == [0, 1, 2, 3, 4, 5]
    assert (found[0][1] == picture).all()
    assert (found[1][1] != picture).any()


def test_the_evaluation_tells_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(judge, "SHAPE", (64, 64, 3))
    torch.manual_seed(0)
    export.save(Nano(), tmp_path / "nano.safetensors")
    scorer = Scorer(weights=tmp_path / "nano.safetensors")
    found = judge.judge(scorer, [recipe.picture(230, 230, 0)], ["blur.gaussian"])
    assert set(found["score"]["monotone"]) == {"blur"}
    assert len(found["score"]["means"]["blur.gaussian"]) == 6
    assert set(found["score"]["garbage"]) >= {"uniform noise", "black", "grey"}

    sharpness = Scorer(
        weights=tmp_path / "nano.safetensors", settings=Settings(prompts="sharpness", weight=1)
    )
    row = judge.attribute(sharpness, "blur.gaussian", [recipe.picture(230, 230, 0)])
    judge._show({**found, "attributes": {"sharpness": row}})
    assert "blur (aimed at)" in capsys.readouterr().out
