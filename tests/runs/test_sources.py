from __future__ import annotations

from pathlib import Path

import pytest

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
    assert empty.text.endswith("empty - no picture in this folder - name files or another folder")


def test_a_loop_of_links_ends(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    assert len(list(list_items([folder]))) == 3
