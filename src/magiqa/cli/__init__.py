"""The command `magiqa`: parse, call, print."""

from __future__ import annotations

import io
import signal
import sys
from typing import Annotated

import typer

from magiqa.cli import weights
from magiqa.cli.cluster import cluster
from magiqa.cli.datasets import datasets
from magiqa.cli.doctor import doctor
from magiqa.cli.embed import embed, rescore
from magiqa.cli.evaluate import evaluate, reproduce
from magiqa.cli.fit import fit
from magiqa.cli.map import map_
from magiqa.cli.report import report
from magiqa.cli.score import score
from magiqa.cli.serve import serve
from magiqa.errors import MagiqaError, SettingsError

app = typer.Typer(
    help="How good does a picture look? No reference picture, no training.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing help with rich would double the time it takes
)
app.command()(score)
app.command("map")(map_)
app.command()(report)
app.command()(embed)
app.command()(rescore)
app.command()(cluster)
app.command()(evaluate)
app.command()(reproduce)
app.command()(fit)
app.command()(serve)
app.add_typer(weights.app, name="weights")
app.command()(datasets)
app.command()(doctor)


def _version(wanted: bool) -> None:
    if wanted:
        from magiqa import __version__

        typer.echo(f"magiqa {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; its errors are one line on stderr and an exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if isinstance(sys.stdout, io.TextIOWrapper):  # on Windows a pipe takes few letters
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except MagiqaError as error:
        typer.echo(f"magiqa: {error}", err=True)
        sys.exit(2 if isinstance(error, SettingsError) else 3)
    except PermissionError as error:  # a folder that may not be searched hides what is in it
        typer.echo(f"magiqa: {error.filename} - {error.strerror} - check its permissions", err=True)
        sys.exit(3)
