from __future__ import annotations

import io
import itertools
import os
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from magiqa import Failure, Item
from magiqa.runs.sources import list_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.JPG", "a.png", "deep/er/c.webp", "notes.txt", ".hidden.jpg", ".git/d.jpg"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "pictures"


def names(items: list[Item | Failure], folder: Path) -> list[str]:
    return [str(Path(item.source).relative_to(folder)) for item in items]


def give(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_a_folder_is_every_picture_below_it_in_order(folder: Path) -> None:
    assert names(list(list_items([folder])), folder) == ["a.png", "b.JPG", "deep/er/c.webp"]


def test_a_file_is_taken_whatever_its_name_and_as_often_as_named(folder: Path) -> None:
    items = list(list_items([folder / "notes.txt", str(folder / "a.png"), folder / "a.png"]))
    assert names(items, folder) == ["notes.txt", "a.png", "a.png"]


def test_what_leads_to_no_picture_is_a_failure_in_its_place(folder: Path) -> None:
    (folder / "empty").mkdir()
    gone, item, empty = list_items([folder / "gone", folder / "a.png", folder / "empty"])
    assert isinstance(gone, Failure)
    assert gone.text.endswith("gone - there is no such file or folder - check the path")
    assert isinstance(item, Item)
    assert isinstance(empty, Failure)
    assert empty.kind == "SourceError"
    assert empty.text.endswith("empty - no picture in it - name another folder or a picture")


def test_a_loop_of_links_ends(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    assert len(list(list_items([folder]))) == 3


def test_a_source_may_be_endless(folder: Path) -> None:
    items = list_items(str(folder / f"{number}.png") for number in itertools.count())
    assert next(items).source.endswith("0.png")
    again = list_items(itertools.repeat(folder))
    assert names(list(itertools.islice(again, 4)), folder)[3] == "a.png"


def test_sources_are_listed_on_stdin_as_on_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, f"{folder}/a.png\r\n\n{folder}/deep\n{folder}/*.JPG".encode())
    assert names(list(list_items(["-"])), folder) == ["a.png", "deep/er/c.webp", "b.JPG"]


def test_zero_bytes_on_stdin_end_names_that_hold_line_breaks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "two\nlines.png").touch()
    give(monkeypatch, f"{folder}/two\nlines.png\0{folder}/a.png\0".encode())
    assert names(list(list_items(["-"])), folder) == ["two\nlines.png", "a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text elsewhere")
def test_names_on_stdin_and_in_folders_may_be_any_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = os.fsencode(folder / "deep") + b"/\xe4.png"
    os.close(os.open(name, os.O_CREAT))
    give(monkeypatch, name)
    [listed] = list_items(["-"])
    assert isinstance(listed, Item)
    assert listed in list(list_items([folder / "deep"]))


def test_an_endless_stdin_is_listed_as_it_comes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as lines, open(writer, "wb", buffering=0) as pen:
        monkeypatch.setattr(sys, "stdin", lines)
        items = list_items(["-"])
        for name in ("a.png", "b.JPG"):
            pen.write(f"{folder}/{name}\n".encode())
            assert next(items).source == f"{folder}/{name}"


def test_stdin_without_a_name_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"\n")
    [failure] = list_items(["-"])
    assert isinstance(failure, Failure)
    assert failure.text.startswith("standard input - no picture in it")


def test_a_line_on_stdin_that_is_a_dash_is_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    give(monkeypatch, b"-\n")
    [failure] = list_items(["-"])
    assert isinstance(failure, Failure)
    assert failure.text == "- - there is no such file or folder - check the path"


def test_a_damaged_archive_does_not_end_a_glob(tmp_path: Path) -> None:
    (tmp_path / "0.tar").write_bytes(b"no archive" * 100)
    (tmp_path / "1.tar").mkdir()  # whatever it is called
    (tmp_path / "1.tar" / "a.png").touch()
    with tarfile.open(tmp_path / "2.tar", "w") as shard:
        shard.addfile(tarfile.TarInfo("b.png"))
    damaged, in_folder, in_shard = list_items([tmp_path / "*.tar"])
    assert isinstance(damaged, Failure)
    assert damaged.source == str(tmp_path / "0.tar")
    assert in_folder.source == str(tmp_path / "1.tar" / "a.png")
    assert in_shard.source == str(tmp_path / "2.tar" / "b.png")


@pytest.mark.parametrize("name", ["x\0.png", "\ud800.png", "x" * 5000 + ".png"])
def test_what_no_file_can_be_called_is_not_there(name: str) -> None:
    [failure] = list_items([name])
    assert isinstance(failure, Failure)
    assert failure.text.endswith("there is no such file or folder - check the path")


def test_one_source_alone_is_taken_as_such(folder: Path) -> None:
    assert list(list_items(str(folder))) == list(list_items([folder])) == list(list_items(folder))  # type: ignore[arg-type]


def test_what_is_no_address_is_a_failure_in_its_place(folder: Path) -> None:
    first = next(iter(list_items([folder])))
    listed = list(list_items(["https://[broken/x.jpg", "https://a\u2100b.com/x.jpg", folder]))
    assert [entry.source for entry in listed[:2]] == [
        "https://[broken/x.jpg",
        "https://a\u2100b.com/x.jpg",
    ]
    assert listed[2] == first


def test_a_glob_passes_over_what_runs_wrote(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    for name in ("list.csv", "out.csv", "out.jsonl"):
        (tmp_path / name).write_text("path\na.png\n")
    for name in ("out.csv", "out.jsonl"):
        (tmp_path / f"{name}.journal.jsonl").write_text("{}\n")
    assert len(list(list_items([str(tmp_path / "*.csv")]))) == 1
    assert len(list(list_items([str(tmp_path / "out.csv")]))) == 1  # asked for by its name
    [nothing] = list_items([str(tmp_path / "*.jsonl")])
    assert isinstance(nothing, Failure)


def test_a_glob_passes_over_what_lies_beside_outputs_too(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    for name in ("rescored.csv", "deep/part-0.csv"):  # without journals
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("path\na.png\n")
    for name in ("rescored.csv.meta.json", "deep/_magiqa.json"):
        (tmp_path / name).write_text("{}\n")
    assert [each.source for each in list_items([str(tmp_path / "**/*")])] == [f"{tmp_path}/a.png"]


class Slow(io.BytesIO):
    """A pipe that gives a few bytes at a time."""

    def read1(self, _: int | None = -1, /) -> bytes:
        return self.read(3)


@pytest.mark.parametrize("end", ["\n", "\0"])
def test_a_name_and_its_end_may_come_apart(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = Slow(end.join(["aaa", "b.png", "c.png"]).encode())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=content))
    assert [entry.source for entry in list_items(["-"])] == ["aaa", "b.png", "c.png"]
    monkeypatch.setattr(sys, "stdin", None)
    [nothing] = list_items(["-"])
    assert isinstance(nothing, Failure)
