from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import recipe
from magiqa.runs import parts
from magiqa.runs.outputs import Output

COUNT = 240


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, one of them none."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(COUNT):
        Image.fromarray(recipe.picture(260, 300, seed % 9)).save(folder / f"{seed:03}.jpg")
    (folder / "007.jpg").write_text("a text")
    return folder


def begun(folder: Path, *options: str) -> subprocess.Popen[str]:
    """`magiqa cluster` on a Ray of its own, in the current folder."""
    line = [sys.executable, "-m", "magiqa", "cluster", str(folder), "-o", "out", *options]
    return subprocess.Popen(line, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    with process:
        _, told = process.communicate(timeout=100)
        return process.returncode, told


def wait_for_parts(count: int) -> None:
    until = time.monotonic() + 60
    while len(parts.files(Path("out"))) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_ends_at_any_moment_and_goes_on(folder: Path, checkpoint: Path) -> None:
    options = ("--weights", os.path.relpath(checkpoint), "--workers", "1", "2", "--chunk", "8")
    process = begun(folder, *options)
    wait_for_parts(1)
    process.kill()
    ended(process)
    process = begun(folder, *options)
    wait_for_parts(len(parts.files(Path("out"))) + 3)
    process.send_signal(signal.SIGINT)
    code, told = ended(process)
    assert (code, "- interrupted: give the same command to go on" in told) == (130, True)
    left = COUNT // 8 - len(parts.files(Path("out")))
    assert left
    code, told = ended(begun(folder, *options))
    assert (code, told.count("\n")) == (1, 1), told  # one picture is none; Ray is quiet
    assert ", rows in out" in told
    assert "kept from before" in told
    sources = [row["source"] for row in Output(Path("out")).rows()]
    assert sources == sorted(map(str, folder.iterdir()))
    assert set(os.listdir("out")) == {parts.RECORD, *map(parts.part_name, range(COUNT // 8))}


def test_what_cannot_be_is_refused(folder: Path, checkpoint: Path) -> None:
    weights = ("--weights", str(checkpoint))
    for options, text in (
        (("--gpus-per-worker", "1"), "the encoder runs on CPUs - add --engine torch --device"),
        (("--workers", "2", "1"), "workers - got 2 1 - give at least 1, and no more than the"),
    ):
        code, told = ended(begun(folder, *weights, *options))
        assert (code, text in " ".join(told.split())) == (2, True), told
