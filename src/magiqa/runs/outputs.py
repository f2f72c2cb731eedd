"""What a run wrote, read back: its rows, its provenance, and the journal's lines."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from magiqa.errors import SettingsError, SourceError, nearest
from magiqa.records import Failure, Score
from magiqa.runs import manifests, parts, sinks
from magiqa.runs.journal import SUFFIX, Line
from magiqa.runs.sinks import Row
from magiqa.settings import Settings


class Output:
    """An output file of `magiqa score` or `magiqa rescore`, or a folder of `magiqa cluster`."""

    def __init__(self, path: Path) -> None:
        """Open it. Raises SourceError for what is none, MissingExtra."""
        self.path = path
        self._files = parts.files(path) or [path]
        first = self._files[0]
        if first.suffix.lower() not in sinks.SUFFIXES:
            raise SourceError(
                f"{path} - no output format {path.suffix or 'without a suffix'!r} - "
                f"{nearest(path.suffix, sinks.SUFFIXES)}"
            )
        if not first.is_file():
            raise SourceError(
                f"{path} - there is no such output - name the file that `magiqa score -o` wrote"
            )
        names = list(next(self._records(), {}))
        missing = [name for name in sinks.columns(()) if names and name not in names]
        if missing:
            raise self._foreign(f"it has no column {missing[0]!r}")
        self.pairs = names[names.index("weight") + 1 : names.index("width")] if names else []
        """Names of the prompt pairs, which are columns; empty when there are no rows."""
        begun = parts.record(path) or next(self._journal(), {})
        self.has_journal = "magiqa_journal" in begun
        self.sources: list[str] = begun.get("input", {}).get("sources", [])
        """What was scored, as the user named it; empty when there is no journal."""
        self.provenance: dict[str, Any] = self._provenance() or begun.get("provenance", {})
        """What the scores rest on; empty when that was not kept."""

    @property
    def settings(self) -> Settings | None:
        """The settings of the run; None when they were not kept, or are another version's."""
        with suppress(KeyError, TypeError, SettingsError):
            return Settings(**self.provenance["settings"])
        return None

    def rows(self) -> Iterator[Row]:
        """The rows, streamed, without carried columns. Raises SourceError."""
        kinds = sinks.columns(()) | dict.fromkeys(self.pairs, float)
        for record in self._records():
            try:
                row = {name: _typed(kind, record[name]) for name, kind in kinds.items()}
                if row["source"] is None or (row["score"] is None) == (row["error"] is None):
                    raise ValueError("it has neither score nor error")
            except (KeyError, TypeError, ValueError) as error:
                raise self._foreign(f"a row cannot be read ({error})") from error
            yield row

    def results(self) -> Iterator[Score | Failure]:
        """The rows as what a scorer gave, without views and pairs. Raises SourceError."""
        for row in self.rows():
            if row["error"] is not None:
                yield Failure(row["source"], row["error_kind"], row["error"])
                continue
            names = [each.name for each in dataclasses.fields(Score) if each.name in row]
            known = {name: row[name] for name in names}
            known |= {"pairs": {}, "warnings": tuple(row["warnings"]), "views": ()}
            cues = ("similarity", "magnitude", "weight")  # which a rival has not
            yield Score(**known | {cue: math.nan for cue in cues if row[cue] is None})

    def kept(self) -> Iterator[Line]:
        """The lines of the journal, of all times; none when there is no journal."""
        return (line for line in self._journal() if "row" in line)

    def _records(self) -> Iterator[dict[str, Any]]:
        for record in itertools.chain.from_iterable(map(manifests.records, map(str, self._files))):
            if not isinstance(record, dict):
                raise self._foreign("a line is no JSON object")
            yield record

    def _journal(self) -> Iterator[Line]:
        """What is whole in the journal: a run may be writing it."""
        with suppress(FileNotFoundError), self._beside(SUFFIX).open("rb") as file:
            for content in file:
                with suppress(ValueError):
                    yield json.loads(content)

    def _provenance(self) -> Any:
        if self._files[0].suffix.lower() == ".parquet":
            from pyarrow import parquet  # which has read the rows already

            content = (parquet.read_metadata(self._files[0]).metadata or {}).get(b"magiqa", b"null")
            return json.loads(content)
        with suppress(FileNotFoundError):
            return json.loads(self._beside(sinks.ABOUT).read_bytes())
        return None

    def _beside(self, suffix: str) -> Path:
        path = self.path.absolute()  # "." has no name
        return path.with_name(path.name + suffix)

    def _foreign(self, why: str) -> SourceError:
        return SourceError(
            f"{self.path} - no output of magiqa: {why} - name a file that `magiqa score -o` wrote"
        )


def selected(
    rows: Iterable[Row],
    above: float | None = None,
    below: float | None = None,
    top: int | None = None,
    lowest_first: bool = False,
) -> list[str]:
    """Sources of the scored rows between the bounds; with `top`, the first of them by score."""
    wanted: Iterable[Row] = (
        row
        for row in rows
        if row["score"] is not None
        and (above is None or row["score"] > above)
        and (below is None or row["score"] < below)
    )
    if top is not None:
        first = heapq.nsmallest if lowest_first else heapq.nlargest
        wanted = first(top, wanted, key=lambda row: row["score"])
    return [row["source"] for row in wanted]


def _typed(kind: type, value: Any) -> Any:
    """A value as the schema has it; CSV holds texts alone."""
    if kind is list:
        return value.split() if isinstance(value, str) else [str(each) for each in value or ()]
    if value is None or value == "":
        return None
    typed = kind(value)
    if isinstance(typed, float) and not math.isfinite(typed):
        raise ValueError(f"{value} is not finite")
    return typed
