"""An output -> what its report shows: all cues as numbers, and the rows that are listed."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import SourceError
from magiqa.runs.outputs import Output
from magiqa.runs.reopen import as_text
from magiqa.runs.sinks import Row

CUES = ("score", "similarity", "magnitude")
LISTED = 20_000
"""Pictures a page lists at most."""
PICTURED = 4_000
"""Pictures that get a thumbnail at most."""
MAPPED = 2_000_000
"""Numbers that maps are drawn from, of all pictures."""
NAMED = 50
"""Sources a group of errors names at most."""

NO_JOURNAL = "No map: what each window scored is in the journal, which is not beside the output."
NO_LINE = "No map: the journal beside the output is of another run."
NO_ROOM = "No map: with those of so many windows the page would be too large."


@dataclass(slots=True)
class Errors:
    """Failures for one reason."""

    kind: str
    text: str
    """Of the first of them, without its source."""
    count: int = 0
    sources: list[str] = field(default_factory=list)
    """The first NAMED."""


@dataclass(slots=True)
class Listed:
    """A row on the page."""

    row: Row
    percentile: float | None = None
    """Share of the run's other scored pictures that score lower, 0..100."""
    pictured: bool = False
    stamp: str | None = None
    """Of the picture when it was scored; None when that was not kept."""
    views: dict[str, list[Any]] | None = None
    """The journal's, where there is room for a map."""
    unmapped: str = "No map: left out, as the thumbnail is."
    """Why, if there are no views."""


@dataclass(slots=True)
class Content:
    """What a report shows."""

    cues: dict[str, NDArray[np.float64]]
    """Of all scored pictures, in the order of the rows."""
    failed: int
    listed: list[Listed]
    """In the order of the rows; all rows, if those are at most LISTED."""
    warnings: Counter[str]
    errors: list[Errors]
    """Most frequent first."""
    backbones: list[str]


def gather(output: Output) -> Content:
    """Read an output twice and its journal once. Memory: 32 bytes a row, and the listed rows.

    Raises SourceError.
    """
    numbers = {cue: array("d") for cue in CUES}
    scored, failed = array("q"), array("q")  # places of rows
    warnings: Counter[str] = Counter()
    errors: dict[tuple[str, str], Errors] = {}
    backbones: set[str] = set()
    for place, row in enumerate(output.rows()):
        if row["error"] is not None:
            failed.append(place)
            _count(errors, row)
            continue
        if row["similarity"] is None:
            raise SourceError(
                f"{output.path} - scores of a rival, {row['backbone']} - give an output of "
                f"magiqa's own scores"
            )
        scored.append(place)
        warnings.update(row["warnings"])
        backbones.add(row["backbone"] or "unknown")
        for cue in CUES:
            numbers[cue].append(row[cue])
    cues = {cue: np.array(values) for cue, values in numbers.items()}
    best_first = np.array(scored, np.int64)[np.argsort(-cues["score"], kind="stable")].tolist()
    most_failed = LISTED // 10 if len(scored) + len(failed) > LISTED else LISTED
    chosen = spread(best_first, LISTED - min(len(failed), most_failed))
    wanted = {*chosen, *failed[:most_failed]}
    rows = {place: row for place, row in enumerate(output.rows()) if place in wanted}
    listed = {place: Listed(row) for place, row in rows.items()}
    ascending = np.sort(cues["score"])
    for place in chosen:
        lower = np.searchsorted(ascending, rows[place]["score"])
        listed[place].percentile = 100.0 * lower / max(1, len(ascending) - 1)
    pictured = spread(chosen, PICTURED)
    for place in pictured:
        listed[place].pictured = True
    _remember(output, [listed[place] for place in _from_both_ends(pictured)])
    groups = sorted(errors.values(), key=lambda group: -group.count)
    return Content(cues, len(failed), list(listed.values()), warnings, groups, sorted(backbones))


def spread(ranked: Sequence[int], limit: int) -> list[int]:
    """At most `limit` of what is ranked: a quarter from each end, the others evenly between.

    >>> spread(range(100), 8)
    [0, 1, 14, 38, 62, 86, 98, 99]
    """
    if len(ranked) <= limit:
        return list(ranked)
    end = limit // 4
    few, many = limit - 2 * end, len(ranked) - 2 * end
    between = (end + (2 * place + 1) * many // (2 * few) for place in range(few))
    return [ranked[rank] for rank in (*range(end), *between, *range(-end, 0))]


def without_source(row: Row) -> str:
    """A failed row's error: what - how to mend it."""
    return str(row["error"]).removeprefix(f"{row['source']} - ")


def _from_both_ends(ranked: Sequence[int]) -> list[int]:
    """The best, the worst, the second best, ...: what should have a map where room is short."""
    pairs = zip(ranked, reversed(ranked), strict=True)
    return list(dict.fromkeys(place for pair in pairs for place in pair))


def _remember(output: Output, entries: list[Listed]) -> None:
    """Take from the journal what it keeps of these pictures, as long as there is room."""
    wanted: dict[tuple[str, float], list[Listed]] = {}
    mapped: set[int] = set()
    room = MAPPED
    for entry in entries:
        wanted.setdefault(_key(entry.row), []).append(entry)
        entry.unmapped = NO_LINE if output.has_journal else NO_JOURNAL
        numbers = len(CUES) * (entry.row["views"] or 0)
        if numbers > room:
            entry.unmapped = NO_ROOM
        else:
            room -= numbers
            mapped.add(id(entry))
    for line in output.kept():
        # a line with another score is of another run, or of a picture that was replaced
        for entry in wanted.get(_key(line["row"]), ()):
            entry.stamp = line["stamp"]
            entry.views = line.get("views") if id(entry) in mapped else None


def _key(row: Row) -> tuple[str, float]:
    return as_text(row["source"]), row["score"]


def _count(errors: dict[tuple[str, str], Errors], row: Row) -> None:
    text = without_source(row)
    kind = row["error_kind"] or "Error"
    group = errors.setdefault((kind, re.sub(r"\d+", "0", text)), Errors(kind, text))
    group.count += 1
    if len(group.sources) < NAMED:
        group.sources.append(row["source"])
