from __future__ import annotations

import re
from pathlib import Path

import pytest

from magiqa.atomic import check, replacing, sweep
from magiqa.errors import OutputError


def test_a_file_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with replacing(path) as part:
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        (tmp_path / "gone").read_text()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    check(tmp_path / "new" / "file")
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "file").touch()
    for path, text in (
        (tmp_path, "this is a folder - name a file in it"),
        (
            tmp_path / "file" / "below",
            r"cannot be written \(.+\) - name a file in a folder you may",
        ),
    ):
        with pytest.raises(OutputError, match=f"^{re.escape(str(path))} - {text}"):
            check(path)


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    ours = [tmp_path / ".a.csv.0a_b1c2d.part", tmp_path / ".a.csv.meta.json.zzzzzzzz.part"]
    others = [tmp_path / ".a.csv.b.0a_b1c2d.part", tmp_path / ".b.csv.0a_b1c2d.part"]
    for path in (*ours, *others):
        path.touch()
    with replacing(tmp_path / "a.csv") as part:
        assert part.parent == tmp_path
        sweep(tmp_path, re.escape("a.csv"))
        assert not part.exists()  # so its name is one that is swept
        part.touch()
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / "a.csv", *others])
