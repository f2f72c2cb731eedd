from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from magiqa.records import Failure
from magiqa.runs import folders


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    names = ("b.png", "a.png", "z/1.png", "z/y/2.png", "c/3.png", "c/.4.png", ".h/5.png", "[1].png")
    for name in names:
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "top"


def walked(top: str) -> list[str]:
    found: list[str] = []
    for folder in folders.walk(top):
        assert isinstance(folder, folders.Folder)
        found += folder.files
    return found


def test_files_come_in_order_before_folders(tree: Path) -> None:
    expected = ["[1].png", "a.png", "b.png", "c/.4.png", "c/3.png", "z/1.png", "z/y/2.png"]
    assert walked("top") == [f"top/{name}" for name in expected]
    assert walked(str(tree)) == [f"{tree}/{name}" for name in expected]
    assert walked(".") == walked("top")


def test_links_are_followed_once_and_those_to_nowhere_are_files(tree: Path) -> None:
    (tree / "c" / "loop").symlink_to(tree)
    (tree / "z" / "again").symlink_to(tree / "c")
    (tree / "self").symlink_to("self")
    (tree / "nowhere").symlink_to("gone")
    found = walked("top")
    assert found[:5] == [f"top/{name}" for name in ("[1].png", "a.png", "b.png", "nowhere", "self")]
    assert len(found) == 9


@pytest.mark.usefixtures("tree")
def test_a_folder_that_cannot_be_listed_is_a_failure_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scandir = os.scandir

    def refused(path: str) -> object:  # tests may run as root, whom nothing is refused
        if path == "top/c":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    text = "top/c - cannot be listed (Permission denied) - check its permissions"
    walked = list(folders.walk("top"))
    assert Failure("top/c", "SourceError", text) in walked
    assert [each.path for each in walked if isinstance(each, folders.Folder)][1:] == [
        "top/z",
        "top/z/y",
    ]
    assert list(folders.expand("top/*/*.png")) == [walked[1], "top/z/1.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="paths are shorter elsewhere")
def test_thousands_of_levels_are_no_recursion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        os.mkdir("d")
        os.chdir("d")
    walked = list(folders.walk(str(tmp_path)))
    for _ in range(1200):  # what pytest cleans up with recurses
        os.chdir("..")
        os.rmdir("d")
    assert len(walked) == 1201


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("top/*.png", ["top/[1].png", "top/a.png", "top/b.png"]),
        ("top/[ab].png", ["top/a.png", "top/b.png"]),
        ("top/?/*.png", ["top/c/3.png", "top/z/1.png"]),
        ("top/*/.*.png", ["top/c/.4.png"]),
        ("*/z/1.png", ["top/z/1.png"]),
        ("top/**/[23].png", ["top/c/3.png", "top/z/y/2.png"]),
        ("**/1.png", ["top/z/1.png"]),
        ("top/z/**", ["top/z"]),  # a folder is all that is below it
        ("top/z/**/*", ["top/z"]),
        ("top/*", ["top/[1].png", "top/a.png", "top/b.png", "top/c", "top/z"]),
        ("top/[1].png", ["top/[1].png"]),  # is there, so it is no pattern
        ("top/a.png/*", []),
        ("gone/*.png", []),
        ("gone.png", ["gone.png"]),
    ],
)
@pytest.mark.usefixtures("tree")
def test_globs(pattern: str, expected: list[str]) -> None:
    assert list(folders.expand(pattern)) == expected


def test_a_folder_in_a_glob_may_have_brackets_in_its_name(tree: Path) -> None:
    (tree / "day [1]").mkdir()
    (tree / "day [1]" / "a.png").touch()
    assert list(folders.expand(str(tree / "day [1]" / "*.png"))) == [f"{tree}/day [1]/a.png"]


def test_a_glob_through_a_loop_of_links_ends(tree: Path) -> None:
    (tree / "z" / "one").symlink_to(tree)
    (tree / "z" / "two").symlink_to(tree)
    assert list(folders.expand("top/**/1.png")) == ["top/z/1.png"]
