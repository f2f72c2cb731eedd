"""`magiqa report`, and `magiqa score` with --report and --copy-to, as a user runs them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import recipe
from magiqa.cli.selection import Selection

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures and a text, and it is the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed in range(4):
        Image.fromarray(recipe.picture(230, 240, seed)).save(tmp_path / f"photos/{seed}.png")
    (tmp_path / "photos" / "text.png").write_text("a text")
    return tmp_path


@pytest.fixture
def magiqa(checkpoint: Path, folder: Path) -> Run:
    """The command in the folder; `score` with the tiny network."""

    def run(name: str, *options: object) -> subprocess.CompletedProcess[str]:
        weights = ["--weights", str(checkpoint)] if name == "score" else []
        command = [sys.executable, "-m", "magiqa", name, *weights, *map(str, options)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    return run


def columns(page: Path) -> dict[str, list[Any]]:
    """What the page's script works on."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page.read_text())
    assert found
    data: dict[str, dict[str, list[Any]]] = json.loads(found[1])
    return data["columns"]


def test_a_run_without_an_output_gives_a_page_and_nothing_else(magiqa: Run, folder: Path) -> None:
    done = magiqa("score", "photos", "--report", "r.html")
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 5
    assert re.search(r"report of 5 rows with 4 thumbnails in r.html \(0\.\d MB\)\n$", done.stderr)
    assert {path.name for path in folder.iterdir()} == {"photos", "r.html"}
    shown = columns(folder / "r.html")
    assert shown["source"] == [f"photos/{name}.png" for name in (0, 1, 2, 3, "text")]
    assert [each is not None for each in shown["map"]] == [True] * 4 + [False]
    assert "magiqa-" not in (folder / "r.html").read_text()  # of the rows' temporary place


def test_a_resumed_run_has_all_its_pictures_on_the_page(magiqa: Run, folder: Path) -> None:
    magiqa("score", "photos", "-o", "out.csv")
    Image.fromarray(recipe.picture(230, 240, 9)).save(folder / "photos" / "9.png")
    done = magiqa("score", "photos", "-o", "out.csv", "--report", "r.html")
    assert "1 scored, 4 kept from before, 1 failed before" in done.stderr
    names = [Path(source).stem for source in columns(folder / "r.html")["source"]]
    assert names == ["0", "1", "2", "3", "9", "text"]


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet"])
def test_the_page_of_an_output_is_that_of_its_run(magiqa: Run, folder: Path, name: str) -> None:
    magiqa("score", "photos", "-o", name, "--report", "of-the-run.html")
    done = magiqa("report", name, "-o", "later.html", "--jobs", 0)
    assert (done.returncode, done.stdout) == (0, "")
    assert (folder / "later.html").read_text() == (folder / "of-the-run.html").read_text()


def test_an_interrupted_run_has_a_page_of_what_was_scored(checkpoint: Path, folder: Path) -> None:
    for seed in range(4, 60):
        Image.fromarray(recipe.picture(480, 640, seed)).save(folder / f"photos/{seed}.png")
    command = [sys.executable, "-m", "magiqa", "score", "photos", "--weights", str(checkpoint)]
    with subprocess.Popen(
        [*command, "--report", "r.html", "--above", "0", "--copy-to", "best"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first row is through
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.search(r"- interrupted\nreport of \d+ rows", told)
    assert 0 < len(columns(folder / "r.html")["source"]) < 61
    assert list((folder / "best").iterdir()) == []  # what is best is not known


def test_a_missing_library_is_told_before_anything_is_scored(
    checkpoint: Path, folder: Path
) -> None:
    program = "import sys; sys.modules['jinja2'] = None; from magiqa.cli import main; main()"
    options = ["score", "photos", "--weights", str(checkpoint), "--report", "r.html"]
    done = subprocess.run(
        [sys.executable, "-c", program, *options], capture_output=True, text=True, check=False
    )
    assert done.stderr == "magiqa: a report needs jinja2 - pip install 'magiqa[report]'\n"
    assert (done.returncode, done.stdout) == (3, "")
    assert {path.name for path in folder.iterdir()} == {"photos"}


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["report", "gone.csv", "-o", "r.html"], 3, "gone.csv - there is no such output - name"),
        (["report", "photos/0.png", "-o", "r.html"], 3, "0.png - no output format '.png'"),
        (["report", "out.csv", "-o", "out.csv"], 3, "out.csv - no report format '.csv' - name it"),
        (["score", "photos", "--report", "r.pdf"], 3, "r.pdf - no report format '.pdf'"),
        (["score", "photos", "--copy-to", "d"], 2, "copies what is selected - add --top, --above"),
        (["score", "photos", "--copy-to", "photos/best", "--top", "1"], 3, "lies in photos, whose"),
    ],
)
def test_wrong_use_is_told(magiqa: Run, command: list[str], code: int, text: str) -> None:
    done = magiqa(*command)
    assert text in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stderr).split())
    assert (done.returncode, done.stdout) == (code, "")


def ranked(magiqa: Run) -> list[tuple[float, str]]:
    """Score and name of the pictures, worst first."""
    lines = [line.split("\t") for line in magiqa("score", "photos").stdout.splitlines()]
    return sorted((float(line[0]), Path(line[1]).name) for line in lines if line[0] != "failed")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_selected_is_copied(magiqa: Run, folder: Path) -> None:
    (_, first), (low, second), (high, third), (_, last) = ranked(magiqa)
    for options, expected in (
        (["--top", 1], [last]),
        (["--top", 2, "--sort", "worst"], [first, second]),
        (["--below", (low + high) / 2], [first, second]),
        (["--above", (low + high) / 2, "--top", 1, "--sort", "worst"], [third]),
        (["--above", 9], []),
    ):
        place = folder / f"copies{len(list(folder.iterdir()))}"
        done = magiqa("score", "photos", "--copy-to", place, *options)
        assert names(place) == sorted(expected)
        word = "picture" if len(expected) == 1 else "pictures"
        assert f"{len(expected)} {word} in {place}" in done.stderr
        for name in expected:
            assert (place / name).read_bytes() == (folder / "photos" / name).read_bytes()


def test_of_a_resumed_run_all_rows_are_selected_from(magiqa: Run, folder: Path) -> None:
    best = ranked(magiqa)[-1][1]
    magiqa("score", "photos", "-o", "out.csv")
    for _ in range(2):
        done = magiqa("score", "photos", "-o", "out.csv", "--top", 1, "--copy-to", "best")
        assert "0 scored, 4 kept from before" in done.stderr
        assert names(folder / "best") == [best]


def test_a_picture_that_cannot_be_copied_is_told(
    magiqa: Run, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    magiqa("score", "photos", "-o", "out.csv")
    (folder / "photos" / "0.png").unlink()
    (folder / "best").mkdir()
    selection = Selection(sort=None, top=9, above=None, below=None)
    assert not selection.copy(folder / "out.csv", folder / "best")
    assert capsys.readouterr().err == (
        "not copied: photos/0.png - there is no such file or folder - check the path\n"
        f"3 pictures in {folder / 'best'}\n"
    )
    assert names(folder / "best") == ["1.png", "2.png", "3.png"]
