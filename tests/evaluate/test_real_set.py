"""`make check-data`: the real AGIQA-3k, its first pictures, from the labels to the correlation."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from scipy.stats import kendalltau, spearmanr

from magiqa import Scorer
from magiqa.evaluate.methods import settings_of

pytestmark = pytest.mark.data

FIRST = 12


def test_the_first_pictures_of_agiqa_3k(shared: Path, checkpoint: Path, tmp_path: Path) -> None:
    root = shared / "data" / "agiqa-3k"
    command = [sys.executable, "-m", "magiqa", "evaluate", "agiqa-3k", "--root", str(root)]
    command += ["--limit", str(FIRST), "--weights", str(checkpoint), "-o", "out.json"]
    command += ["--method", "ma-clip", "--method", "clip-iqa-whole"]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert done.stderr.count(f"AGIQA-3k: {FIRST} scored") == 2
    with (root / "data.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))[:FIRST]
    labels = [float(row["mos_quality"]) for row in rows]
    paths = [root / "images" / row["name"] for row in rows]
    about = json.loads((tmp_path / "out.json").read_text())
    assert [each["name"] for each in about["pictures"]] == [row["name"] for row in rows]
    assert [each["mos"] for each in about["pictures"]] == labels
    for result in about["results"]:
        method = result["method"]
        scorer = Scorer(weights=checkpoint, settings=settings_of(method))
        scores = [each.score for each in scorer.score_many(paths)]
        kept = [each[method] for each in about["pictures"]]
        assert kept == pytest.approx(scores, abs=1e-5)
        assert result["correlation"]["n"] == FIRST
        assert result["correlation"]["srcc"] == pytest.approx(spearmanr(kept, labels).statistic)
        assert result["correlation"]["krcc"] == pytest.approx(kendalltau(kept, labels).statistic)
