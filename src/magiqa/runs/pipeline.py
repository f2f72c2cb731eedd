"""sources -> fetch -> decode -> scorer -> journal -> sinks, a row a picture, memory bounded."""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from magiqa.atomic import sweep
from magiqa.errors import OutputError
from magiqa.pictures.pool import DecodePool
from magiqa.records import Failure, Item, Picture, Score
from magiqa.runs import places, sinks
from magiqa.runs.chunks import Shard, shard_of
from magiqa.runs.fetch import fetched
from magiqa.runs.journal import Journal, Line
from magiqa.runs.sinks import Row
from magiqa.runs.sources import named
from magiqa.scorer import Scorer
from magiqa.settings import Settings


class Scoring(Protocol):
    """What a run asks of a scorer."""

    @property
    def settings(self) -> Settings:
        """How pictures are read, and which pairs have columns."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What the scores rest on."""

    def stream(self, items: Iterable[Picture | Failure], /) -> Iterator[Score | Failure]:
        """Scores in the order of the pictures; a Failure is passed on in its place."""


def score_paths(
    paths: Iterable[str | os.PathLike[str]],
    scorer: Scorer | None = None,
    *,
    column: str | None = None,
    jobs: int = 0,
) -> Iterator[Score | Failure]:
    """Score all that the paths lead to (`list_items`), in order; what cannot be is a Failure.

    Without a scorer, RN50 with default settings; one path alone is taken as such. `jobs` decode
    workers guard against pictures that hang or grow (pictures/pool.py). Memory does not grow with
    the number of pictures.
    """
    with Run(paths, scorer or Scorer(), column=column, jobs=jobs) as run:
        yield from run


class Run:
    """A scoring of sources, picture by picture; with an output it may end at any moment and go on.

    Iterate for the new results, then `finish`. `stop` ends the iteration after what is under way.
    """

    keeps: str | None = None
    """What it keeps beside rows; a journal is of one kind of run."""

    def __init__(
        self,
        paths: Iterable[str | os.PathLike[str]],
        scorer: Scoring,
        output: Path | None = None,
        *,
        column: str | None = None,
        shard: Shard = (0, 1),
        jobs: int = 0,
        restart: bool = False,
        retry_failed: bool = False,
    ) -> None:
        """Open or begin the output's journal. Raises OutputError, MissingExtra."""
        self.stopped = False
        self.kept = 0
        """Pictures that an earlier run scored."""
        self.kept_failures = 0
        """Pictures that failed in an earlier run and were not tried again."""
        self._paths = list(named(paths))
        self._scorer = scorer
        self._output = output
        self._column = column
        self._shard = shard
        self._jobs = jobs
        self._retry_failed = retry_failed
        self._pairs = scorer.settings.pairs
        self._order = array("q")  # the journal's place of each picture of the input; -1: not yet
        self._waiting: deque[tuple[int, int, Item]] = deque()  # position, occurrence
        self._journal: Journal | None = None
        if output is not None:
            sinks.check(output)
            for path in self._paths:
                if output.exists() and os.path.exists(path) and output.samefile(path):
                    raise OutputError(f"{output} - this is the input - name another file")
            sources = {"sources": self._paths, "column": column, "shard": list(shard)}
            header = {
                "input": sources | {"keeps": self.keeps},
                "provenance": scorer.provenance,
            }
            self._journal = Journal(output, header, restart)

    def __iter__(self) -> Iterator[Score | Failure]:
        with DecodePool(self._scorer.settings, self._jobs) as pool:
            pictures = pool.read(fetched(self._pending()))
            for result in self._scored(pictures):
                if self._journal is not None:
                    position, occurrence, item = self._waiting.popleft()
                    line = {
                        "source": item.source,
                        "occurrence": occurrence,
                        "stamp": item.stamp,
                        "row": sinks.row(item, result, self._pairs),
                        "carried": dict(item.carried),
                        "views": _views(result),
                    }
                    self._record(position, line)
                yield result

    def count(self) -> int | None:
        """Pictures in the input; None unless it is folders and picture files, listed at no cost."""
        for path in self._paths:
            if places.is_url(path) or not (os.path.isdir(path) or places.is_picture(path)):
                return None
        return sum(1 for _ in shard_of(self._paths, self._column, self._shard))

    def stop(self) -> None:
        """Take no further picture; what is under way is finished."""
        self.stopped = True

    def finish(self) -> None:
        """Write the output from the journal, in the order of the input. Raises OutputError."""
        if self._journal is None or self._output is None:
            return
        self._journal.sync()
        lines = array("q", (place for place in self._order if place >= 0))
        if self.stopped:  # what an earlier run scored, further on in the input
            listed = set(lines)
            lines.extend(place for place in self._journal.places() if place not in listed)
        provenance = self._scorer.provenance | ({"interrupted": True} if self.stopped else {})
        sweep(self._output.parent, re.escape(self._output.name))
        sinks.write(self._output, lambda: self._rows(lines), self._pairs, provenance)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._journal is not None:
            self._journal.close()

    def _scored(self, pictures: Iterable[Picture | Failure]) -> Iterator[Score | Failure]:
        return self._scorer.stream(pictures)

    def _find(self, source: str, occurrence: int, stamp: str) -> tuple[int, bool] | None:
        """What the journal has of a picture: its place, and whether it is a score."""
        assert self._journal is not None  # only then is it asked
        return self._journal.find(source, occurrence, stamp)

    def _record(self, position: int, line: Line) -> None:
        """Keep a picture's line."""
        assert self._journal is not None  # there is a line only for a journal
        self._order[position] = self._journal.append(line)

    def _rows(self, lines: Iterable[int]) -> Iterator[Row]:
        assert self._journal is not None  # the lines are its own
        for place in lines:
            line = self._journal.read(place)
            yield sinks.with_carried(line["row"], line["carried"])

    def _pending(self) -> Iterator[Item | Failure]:
        """What is to be scored in this run, its place in the order kept."""
        occurrences = _Occurrences()
        for entry in shard_of(self._paths, self._column, self._shard):
            if self.stopped:
                return
            if self._journal is None:
                yield entry
                continue
            item = entry if isinstance(entry, Item) else Item(entry.source, None)
            occurrence = occurrences.count(item.source)
            found = self._find(item.source, occurrence, item.stamp)
            place, scored = found or (-1, False)
            self._order.append(place)
            if found and (scored or not self._retry_failed):
                self.kept += scored
                self.kept_failures += not scored
                continue
            self._waiting.append((len(self._order) - 1, occurrence, item))
            yield entry


def _views(result: Score | Failure) -> dict[str, Any] | None:
    """What quality maps are drawn from, a list a cue: windows row by row, the thumbnail last.

    The size is the picture's as scored; boxes follow from it and the coverage.
    """
    if isinstance(result, Failure) or not result.views:
        return None
    cues = ("score", "similarity", "magnitude")
    numbers = {cue: [round(getattr(view, cue), 4) for view in result.views] for cue in cues}
    return {"size": result.views[-1].box[2:], **numbers}


class _Occurrences:
    """How often each source was met, in little memory: hardly any is met twice."""

    def __init__(self) -> None:
        self._met: set[int] = set()
        self._again: Counter[int] = Counter()

    def count(self, source: str) -> int:
        key = hash(source)
        if key not in self._met:
            self._met.add(key)
            return 1
        self._again[key] += 1
        return 1 + self._again[key]
