"""What the command shows: plain lines, a table, progress and a summary."""

from __future__ import annotations

import math
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from magiqa.cli.interrupts import Interrupts
from magiqa.errors import SourceError

if TYPE_CHECKING:  # the records are loaded with the scorer, not with --help
    from magiqa.cluster import ClusterRun
    from magiqa.records import Failure, Score
    from magiqa.runs.pipeline import Run

LIVE_SECONDS = 0.1
LOG_SECONDS = 30
TABLE_ROWS = 1000
"""What a terminal is shown of more than that; an output gets every row."""


@dataclass(slots=True)
class Tally:
    """How a run stands."""

    run: Run | ClusterRun
    scored: int = 0
    failed: int = 0
    not_found: int = 0
    """Failures where a path led to no picture at all."""
    total: int | None = None
    """Pictures in the input, once they are counted."""
    started: float = field(default_factory=time.monotonic)

    def count(self, result: Score | Failure) -> None:
        """Take one more result in."""
        from magiqa.records import Failure

        if isinstance(result, Failure):
            self.add(0, 1, result.kind == SourceError.__name__)
        else:
            self.add(1, 0, 0)

    def add(self, scored: int, failed: int, not_found: int) -> None:
        """Take more results in."""
        self.scored += scored
        self.failed += failed
        self.not_found += not_found

    def count_input(self) -> None:
        """Learn how many pictures there are to come, where that can be had."""
        self.total = self.run.count()

    @property
    def exit_code(self) -> int:
        """3 no picture found at all, 1 some failed, 0 all scored."""
        kept = self.run.kept + self.run.kept_failures
        if self.not_found and self.not_found == self.scored + self.failed and not kept:
            return 3
        return 1 if self.failed or self.run.kept_failures else 0

    def standing(self) -> str:
        """How far the run is."""
        seconds = time.monotonic() - self.started
        parts = [f"{self.scored} scored"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.run.kept} kept from before"] if self.run.kept else []
        if self.run.kept_failures:
            parts.append(
                f"{self.run.kept_failures} failed before (--retry-failed tries them again)"
            )
        rate = f" ({self.scored / seconds:.1f} pictures/s)" if self.scored else ""
        return ", ".join([*parts, f"{seconds:.1f} s{rate}", *self._left(seconds)])

    def _left(self, seconds: float) -> Iterator[str]:
        done = self.scored + self.failed
        if done and self.total is not None:
            left = self.total - done - self.run.kept - self.run.kept_failures
            if left > 0:
                yield f"about {timedelta(seconds=round(seconds * left / done))} left"

    def summary(self, output: Path | str | None, interrupted: bool) -> str:
        """The line at the end of a run."""
        line = self.standing()
        line += f", rows in {output}" if output else ""
        if interrupted:
            line += " - interrupted" + (": give the same command to go on" if output else "")
        return line


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
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text).encode(errors="backslashreplace").decode()


def brief(result: Score | Failure) -> Score | Failure:
    """A result without its views, to be kept."""
    from magiqa.records import Score

    return replace(result, views=()) if isinstance(result, Score) else result


def ordered(results: list[Score | Failure], lowest_first: bool) -> list[Score | Failure]:
    """Highest or lowest first; failures stay last."""
    from magiqa.records import Failure, Score

    scored = [result for result in results if isinstance(result, Score)]
    failed = [result for result in results if isinstance(result, Failure)]
    return [*sorted(scored, key=lambda result: result.score, reverse=not lowest_first), *failed]


def print_table(results: list[Score | Failure]) -> None:
    """A table on the terminal; rivals' scores have no cues."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from magiqa.records import Failure

    table = Table(box=None, pad_edge=False, header_style="bold")
    cues = ["score", "similarity", "magnitude", "weight"]
    if any(not isinstance(result, Failure) and math.isnan(result.weight) for result in results):
        del cues[1:]
    for name in cues:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("picture", overflow="fold")
    table.add_column("warnings", style="yellow")
    for result in results:
        source = Text(printable(result.source))
        if isinstance(result, Failure):
            reason = printable(result.text.removeprefix(f"{result.source} - "))
            empty = [""] * len(cues)
            table.add_row(Text("failed", "red"), *empty, source, Text(reason, "red"))
            continue
        numbers = [f"{getattr(result, cue):.4f}" for cue in cues]
        size = f"{result.width}x{result.height}"
        notes = " ".join(result.warnings)
        table.add_row(*numbers, size, source, notes)
    if results:
        Console().print(table)


def followed(run: Run) -> tuple[Tally, int | None]:
    """Go through a run, its progress shown, and finish it; how it stands, a signal's exit code."""
    tally = Tally(run)
    with Interrupts(run.stop) as interrupts:
        with progress(tally) as tell:
            for result in run:
                tally.count(result)
                tell()
        run.finish()
    return tally, interrupts.exit_code


@contextmanager
def progress(tally: Tally) -> Iterator[Callable[[], None]]:
    """What follows the run on stderr: a live line on a terminal, one every 30 s in a log."""
    live = sys.stderr.isatty()
    told = time.monotonic()
    with ExitStack() as stack:
        if live:
            from rich.console import Console

            show = stack.enter_context(Console(stderr=True).status("loading")).update
            threading.Thread(target=tally.count_input, daemon=True).start()
        else:
            show = partial(print, file=sys.stderr, flush=True)

        def tell() -> None:
            nonlocal told
            if time.monotonic() - told > (LIVE_SECONDS if live else LOG_SECONDS):
                told = time.monotonic()
                show(tally.standing())

        yield tell
