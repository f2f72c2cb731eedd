from __future__ import annotations

import datetime
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from magiqa import Failure, Item
from magiqa.runs import manifests
from magiqa.runs.sources import list_items

ROWS: list[dict[str, Any]] = [
    {"path": "a.png", "label": "one", "count": 1},
    {"path": "deep/b c.png", "label": "two", "count": None},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("a.png", "deep/b c.png"):
        (tmp_path / name).touch()
    return tmp_path


def listed(path: Path, column: str | None = None) -> list[Item]:
    found = list(list_items([path], column))
    assert all(isinstance(each, Item) for each in found), found
    return [each for each in found if isinstance(each, Item)]


def failure(path: Path, column: str | None = None) -> str:
    [found] = list_items([path], column)
    assert isinstance(found, Failure)
    return found.text


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        return path
    if path.suffix == ".jsonl":
        return write(path, "".join(json.dumps(row) + "\n" for row in rows))
    separator = "\t" if path.suffix == ".tsv" else ","
    lines = [list(rows[0]), *([*row.values()] for row in rows)]
    cells = [["" if cell is None else str(cell) for cell in line] for line in lines]
    return write(path, "".join(separator.join(line) + "\r\n" for line in cells))


@pytest.mark.parametrize("name", ["list.csv", "list.TSV", "list.jsonl", "list.parquet"])
def test_a_row_is_an_item_relative_to_the_manifest(folder: Path, name: str) -> None:
    typed = not name.lower().endswith("sv")
    path = write_rows(folder / name.lower(), ROWS).rename(folder / name)
    first, second = listed(path)
    assert (first.source, first.key) == (f"{folder}/a.png", "a.png")
    assert first.stamp
    assert first.carried == {"label": "one", "count": 1 if typed else "1"}
    assert (second.source, second.key) == (f"{folder}/deep/b c.png", "deep/b c.png")
    assert second.carried == {"label": "two", "count": None if typed else ""}


def test_paths_may_be_absolute_or_urls(folder: Path) -> None:
    path = write(folder / "list.csv", f"file\n{folder}/a.png\nhttps://example.org/a.png\n")
    assert [each.source for each in listed(path)] == [
        f"{folder}/a.png",
        "https://example.org/a.png",
    ]


def test_an_output_of_magiqa_names_pictures_as_its_run_was_given_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    own = write(folder / "deep/scores.csv", "source,error_kind\na.png,\n")
    assert [each.source for each in listed(own)] == ["a.png"]
    another = write(folder / "deep/list.csv", "source,label\nb c.png,\n")
    assert [each.source for each in listed(another)] == [f"{folder}/deep/b c.png"]


@pytest.mark.parametrize("name", ["path", "file_name", "image", "url"])
def test_usual_columns_need_not_be_named(folder: Path, name: str) -> None:
    assert len(listed(write(folder / "list.csv", f"id,{name}\n1,a.png\n"))) == 1


def test_the_column_may_be_named(folder: Path) -> None:
    path = write(folder / "list.csv", "path,mine\ngone.png,a.png\n")
    [item] = listed(path, "mine")
    assert item.key == "a.png"
    assert item.carried == {"path": "gone.png"}


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl", "list.parquet"])
def test_a_manifest_without_the_column_says_which_there_are(folder: Path, name: str) -> None:
    path = write_rows(folder / name, ROWS)
    assert failure(path, "mine") == (
        f"{path} - no column mine among path, label, count - name the one with the pictures with "
        f"--column"
    )
    path = write_rows(path, [{"photo": "a.png"}])
    assert failure(path).startswith(f"{path} - no column path or file or file_name or ")


def test_a_row_that_names_no_picture_is_a_failure_and_the_rest_goes_on(folder: Path) -> None:
    lines = ['{"path": "a.png"}', "{broken", "[1]", '{"path": 5}', '{"x": 1}', "[" * 99999]
    path = write(folder / "list.jsonl", "\n".join([*lines, "", '{"path": "a.png"}']))
    first, *failures, last = list_items([path])
    assert isinstance(first, Item)
    assert isinstance(last, Item)
    texts = [each.text for each in failures if isinstance(each, Failure)]
    assert texts[:4] == [
        f"{path} row 2 - no JSON object: '{{broken' - give a path or a URL",
        f"{path} row 3 - no JSON object: [1] - give a path or a URL",
        f"{path} row 4 - column 'path' holds 5 - give a path or a URL",
        f"{path} row 5 - column 'path' holds None - give a path or a URL",
    ]
    assert len(texts) == 5
    assert len(texts[4]) < len(str(path)) + 100


def test_cells_may_be_missing_too_many_or_of_several_lines(folder: Path) -> None:
    content = 'label,path\n"two\nlines",a.png,more\nshort\n\n"x,y",a.png\n'
    first, second, third = list_items([write(folder / "list.csv", content)])
    assert isinstance(first, Item)
    assert first.carried == {"label": "two\nlines"}
    assert isinstance(second, Failure)
    assert second.text.endswith("row 2 - column 'path' holds None - give a path or a URL")
    assert isinstance(third, Item)
    assert third.carried == {"label": "x,y"}


def test_a_byte_order_mark_is_no_part_of_the_first_column(folder: Path) -> None:
    assert len(listed(write(folder / "list.csv", b"\xef\xbb\xbfpath\r\na.png\r\n"))) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_in_another_encoding_are_the_bytes_they_are(folder: Path) -> None:
    os.close(os.open(os.fsencode(folder) + b"/\xe4.png", os.O_CREAT))
    [item] = listed(write(folder / "list.csv", b"path,label\n\xe4.png,\xf6\n"))
    assert os.fsencode(item.source).endswith(b"\xe4.png")


@pytest.mark.skipif(sys.platform == "win32", reason="has no named pipes that are files")
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_manifest_is_listed_as_it_comes(folder: Path, name: str) -> None:
    path = folder / name
    content = write_rows(path, ROWS).read_bytes()
    path.unlink()
    os.mkfifo(path)
    pen = os.open(path, os.O_RDWR)  # reading does not end while it is open
    try:
        os.write(pen, content)
        items = list_items([path])
        assert [each.source for each in itertools.islice(items, 1)] == [f"{folder}/a.png"]
        os.write(pen, content.splitlines(keepends=True)[-1])
        assert len(list(itertools.islice(items, 2))) == 2
    finally:
        os.close(pen)


def test_a_manifest_without_rows_is_a_failure(folder: Path) -> None:
    for content in ("", "path\n"):
        assert "no picture in it" in failure(write(folder / "list.csv", content))


@pytest.mark.parametrize("content", [b"", b"PAR1" + bytes(100), b"PAR1xxxxPAR1" * 100])
def test_what_is_no_parquet_file_is_a_failure(folder: Path, content: bytes) -> None:
    path = write(folder / "list.parquet", content)
    text = failure(path)
    assert text.startswith(f"{path} - not a readable manifest (")
    assert text.endswith(") - give CSV, JSON Lines or Parquet")


def test_a_cell_may_be_long_but_not_endless(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(folder / "list.csv", "path,caption\na.png," + "x" * 200_000)
    [item] = listed(path)
    assert len(item.carried["caption"]) == 200_000
    monkeypatch.setattr(manifests, "LONGEST", 100_000)
    assert "not a readable manifest (field larger than field limit" in failure(path)


def test_parquet_values_are_carried_as_json_can_hold_them(folder: Path) -> None:
    row = {
        "path": "a.png",
        "when": datetime.date(2024, 2, 29),
        "box": [1, 2],
        "about": {"score": 0.5, "fine": True},
        "image": {"bytes": b"a picture", "path": "a.png"},
        "thumbnail": b"a picture",
    }
    [item] = listed(write_rows(folder / "list.parquet", [row]))
    assert item.carried == {
        "when": "2024-02-29",
        "box": [1, 2],
        "about": {"score": 0.5, "fine": True},
    }


def test_parquet_without_pyarrow_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_rows(folder / "list.parquet", ROWS)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    [found] = list_items([path])
    text = f"{path} - Parquet needs pyarrow - pip install 'magiqa[files]'"
    assert found == Failure(str(path), "MissingExtra", text)
