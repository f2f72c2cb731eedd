"""`magiqa score --method` and `magiqa fit`, as a user runs them."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import recipe
from magiqa.evaluate.rivals.niqe import Niqe
from magiqa.evaluate.rivals.piqe import piqe


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "magiqa", *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "good"
    folder.mkdir()
    for seed in range(3):
        Image.fromarray(recipe.picture(480, 480, seed)).save(folder / f"{seed}.png")
    return folder


def test_scores_are_the_metrics_and_lower_is_better(folder: Path) -> None:
    (folder / "text.jpg").write_text("not a picture")
    done = run("score", folder, "--method", "piqe", "--sort", "best")
    *scored, failed = [line.split("\t") for line in done.stdout.splitlines()]
    expected = sorted(piqe(recipe.picture(480, 480, seed)) for seed in range(3))
    assert [float(score) for score, *_ in scored] == pytest.approx(expected, abs=1e-5)
    assert failed[0] == "failed"
    assert done.returncode == 1


def test_a_model_of_ones_own(folder: Path, tmp_path: Path) -> None:
    model, out = tmp_path / "model.npz", tmp_path / "rows.csv"
    fitted = run("fit", "niqe", folder, "-o", model)
    assert f"niqe of 3 pictures in {model}" in fitted.stderr
    assert fitted.returncode == 0
    assert run("score", folder, "--method", f"niqe={model}", "-o", out).returncode == 0
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    own = Niqe(model)
    for seed, row in enumerate(rows):
        assert float(row["score"]) == pytest.approx(own(recipe.picture(480, 480, seed)), rel=1e-6)
        assert row["similarity"] == ""
    about = json.loads(Path(f"{out}.meta.json").read_text())
    assert about["backbone"] == f"niqe={model}"
    assert about["lower_is_better"] is True
    again = run("score", folder, "--method", "niqe", "-o", out)
    assert again.returncode == 2
    assert "begun otherwise: backbone was" in again.stderr


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("score", "{}", "--method", "nique"), 2, "rival - no 'nique' - did you mean niqe"),
        (("score", "{}", "--method", "piqe", "--backbone", "RN50"), 2, "leave it out with"),
        (("fit", "niqe", "{}", "-o", "model.mat"), 3, "no model format '.mat' - name a .npz file"),
        (("fit", "niqe", "{}/gone", "-o", "m.npz"), 3, "there is no such folder"),
        (("fit", "ilniqe", "{}", "-o", "m.npz"), 2, "IL-NIQE's model needs 469"),
    ],
)
def test_what_cannot_start_says_why(
    folder: Path, options: tuple[str, ...], code: int, text: str
) -> None:
    done = run(*(option.format(folder) for option in options))
    assert done.returncode == code
    assert text in " ".join(done.stderr.split())
