"""Results of an evaluation: a table on a terminal, tabs in a pipe, JSON in a file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from magiqa.atomic import replacing
from magiqa.errors import OutputError

if TYPE_CHECKING:
    from magiqa.evaluate.evaluation import Result

NUMBERS = ("srcc", "krcc", "plcc", "srcc_fitted", "plcc_fitted", "rmse")
COLUMNS = (
    *("method", "n", "srcc", "srcc_low", "srcc_high", "krcc", "plcc", "plcc_low", "plcc_high"),
    *(
        "srcc_fitted",
        "plcc_fitted",
        "rmse",
        "fit_failed",
        "difference",
        "difference_low",
        "difference_high",
    ),
    *("p_value", "error", "warning"),
)


def show(results: Sequence[Result], terminal: bool, warning: str | None) -> None:
    """Print them, and with them what makes them worthless."""
    if terminal:
        _print_tables(results)
    else:
        typer.echo("\n".join(_lines(results, warning)))


def warn(warning: str | None) -> None:
    """On stderr, where no pipe swallows it."""
    if warning:
        typer.secho(f"\n  !  {warning}  !\n", fg="white", bg="red", bold=True, err=True)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all. Raises OutputError."""
    try:
        with replacing(path) as part:
            part.write_text(
                json.dumps(content, indent=1, default=dataclasses.asdict, allow_nan=False) + "\n"
            )
    except OSError as error:
        raise OutputError(f"{path} - cannot be written ({error.strerror}) - mend it") from error


def _lines(results: Sequence[Result], warning: str | None) -> Iterator[str]:
    """A header, then a line a method; what there is not is empty."""
    yield "\t".join(COLUMNS)
    for each in results:
        values: dict[str, object] = {"method": each.method, "error": each.error, "warning": warning}
        if own := each.correlation:
            values |= {name: getattr(own, name) for name in ("n", *NUMBERS, "fit_failed")}
            for name in ("srcc", "plcc"):
                values[f"{name}_low"], values[f"{name}_high"] = own.intervals[name]
        if against := each.against_first:
            values |= {"difference": against.difference, "p_value": against.p_value}
            values["difference_low"], values["difference_high"] = against.interval
        yield "\t".join(_cell(values.get(name)) for name in COLUMNS)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.5f}" if isinstance(value, float) else str(value)


def _print_tables(results: Sequence[Result]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from magiqa.evaluate.tables import NOT_SETTLED, short

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("method", overflow="fold")
    for name in ("n", "SRCC", "95 %", "KRCC", "PLCC", "fitted\nSRCC", "fitted\nPLCC", "RMSE"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in results:
        if own := each.correlation:
            low, high = own.intervals["srcc"]
            numbers = [short(getattr(own, name)) for name in NUMBERS]
            interval = f"{low:.3f} .. {high:.3f}".replace("0.", ".")
            table.add_row(Text(each.method), str(own.n), numbers[0], interval, *numbers[1:])
        else:
            table.add_row(Text(each.method), "-")
    console = Console(highlight=False, markup=False)  # a method may be named [so]
    console.print(table)
    for each in results:
        if each.correlation and each.correlation.fit_failed:
            console.print(f"{each.method}: {NOT_SETTLED}")
        if each.error:
            console.print(Text(f"{each.method}: {each.error}", "red"))
        if against := each.against_first:
            low, high = against.interval
            console.print(
                f"{each.method} against {results[0].method}: SRCC {short(against.difference, '+')} "
                f"({short(low, '+')} .. {short(high, '+')}), p = {against.p_value:.3f}"
            )
