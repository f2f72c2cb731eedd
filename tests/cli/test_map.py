"""The command in a process of its own, as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Item, Scorer, Settings
from magiqa.pictures import decode, quality_map

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """In a folder with pictures: wide.png of 420x300, small.png, tall.png to be scaled down."""
    monkeypatch.chdir(tmp_path)
    for name, height, width in (("wide", 300, 420), ("small", 230, 200), ("one", 240, 300)):
        Image.fromarray(recipe.picture(height, width, seed=1)).save(f"{name}.png")
    Image.fromarray(recipe.picture(1200, 800, seed=1)).save("tall.png")

    def run_map(*options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "magiqa", "map", "--weights", checkpoint, *options]
        return subprocess.run(
            [*map(str, command)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"COLUMNS": "80"},
        )

    return run_map


def test_a_map_is_written_and_one_line_said(run: Run, tiny: Scorer) -> None:
    done = run("wide.png", "-o", "map.png")
    assert (done.returncode, done.stderr) == (0, "")
    score = tiny("wide.png")
    low, high = sorted(score.views[:-1], key=lambda view: view.score)
    assert done.stdout == (
        f"score {score.score:.4f}, lowest window {low.score:.4f} at {low.box}, "
        f"highest {high.score:.4f} at {high.box}\n"
    )
    expected = quality_map.draw(score, decode.read(Item("", "wide.png"), Settings()).pixels)
    with Image.open("map.png") as drawn:
        assert drawn.format == "PNG"
        assert (np.asarray(drawn) == np.asarray(expected)).all()
    assert not list(Path().glob(".*"))  # no temporary file is left


def test_the_picture_itself_is_not_written_over(run: Run) -> None:
    before = Path("wide.png").read_bytes()
    done = run("wide.png", "-o", "./wide.png")
    assert done.returncode == 3
    assert "wide.png - this is the picture itself - name another file" in done.stderr
    assert Path("wide.png").read_bytes() == before


def test_another_cue_under_other_settings(run: Run, checkpoint: Path) -> None:
    options = ["--cue", "magnitude", "--coverage", "full", "--resize", "300x250"]
    done = run("wide.png", "-o", "map.webp", *options)
    settings = Settings(coverage="full", resize=(300, 250))
    score = Scorer(weights=checkpoint, settings=settings)("wide.png")
    low, *_, high = sorted(view.magnitude for view in score.views[:-1])
    assert done.stdout.startswith(f"magnitude {score.magnitude:.4f}, lowest window {low:.4f} at ")
    assert f"), highest {high:.4f} at (" in done.stdout
    with Image.open("map.webp") as drawn:
        assert (drawn.format, drawn.width) == ("WEBP", 300)


def test_a_large_picture_is_mapped_as_scored_and_that_is_said(run: Run) -> None:
    done = run("tall.png", "-o", "map.jpg")
    assert done.stdout.endswith(", downscaled\n")
    with Image.open("map.jpg") as drawn:
        assert (drawn.format, drawn.width) == ("JPEG", 724)
    assert "downscaled" not in run("tall.png", "-o", "map.jpg", "--native").stdout
    with Image.open("map.jpg") as drawn:
        assert drawn.width == 800


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["one.png", "-o", "map.png"], 3, r"one.png - nothing to map: 300x240 has one window"),
        (["small.png", "-o", "map.png"], 3, r"200x230 has a side under 224 pixels, no window"),
        (["gone.png", "-o", "map.png"], 3, r"gone.png - there is no such file"),
        (["wide.png", "-o", "map.txt"], 3, r"map.txt - no picture format '.txt' - name it .png"),
        (["wide.png", "-o", "map"], 3, r"map - no picture format 'without a suffix'"),
        (["wide.png", "-o", "a/map.png"], 3, r"a/map.png - there is no folder a - make it first"),
        (["wide.png", "-o", "map.xbm"], 3, r"map.xbm - cannot be written \(cannot write mode RGB"),
        (["wide.png", "-o", "/proc/map.png"], 3, r"/proc/map.png - cannot be written \(.*\) - nam"),
        (["wide.png", "-o", "map.png", "--cue", "weight"], 2, r"'weight' is not one of 'score', "),
        (["wide.png", "-o", "map.png", "--native", "--resize", "9x9"], 2, r"contradicts --resize"),
        (["wide.png"], 2, r"Missing option '--output' / '-o'"),
    ],
)
def test_what_cannot_be(run: Run, arguments: list[str], code: int, text: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert re.search(text, done.stderr)
    assert "Traceback" not in done.stderr
    assert not done.stdout
    assert sorted(path.name for path in Path().iterdir()) == [
        "one.png", "small.png", "tall.png", "wide.png"
    ]  # fmt: skip


def test_a_folder_is_no_output_and_refusals_come_before_the_model(run: Run) -> None:
    Path("folder.png").mkdir()
    for output, text in (("folder.png", "this is a folder"), ("map.txt", "no picture format")):
        done = run("wide.png", "-o", output, "--weights", "gone.safetensors")
        assert done.returncode == 3
        assert text in done.stderr


def test_a_map_that_cannot_be_written_leaves_the_earlier_one(run: Run) -> None:
    Path("map.xbm").write_text("earlier")
    assert run("wide.png", "-o", "map.xbm").returncode == 3
    assert Path("map.xbm").read_text() == "earlier"
