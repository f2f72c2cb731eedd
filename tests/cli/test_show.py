from __future__ import annotations

import sys
from pathlib import Path

import pytest

from magiqa.cli import main, show


def test_names_of_files_do_not_reach_the_terminal_as_commands() -> None:
    assert show.printable("a\tb\x1b[31m\x9b31mé\udcff") == "a b [31m 31mé\\udcff"


def test_a_folder_that_may_not_be_searched_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: Path) -> bool:
        raise PermissionError(13, "Permission denied", "closed/out.csv")

    monkeypatch.setattr(Path, "is_dir", refuse)  # as it does before Python 3.14
    monkeypatch.setattr(sys, "argv", ["magiqa", "score", "a.png", "-o", "closed/out.csv"])
    with pytest.raises(SystemExit, match=r"^3$"):
        main()
    told = capsys.readouterr().err
    assert told == "magiqa: closed/out.csv - Permission denied - check its permissions\n"
