from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from magiqa.cli.serve import serve
from magiqa.errors import MissingExtra


def magiqa(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "magiqa", "serve", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_checkpoint_that_is_not_there_is_told_before_anything_is_served(tmp_path: Path) -> None:
    done = magiqa("--weights", str(tmp_path / "no.pt"))
    assert done.returncode == 3
    assert str(tmp_path / "no.pt") in done.stderr
    assert "listening" not in done.stderr


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("magiqa.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtra, match=r"^a service needs uvicorn - pip install 'magiqa\[ser"):
        serve()
