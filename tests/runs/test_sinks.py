from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from magiqa import Failure, OutputError, Score, ViewScore
from magiqa.runs.sinks import Sink, row

PAIRS = (("x", "y"),)
VIEW = ViewScore((0, 0, 9, 9), 0.25, 0.5, 0.5, 0.375)
SCORE = Score("ä,\n.jpg", 0.375, 0.25, 0.5, 0.5, {"x / y": 0.25}, 9, 9, "b", ("flat",), (VIEW,))
FAILURE = Failure("bad\udcff.jpg", "PictureError", "bad - why - how")


def written(path: Path) -> list[dict[str, object]]:
    with Sink(path, PAIRS) as sink:
        sink.write(SCORE)
        sink.write(FAILURE)
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_scores_and_failures_share_one_schema() -> None:
    wanted = ["source", "score", "similarity", "magnitude", "weight", "x / y"]
    wanted += ["width", "height", "views", "backbone", "warnings", "error_kind", "error"]
    for result in (SCORE, FAILURE):
        assert list(row(result, PAIRS)) == wanted


def test_jsonl(tmp_path: Path) -> None:
    score, failure = written(tmp_path / "out.jsonl")
    assert score == row(SCORE, PAIRS)
    assert failure["source"] == "bad\udcff.jpg"  # the very name, bytes that are no text included
    assert failure["score"] is None


def test_csv(tmp_path: Path) -> None:
    score, failure = written(tmp_path / "out.csv")
    assert score["source"] == "ä,\n.jpg"
    assert score["x / y"] == "0.25"
    assert score["warnings"] == "flat"
    assert failure == dict.fromkeys(score, "") | {
        "source": "bad\\udcff.jpg",
        "error_kind": "PictureError",
        "error": "bad - why - how",
    }


def test_rows_survive_whatever_ends_the_run(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt), Sink(path, PAIRS) as sink:
        interrupted(sink)
    assert len(path.read_text().splitlines()) == 3  # the first name holds a line break
    assert list(tmp_path.iterdir()) == [path]


def interrupted(sink: Sink) -> None:
    sink.write(SCORE)
    raise KeyboardInterrupt


def test_a_run_that_never_began_leaves_an_earlier_output(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("earlier")
    with pytest.raises(ZeroDivisionError), Sink(path, PAIRS):
        _ = 1 / 0
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_provenance_lies_beside(tmp_path: Path) -> None:
    with Sink(tmp_path / "out.csv", PAIRS) as sink:
        sink.describe({"magiqa": "1"})
    assert json.loads((tmp_path / "out.csv.meta.json").read_text()) == {"magiqa": "1"}


def test_unwritable_outputs_are_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for path, text in (
        (tmp_path / "out.xlsx", r"no output format '.xlsx' - choose from .csv, .jsonl"),
        (tmp_path / "out", r"no output format 'without a suffix'"),
        (tmp_path / "folder.csv", r"this is a folder - name a file in it"),
        (tmp_path / "file" / "out.csv", r"cannot be written \(.*\) - name a file in a folder you"),
        (Path("/proc/out.csv"), r"cannot be written"),
    ):
        with pytest.raises(OutputError, match=text):
            Sink(path, PAIRS)
