from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from magiqa import Failure, OutputError
from magiqa.runs import copies
from runs.servers import Answer, web_server


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures of one name, a third, and an archive."""
    monkeypatch.chdir(tmp_path)
    for name in ("one/a.png", "two/a.png", "one/b.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"pixels of {name}")
    with zipfile.ZipFile("archive.zip", "w") as archive:
        archive.write("one/a.png", "inside/c.png")
    copies.check(tmp_path / "chosen", [])
    return tmp_path / "chosen"


def names(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_copies_keep_their_names_times_and_contents(folder: Path) -> None:
    os.utime("one/a.png", (1e9, 1e9))
    assert list(copies.copied(["one/a.png", "archive.zip/inside/c.png"], folder)) == [
        folder / "a.png",
        folder / "c.png",
    ]
    assert names(folder) == dict.fromkeys(("a.png", "c.png"), "pixels of one/a.png")
    assert (folder / "a.png").stat().st_mtime == 1e9
    assert Path("one/a.png").exists()


def test_nothing_is_overwritten_and_nothing_copied_twice(folder: Path) -> None:
    (folder / "a.png").write_text("the user's own")
    for _ in range(2):
        made = list(copies.copied(["one/a.png", "two/a.png"], folder))
        assert made == [folder / "a-2.png", folder / "a-3.png"]
    assert names(folder) == {
        "a-2.png": "pixels of one/a.png",
        "a-3.png": "pixels of two/a.png",
        "a.png": "the user's own",
    }


def test_what_cannot_be_read_does_not_end_it(folder: Path) -> None:
    failure, copy = copies.copied(["gone.png", "one/b.png"], folder)
    assert isinstance(failure, Failure)
    assert failure.text == "gone.png - there is no such file or folder - check the path"
    assert copy == folder / "b.png"


def test_web_pictures_are_copied_under_the_name_in_their_address(folder: Path) -> None:
    with web_server() as web:
        web.answers["/d/e.png?size=2"] = Answer(b"from the web")
        assert list(copies.copied([f"{web.address}/d/e.png?size=2"], folder)) == [folder / "e.png"]
    assert names(folder) == {"e.png": "from the web"}


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a.png - cannot be written \(File exists\) - name a"):
        copies.check(tmp_path / "one" / "a.png", [])
