from __future__ import annotations

import subprocess
import sys

import click
import pytest
import typer

from magiqa import __version__
from magiqa.cli import app


def magiqa(*arguments: str) -> str:
    command = [sys.executable, "-m", "magiqa", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def commands() -> dict[str, click.Command]:
    """Every command by its full name, groups included."""
    found: dict[str, click.Command] = {}
    pending = [("", typer.main.get_command(app))]
    while pending:
        prefix, group = pending.pop()
        for name, command in getattr(group, "commands", {}).items():
            found[f"{prefix}{name}"] = command
            pending.append((f"{prefix}{name} ", command))
    return found


def test_every_command_says_what_it_does() -> None:
    for name, command in commands().items():
        *group, own = name.split()
        assert own in magiqa(*group, "--help")
        assert command.help


@pytest.mark.parametrize("name", commands())
def test_every_option_is_explained_within_80_columns(name: str) -> None:
    shown = magiqa(*name.split(), "--help")
    assert max(map(len, shown.splitlines())) <= 80
    for parameter in commands()[name].params:
        assert getattr(parameter, "help", None), parameter.name
        assert parameter.opts[0] in shown or str(parameter.metavar) in shown


def test_version() -> None:
    assert magiqa("--version") == f"magiqa {__version__}\n"
