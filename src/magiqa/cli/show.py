"""What the command shows: plain lines, a table, progress and a summary."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from magiqa.errors import SourceError

if TYPE_CHECKING:  # the records are loaded with the scorer, not with --help
    from magiqa.records import Failure, Score


@dataclass(slots=True)
class Tally:
    """How a run stands."""

    scored: int = 0
    failed: int = 0
    not_found: int = 0
    """Failures where a path led to no picture at all."""
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    def count(self, result: Score | Failure) -> None:
        """Take one more result in."""
        from magiqa.records import Failure

        if isinstance(result, Failure):
            self.failed += 1
            self.not_found += result.kind == SourceError.__name__
        else:
            self.scored += 1

    @property
    def exit_code(self) -> int:
        """130 interrupted, 3 no picture found at all, 1 some failed, 0 all scored."""
        if self.interrupted:
            return 130
        if self.not_found == self.scored + self.failed:
            return 3
        return 1 if self.failed else 0

    def summary(self, output: Path | None) -> str:
        """One line for the end of a run."""
        seconds = time.monotonic() - self.started
        parts = [f"{self.scored} scored"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += ["interrupted"] if self.interrupted else []
        rate = f"{self.scored / seconds:.1f} pictures/s" if self.scored else ""
        parts += [f"{seconds:.1f} s ({rate})" if rate else f"{seconds:.1f} s"]
        parts += [f"rows in {output}"] if output else []
        return ", ".join(parts)


def line(result: Score | Failure) -> str:
    """A result for a pipe, tabs between: score, source, warnings; or "failed", source, error."""
    from magiqa.records import Failure

    if isinstance(result, Failure):
        columns = ["failed", result.source, result.text]
    else:
        columns = [f"{result.score:.5f}", result.source, " ".join(result.warnings)]
    return "\t".join(map(printable, columns))


def printable(text: str) -> str:
    """Text without control characters, and writable whatever bytes a file's name is made of."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", text).encode(errors="backslashreplace").decode()


def ordered(results: list[Score | Failure], worst_first: bool) -> list[Score | Failure]:
    """Best or worst first; failures stay last."""
    from magiqa.records import Failure, Score

    scored = [result for result in results if isinstance(result, Score)]
    failed = [result for result in results if isinstance(result, Failure)]
    return [*sorted(scored, key=lambda result: result.score, reverse=not worst_first), *failed]


def print_table(results: list[Score | Failure]) -> None:
    """A table on the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from magiqa.records import Failure

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("score", "similarity", "magnitude", "weight"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("picture", overflow="fold")
    table.add_column("warnings", style="yellow")
    for result in results:
        source = Text(printable(result.source))
        if isinstance(result, Failure):
            reason = printable(result.text.removeprefix(f"{result.source} - "))
            table.add_row(Text("failed", "red"), "", "", "", "", source, Text(reason, "red"))
            continue
        cues = (result.similarity, result.magnitude, result.weight)
        size = f"{result.width}x{result.height}"
        notes = " ".join(result.warnings)
        table.add_row(f"{result.score:.4f}", *(f"{cue:.4f}" for cue in cues), size, source, notes)
    if results:
        Console().print(table)


@contextmanager
def progress() -> Iterator[Callable[[Tally], None]]:
    """A line on stderr that follows the run, when stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status("loading") as status:

        def update(tally: Tally) -> None:
            rate = tally.scored / (time.monotonic() - tally.started)
            status.update(f"{tally.scored} scored, {tally.failed} failed, {rate:.1f} pictures/s")

        yield update
