"""`magiqa report`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from magiqa.cli import options


def report(
    output: Annotated[
        Path,
        typer.Argument(metavar="OUTPUT", help="What `magiqa score -o` or `magiqa cluster` wrote."),
    ],
    page: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The report: .html.")
    ],
    jobs: options.Jobs = 1,
) -> None:
    """Make a page of an output, to be looked at.

    One HTML file with histograms, the best and the worst, all pictures and their maps.

    Maps need the output's journal beside it, thumbnails the pictures where they were.
    """
    write(output, page, jobs)


def write(output: Path, page: Path, jobs: int) -> None:
    """Write the report and say so."""
    from magiqa.report.page import write_report

    with ExitStack() as stack:
        if sys.stderr.isatty():
            from rich.console import Console

            stack.enter_context(Console(stderr=True).status("drawing the report"))
        written = write_report(output, page, jobs)
    typer.echo(
        f"report of {written.pictures:,} rows with {written.thumbnails:,} thumbnails in {page} "
        f"({written.size / 1e6:.1f} MB)",
        err=True,
    )
