"""The paper's tables beside ours: rows -> Markdown and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from magiqa.evaluate.datasets import find_dataset
from magiqa.evaluate.evaluation import Result
from magiqa.evaluate.paper import Entry, Table
from magiqa.evaluate.reproduction import Reproduction

HEADER = (
    *("system", "paper SRCC", "paper PLCC", "SRCC fitted", "difference", "SRCC raw", "95 %"),
    *("PLCC fitted", "difference", "n", ""),
)
"""Columns of `Row.cells`; where nothing else is said they are ours."""
COLUMNS = (
    *("table", "set", "system", "backbone", "method", "paper_srcc", "srcc_fitted"),
    *("srcc_difference", "srcc", "srcc_low", "srcc_high", "krcc", "paper_plcc", "plcc_fitted"),
    *("plcc_difference", "plcc", "rmse", "fit_failed", "n", "note"),
)
NOT_SETTLED = "the logistic did not settle: fitted numbers are of its start"


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a table and what was measured of it."""

    entry: Entry
    system: str
    """As the paper calls it; with its backbone in Table 6."""
    result: Result | None
    why: str
    """Why there is no result."""

    @property
    def note(self) -> str:
        """What is to be said of the numbers, or why there are none."""
        if self.entry.method is None:
            return f"published; {self.why}"
        if not self.result:
            return f"not run: {self.why}"
        own = self.result.correlation
        said = [self.entry.note, NOT_SETTLED if own and own.fit_failed else ""]
        return "; ".join(note for note in said if note)

    def numbers(self) -> dict[str, float | int | bool | None]:
        """The row's numbers by column; None where there is none."""
        found: dict[str, float | int | bool | None] = {
            "paper_srcc": self.entry.srcc,
            "paper_plcc": self.entry.plcc,
        }
        own = self.result and self.result.correlation
        if not own:
            return found
        names = ("srcc", "krcc", "plcc", "srcc_fitted", "plcc_fitted", "rmse", "fit_failed", "n")
        found |= {name: getattr(own, name) for name in names}
        found["srcc_low"], found["srcc_high"] = own.intervals["srcc"]
        for kind, printed in (("srcc", self.entry.srcc), ("plcc", self.entry.plcc)):
            if printed is not None:
                found[f"{kind}_difference"] = getattr(own, f"{kind}_fitted") - printed
        return found

    def cells(self) -> list[str]:
        """The row as text, in the order of HEADER; empty where there is no number."""
        found = self.numbers()
        low, high = (short(found.get(name)) for name in ("srcc_low", "srcc_high"))
        return [
            self.system,
            short(self.entry.srcc),
            short(self.entry.plcc),
            short(found.get("srcc_fitted")),
            short(found.get("srcc_difference"), "+"),
            short(found.get("srcc")),
            f"{low} .. {high}" if self.result else "",
            short(found.get("plcc_fitted")),
            short(found.get("plcc_difference"), "+"),
            str(found.get("n", "")),
            self.note,
        ]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one set in a table."""

    title: str
    """As the paper writes it."""
    why: str
    """Why the set was not run; empty when it was."""
    home: str
    """Where to get it."""
    rows: tuple[Row, ...]


def groups(table: Table, reproduction: Reproduction) -> list[Group]:
    """A table set by set."""
    by_set: dict[str, list[Row]] = {}
    for entry in table.entries:
        found = reproduction.find(entry, table.number)
        result, why = (None, found) if isinstance(found, str) else (found, "")
        system = f"{entry.system}, {entry.backbone}" if table.number == 6 else entry.system
        by_set.setdefault(entry.dataset, []).append(Row(entry, system, result, why))
    sets = {name: find_dataset(name) for name in by_set}
    return [
        Group(sets[name].title, reproduction.absent.get(name, ""), sets[name].home, tuple(rows))
        for name, rows in by_set.items()
    ]


def markdown(tables: Sequence[Table], reproduction: Reproduction) -> Iterator[str]:
    """All tables, line by line."""
    for table in tables:
        yield f"## Table {table.number}. {table.caption}\n"
        yield f"| set | {' | '.join(HEADER)} |"
        yield f"|{'---|' * 2}{'---:|' * (len(HEADER) - 2)}---|"
        for group in groups(table, reproduction):
            for row in group.rows:
                cells = [cell.replace("|", "\\|") for cell in (group.title, *row.cells())]
                yield f"| {' | '.join(cells)} |"
        yield ""
        yield from (f"- {note}" for note in table.footnotes)
        yield ""


def to_csv(tables: Sequence[Table], reproduction: Reproduction, warnings: Sequence[str]) -> str:
    """All tables, a row an entry, every digit, and the warnings with each that was measured."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for table in tables:
        for row in (row for group in groups(table, reproduction) for row in group.rows):
            facts = {
                "table": table.number,
                "set": row.entry.dataset,
                "system": row.entry.system,
                "backbone": row.entry.backbone if table.number == 6 else reproduction.backbone,
                "method": row.entry.method or "",
                "note": "; ".join(filter(None, (row.note, *(warnings if row.result else ())))),
            }
            writer.writerow(facts | row.numbers())
    return text.getvalue()


def short(value: float | None, sign: str = "") -> str:
    """Four decimals as the paper writes them, without the zero before the point.

    >>> short(0.74281), short(-0.2), short(0.02, "+"), short(None)
    ('.7428', '-.2000', '+.0200', '')
    """
    if value is None:
        return ""
    text = f"{value:{sign}.4f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 else text
