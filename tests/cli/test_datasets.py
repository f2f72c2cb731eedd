from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

from magiqa.evaluate.datasets import DATASETS

COMMAND = [sys.executable, "-m", "magiqa", "datasets"]


def test_a_pipe_gets_a_line_a_set() -> None:
    shown = subprocess.run(COMMAND, capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in shown.splitlines()]
    assert [row[0] for row in rows] == [each.name for each in DATASETS]
    by_name = {row[0]: row for row in rows}
    home = "https://s2.smu.edu/~eclarson/csiq.html"
    assert by_name["csiq"] == ["csiq", "866", "dmos", "lower", "0", "1", "-", home, "none stated"]
    assert by_name["spaq"][1:7] == ["11125", "MOS", "higher", "0", "100", "448x448"]


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_a_table_that_fits(columns: int) -> None:
    controller, terminal = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns)}
    with subprocess.Popen(COMMAND, stdout=terminal, env=environment) as process:
        os.close(terminal)
        shown = b""
        try:
            while chunk := os.read(controller, 4096):
                shown += chunk
        except OSError:  # its other end is closed
            pass
    os.close(controller)
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    assert max(map(len, lines)) <= 80
    heading = "set          pictures  label               better  range    brought to"
    assert lines[0] == heading
    assert "agiqa-1k         1080  MOS                 higher  0..5     224x224" in lines
    for each in DATASETS:
        assert f"{each.name:<12} {each.home}" in lines
        assert f"{'':<12} {each.licence}" in lines
