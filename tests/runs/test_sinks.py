from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from magiqa import Failure, Item, OutputError, Score, ViewScore
from magiqa.runs import sinks

PAIRS = (("x", "y"),)
VIEW = ViewScore((0, 0, 9, 9), 0.25, 0.5, 0.5, 0.375)
SCORE = Score("ä,\n.jpg", 0.375, 0.25, 0.5, 0.5, {"x / y": 0.25}, 9, 9, "b", ("flat",), (VIEW,))
FAILURE = Failure("bad\udcff.jpg", "PictureError", "bad - why - how")
ROWS = [
    sinks.row(Item(SCORE.source, None, key="k"), SCORE, PAIRS),
    sinks.row(Item(FAILURE.source, None), FAILURE, PAIRS),
]
PROVENANCE = {"magiqa": "1"}
NAMES = ["source", "key", "score", "similarity", "magnitude", "weight", "x / y"]
NAMES += ["width", "height", "views", "backbone", "warnings", "error_kind", "error"]


def written(path: Path, rows: list[sinks.Row]) -> list[dict[str, Any]]:
    sinks.write(path, lambda: iter(rows), PAIRS, PROVENANCE)
    if path.suffix == ".parquet":
        read: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
        return read
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_scores_and_failures_share_one_schema() -> None:
    assert list(sinks.columns(PAIRS)) == NAMES
    for row in ROWS:
        assert list(row) == NAMES
        for name, kind in sinks.columns(PAIRS).items():
            assert row[name] is None or isinstance(row[name], kind)


def test_jsonl(tmp_path: Path) -> None:
    assert written(tmp_path / "out.jsonl", ROWS) == ROWS  # names that are no text included


def test_csv(tmp_path: Path) -> None:
    score, failure = written(tmp_path / "out.csv", ROWS)
    assert (score["source"], score["key"]) == ("ä,\n.jpg", "k")
    assert score["x / y"] == "0.25"
    assert score["warnings"] == "flat"
    assert failure == dict.fromkeys(NAMES, "") | {
        "source": "bad\\udcff.jpg",
        "key": "bad\\udcff.jpg",
        "error_kind": "PictureError",
        "error": "bad - why - how",
    }


def test_parquet(tmp_path: Path) -> None:
    score, failure = written(tmp_path / "out.parquet", ROWS)
    assert score == ROWS[0]
    assert failure == ROWS[1] | {"source": "bad\\udcff.jpg", "key": "bad\\udcff.jpg"}


def test_every_kind_of_value_that_a_manifest_carries(tmp_path: Path) -> None:
    carried: list[dict[str, Any]] = [
        {
            "id": 7,
            "mixed": 1,
            "huge": 2**70,
            "long": 2**62,
            "label": "cat",
            "tags": ["a", 1],
            "ok": True,
            "x": 1,
        },
        {
            "id": 8,
            "mixed": "no",
            "huge": 1,
            "long": 0.5,
            "label": None,
            "tags": {},
            "ok": False,
            "x": 0.5,
        },
    ]
    rows = [sinks.with_carried(row, each) for row, each in zip(ROWS, carried, strict=True)]
    assert written(tmp_path / "out.jsonl", rows) == rows
    typed = [
        [7, "1", str(2**70), str(2**62), "cat", '["a", 1]', True, 1.0],
        [8, "no", "1", "0.5", None, "{}", False, 0.5],
    ]
    plain = [
        ["7", "1", str(2**70), str(2**62), "cat", '["a", 1]', "True", "1"],
        ["8", "no", "1", "0.5", "", "{}", "False", "0.5"],
    ]
    for suffix, wanted in ((".parquet", typed), (".csv", plain)):
        read = written(tmp_path / f"out{suffix}", rows)
        assert list(read[0]) == [*NAMES, *carried[0]]
        assert [[row[name] for name in carried[0]] for row in read] == wanted


def test_carried_columns_never_stand_in_for_the_schemas() -> None:
    row = sinks.with_carried(ROWS[0], {"score": 1, "input_score": 2, "mine": float("nan")})
    assert row == ROWS[0] | {"input_score": 1, "input_input_score": 2, "mine": None}


@pytest.mark.parametrize("suffix", sinks.SUFFIXES)
def test_columns_and_types_do_not_depend_on_the_rows(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{number}{suffix}" for number in range(3)]
    for path, rows in zip(paths, (ROWS, ROWS[1:], []), strict=True):
        written(path, rows)
    if suffix == ".parquet":
        assert len({str(pyarrow.parquet.read_schema(path)) for path in paths}) == 1
    elif suffix == ".csv":
        assert len({path.read_text().splitlines()[0] for path in paths}) == 1


def test_provenance_goes_with_the_rows(tmp_path: Path) -> None:
    for suffix in (".csv", ".jsonl"):
        written(tmp_path / f"out{suffix}", ROWS)
        assert json.loads((tmp_path / f"out{suffix}.meta.json").read_text()) == PROVENANCE
    written(tmp_path / "out.parquet", ROWS)
    metadata = pyarrow.parquet.read_schema(tmp_path / "out.parquet").metadata
    assert json.loads(metadata[b"magiqa"]) == PROVENANCE


def test_an_earlier_output_stays_when_rows_end_badly(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("earlier")

    def rows() -> Any:
        yield ROWS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match=r"out.csv - cannot be written \(No space left.*kept in"):
        sinks.write(path, rows, PAIRS, PROVENANCE)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_become_an_output_is_told_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for path, text in (
        (tmp_path / "out.xlsx", r"no output format '.xlsx' - choose from .csv, .jsonl"),
        (tmp_path / "out", r"no output format 'without a suffix'"),
        (tmp_path / "folder.csv", r"this is a folder - name a file in it"),
    ):
        with pytest.raises(OutputError, match=text):
            sinks.check(path)
