"""`make check-data`: full-size RN50 and the warnings on real pictures, from ../shared."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CHECKPOINTS

import recipe
from magiqa import Item, Scorer, Settings
from magiqa.pictures import decode, warning

pytestmark = pytest.mark.data

# AGIQA-3k pictures that hold nothing: black, black with specks, one dark colour
EMPTY = 9


def test_warnings_on_every_real_picture(shared: Path) -> None:
    paths = sorted(path for path in (shared / "data").rglob("*") if path.suffix in (".jpg", ".png"))
    assert len(paths) >= 3500
    flagged: dict[str, list[str]] = {"flat": [], "noise-like": []}
    for path in paths:
        pixels = decode.read(Item(str(path), path), Settings()).pixels
        found = warning.content_warning(pixels)
        if found:
            flagged[found].append(path.name)
    false_alarms = len(flagged["flat"]) - EMPTY + len(flagged["noise-like"])
    assert false_alarms <= 0.002 * len(paths), flagged


def test_the_command_scores_photographs_as_the_api_does(shared: Path, tmp_path: Path) -> None:
    weights = recipe.checkpoint_file("RN50", CHECKPOINTS)
    kodak = shared / "data" / "pristine" / "kodak"
    photographs = sorted(kodak.glob("*.png"))[:4]
    out = tmp_path / "out.csv"
    command = [sys.executable, "-m", "magiqa", "score", "--weights", str(weights), "-o", str(out)]
    subprocess.run([*command, *map(str, photographs)], check=True, capture_output=True)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    meta = json.loads((tmp_path / "out.csv.meta.json").read_text())
    assert meta["backbone"] == "RN50"
    # upright sRGB pictures of at most 1024x768: both protocols agree
    scorer = Scorer(weights=weights, settings=Settings(protocol="paper"))
    for row, score in zip(rows, scorer.score_many(photographs), strict=True):
        assert float(row["score"]) == pytest.approx(score.score, abs=1e-6)
        assert (row["views"], row["width"]) == (str(len(score.views)), str(score.width))
        assert np.isfinite(score.score)
