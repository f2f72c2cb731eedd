from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from magiqa import Failure, Item
from magiqa.runs.fetch import fetched
from magiqa.runs.reopen import as_text, reopened
from magiqa.runs.sources import list_items
from runs.servers import Answer, web_server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files and archives of them, of which one is named like an archive."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.tar").mkdir()
    for name in ("a.png", "b.png", "d.tar/c.png"):
        (tmp_path / name).write_text(f"pixels of {name}")
    with tarfile.open("shard.tar", "w") as shard:
        for name in ("a.png", "b.png"):
            shard.add(name, f"inside/{name}")
    with zipfile.ZipFile("archive.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.write(name)
    return tmp_path


def content(item: Item | Failure) -> str:
    assert isinstance(item, Item), item
    data = item.data
    return (data.read_bytes() if isinstance(data, Path) else data).decode()


def test_all_that_was_listed_is_found_again() -> None:
    sources = ["a.png", "d.tar", "archive.zip", "shard.tar", "b.png"]
    first = {item.source: item for item in list_items(sources)}
    again = {item.source: item for item in reopened(first)}
    assert len(again) == 7
    for source, item in first.items():
        assert content(again[source]) == content(item)
        assert isinstance(item, Item)
        assert again[source].stamp == item.stamp  # type: ignore[union-attr]


def test_each_source_comes_once_and_only_what_was_asked_for() -> None:
    asked = ["shard.tar/inside/b.png", "a.png", "shard.tar/inside/b.png"]
    assert [item.source for item in reopened(asked)] == ["a.png", "shard.tar/inside/b.png"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("gone.png", "gone.png - there is no such file or folder - check the path"),
        ("gone.tar/a.png", "gone.tar/a.png - there is no such file or folder"),
        ("shard.tar/gone.png", "shard.tar/gone.png - is not in the archive any more - check the"),
        ("https://h.example/shard.tar/a.png", "is in an archive on another machine - fetch the"),
    ],
)
def test_what_is_gone_says_so(source: str, text: str) -> None:
    [failure] = reopened([source])
    assert isinstance(failure, Failure)
    assert failure.source == source
    assert text in failure.text


def test_a_damaged_archive_is_told_for_each_that_was_in_it(folder: Path) -> None:
    shard = folder / "shard.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: whole.index(b"pixels of b.png") - 100])  # within its header
    first, second = reopened(["shard.tar/inside/a.png", "shard.tar/inside/b.png"])
    assert content(first) == "pixels of a.png"
    assert isinstance(second, Failure)
    assert "shard.tar/inside/b.png - damaged in the archive" in second.text


@pytest.mark.skipif(sys.platform == "darwin", reason="names are text there")
def test_names_that_are_no_text_are_found_under_their_name_in_a_csv(folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    (folder / name).write_text("pixels")
    for written in (name, as_text(name)):
        [item] = reopened([written])
        assert item.source == written
        assert content(item) == "pixels"


def test_web_pictures_are_fetched_again() -> None:
    with web_server() as web:
        web.answers["/a.png"] = Answer(b"from the web")
        [item] = fetched(reopened([f"{web.address}/a.png"]))
    assert content(item) == "from the web"
