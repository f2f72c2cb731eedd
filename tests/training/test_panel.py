from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

import export
import heldout
import panel
import recipe
from distortions import KINDS


def test_unseen_kinds_are_of_every_family_and_leave_some() -> None:
    families = {kind.family for kind in KINDS.values()}
    assert {KINDS[name].family for name in panel.UNSEEN} == families
    seen = {kind.family for name, kind in KINDS.items() if name not in panel.UNSEEN}
    assert seen == families


def test_every_recipe_learns_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, side in (("kodak", 450), ("more", 140)):
        (tmp_path / folder).mkdir()
        Image.fromarray(recipe.picture(side, side, 1)).save(tmp_path / folder / "a.png")
    kinds = ("blur.gaussian", "blur.motion")
    monkeypatch.setattr(heldout.HeldOut.__init__, "__defaults__", (0, kinds))
    monkeypatch.setattr("train.FITTED", 80)
    command = f"panel {tmp_path} --out {tmp_path / 'out'} --steps 4 --ladders 8 --sides 64"
    monkeypatch.setattr(sys, "argv", [*command.split(), "--device", "cpu", "--workers", "0"])
    panel.main()

    lines = [json.loads(line) for line in (tmp_path / "out/panel.jsonl").read_text().splitlines()]
    assert len(lines) == len(panel.JUDGED) * len(panel.RECIPES) * 2
    assert {line["run"] for line in lines} >= {"natural", "natural-unseen"}
    assert lines[-1]["share"] == 1
    assert "unseen_score_srcc" in lines[-1]
    assert export.load(tmp_path / "out/natural.safetensors").logit_scale > 0
    assert (tmp_path / "out/known-0.85.safetensors").exists()
