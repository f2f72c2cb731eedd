"""What `magiqa score` shows and copies of a run: --sort, --top, --above, --below."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from magiqa.cli import show

if TYPE_CHECKING:  # loaded with the scorer, not with --help
    from magiqa.records import Failure, Score


@dataclass
class Selection:
    """The results that the user wants to see; memory is bounded, but for a `sort` in a pipe."""

    sort: Literal["best", "worst"] | None
    top: int | None
    above: float | None
    below: float | None
    lower_is_better: bool = False
    goes_on: bool = False
    """When nobody reads what is shown any more: there is an output."""
    _kept: list[Score | Failure] = field(default_factory=list, init=False)
    _wanted: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """A terminal gets a table at the end, a pipe lines at once unless they are sorted."""
        self._terminal = sys.stdout.isatty()
        self._at_once = self.sort is None and self.top is None and not self._terminal
        self._limit = self.top or (show.TABLE_ROWS if self._terminal else None)

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self.top is None and self.above is None and self.below is None

    @property
    def is_given(self) -> bool:
        """Whether anything but all, as it comes, is asked for."""
        return self.sort is not None or not self.is_all

    def take_output(self, rows: Path) -> None:
        """Take every row of an output in, of earlier runs too."""
        from magiqa.runs.outputs import Output

        for result in Output(rows).results():
            self.take(result)

    @property
    def _lowest_first(self) -> bool:
        return (self.sort == "worst") != self.lower_is_better

    def take(self, result: Score | Failure) -> None:
        """Take one more result in; in a pipe, show it."""
        if not self._is_wanted(result):
            return
        self._wanted += 1
        if self._at_once:
            self._say(show.line(result))
            return
        self._kept.append(show.brief(result))
        if self._limit and len(self._kept) > 2 * self._limit:
            self._kept = self._shown()

    def show(self) -> None:
        """Show what was not shown yet."""
        if self._terminal:
            show.print_table(self._shown())
            if self.top is None and self._wanted > show.TABLE_ROWS:
                typer.echo(
                    f"the first {show.TABLE_ROWS} are shown; -o FILE gets every row", err=True
                )
            return
        for result in self._shown():
            self._say(show.line(result))

    def _say(self, line: str) -> None:
        try:
            typer.echo(line)
        except BrokenPipeError:
            if not self.goes_on:
                raise
            # `| head` has what it wanted; the run writes its output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def copy(self, rows: Path, folder: Path) -> bool:
        """Copy the pictures that are selected of all rows of an output; whether that was done."""
        from magiqa.records import Failure
        from magiqa.runs import copies, outputs

        sources = outputs.selected(
            outputs.Output(rows).rows(), self.above, self.below, self.top, self._lowest_first
        )
        failures = [each for each in copies.copied(sources, folder) if isinstance(each, Failure)]
        for failure in failures:
            typer.echo(f"not copied: {show.printable(failure.text)}", err=True)
        copied = len(set(sources)) - len(failures)
        typer.echo(f"{copied} {'picture' if copied == 1 else 'pictures'} in {folder}", err=True)
        return not failures

    def _is_wanted(self, result: Score | Failure) -> bool:
        from magiqa.records import Failure

        if isinstance(result, Failure):
            return self.above is None and self.below is None
        score = result.score
        return (self.above is None or score > self.above) and (
            self.below is None or score < self.below
        )

    def _shown(self) -> list[Score | Failure]:
        results = self._kept
        if self.sort or self.top:
            results = show.ordered(results, self._lowest_first)
        return results[: self._limit]
