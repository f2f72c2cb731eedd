"""--engine, --device and --dtype, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

import recipe
from magiqa import Scorer


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.fromarray(recipe.picture(240, 320, seed=1)).save(path)
    return path


def magiqa(command: str, checkpoint: Path, *options: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "magiqa", command, "--weights", checkpoint, *options]
    return subprocess.run([*map(str, line)], capture_output=True, text=True, check=False)


def test_scores_of_torch_say_so(checkpoint: Path, picture: Path, tiny: Scorer) -> None:
    out = picture.with_name("out.jsonl")
    options = "--engine", "torch", "--device", "cpu", "--dtype", "bfloat16"
    done = magiqa("score", checkpoint, picture, "-o", out, *options)
    assert done.returncode == 0, done.stderr
    [row] = map(json.loads, out.read_text().splitlines())
    assert row["score"] == pytest.approx(tiny(picture).score, abs=0.01)
    meta = json.loads(out.with_name("out.jsonl.meta.json").read_text())
    assert meta["engine"] == f"torch {torch.__version__} cpu bfloat16"


@pytest.mark.parametrize("command", ["score", "map", "embed"])
def test_an_option_of_the_other_engine_is_refused(
    checkpoint: Path, picture: Path, command: str
) -> None:
    output = ["-o", picture.with_name("kept" if command == "embed" else "map.png")]
    options = [] if command == "score" else output
    done = magiqa(command, checkpoint, picture, *options, "--dtype", "float16")
    assert done.returncode == 2
    assert "dtype - got 'float16' with engine='onnx' - it is torch's" in done.stderr


def test_an_absent_device_is_an_error(checkpoint: Path, picture: Path) -> None:
    done = magiqa("score", checkpoint, picture, "--engine", "torch", "--device", "cuda:77")
    assert done.returncode == 2
    assert "device - 'cuda:77' is not there for torch" in done.stderr
