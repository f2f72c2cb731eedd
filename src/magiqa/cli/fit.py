"""`magiqa fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from magiqa import atomic
from magiqa.errors import OutputError, SourceError


def fit(
    metric: Annotated[
        Literal["niqe", "ilniqe"], typer.Argument(metavar="METRIC", help="niqe or ilniqe.")
    ],
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures that are as good as can be.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The model: .npz.")
    ],
) -> None:
    """Fit NIQE or IL-NIQE on good pictures, all those in a folder.

    The model is used as in `magiqa score --method niqe=FILE`.
    """
    if output.suffix.lower() != ".npz":
        raise OutputError(f"{output} - no model format {output.suffix!r} - name a .npz file")
    atomic.check(output)
    from magiqa.evaluate.rivals import fit as fitting
    from magiqa.records import Failure
    from magiqa.runs.sources import list_items

    if not folder.is_dir():
        raise SourceError(f"{folder} - there is no such folder - name one of good pictures")
    files = []
    for entry in list_items([folder]):
        if isinstance(entry, Failure):
            raise SourceError(entry.text)
        files.append(Path(entry.data))
    typer.echo(f"fitting on {len(files)} pictures", err=True)
    used = fitting.fit(metric, files, output)
    typer.echo(f"{metric} of {used} pictures in {output}", err=True)
