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
    group = typer.main.get_command(app)
    return group.commands  # type: ignore[attr-defined, no-any-return]


def test_every_command_says_what_it_does() -> None:
    overview = magiqa("--help")
    for name, command in commands().items():
        assert name in overview
        assert command.help


@pytest.mark.parametrize("name", commands())
def test_every_option_is_explained_within_80_columns(name: str) -> None:
    shown = magiqa(name, "--help")
    assert max(map(len, shown.splitlines())) <= 80
    for parameter in commands()[name].params:
        assert getattr(parameter, "help", None), parameter.name
        assert parameter.opts[0] in shown or str(parameter.metavar) in shown


def test_version() -> None:
    assert magiqa("--version") == f"magiqa {__version__}\n"
