"""What works off chunks wherever it runs: a chunk in, its part out."""

from __future__ import annotations

import io
import itertools
import os
import socket
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from magiqa.errors import MagiqaError, SourceError, WeightsError
from magiqa.pictures.pool import DecodePool
from magiqa.records import Failure, Item
from magiqa.runs import chunks, sinks
from magiqa.runs.chunks import Entry
from magiqa.runs.fetch import fetched
from magiqa.runs.parts import Parts, part_name
from magiqa.runs.sinks import Row
from magiqa.runs.sources import Archive, opened
from magiqa.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Done:
    """A chunk that is through."""

    chunk: int
    scored: int
    failed: int
    not_found: int
    """Failures where a path led to no picture at all."""
    worker: str
    """Machine and process."""
    began: float
    """Seconds since the epoch by the worker's clock, its start-up over."""
    ended: float


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker has to know."""

    output: str
    scorer: dict[str, Any]
    """Arguments of `Scorer`."""
    jobs: int
    """Guarded decode processes."""
    weights_hash: str
    kinds: dict[str, set[type]]
    """Columns of all parts, so that they fit together."""
    folder: str
    """What relative names are relative to."""


class Worker:
    """Chunks in, parts out."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._parts = Parts(work.output)
        self._scorer: Scorer | None = None
        self._pool: DecodePool | None = None
        with suppress(OSError):  # it need not be there if no name is relative
            os.chdir(work.folder)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Score a chunk; how it went, or a MagiqaError that no worker would be spared."""
        done = dict.fromkeys(Done.__slots__, None) | {"error_kind": "", "error": ""}
        try:
            return done | asdict(self._scored(row["chunk"], chunks.unpacked(row["packed"])))
        except MagiqaError as error:
            return done | {"error_kind": type(error).__name__, "error": str(error)}

    def close(self) -> None:
        """End its decode processes."""
        if self._pool:
            self._pool.close()

    def _scored(self, chunk: int, entries: list[Entry]) -> Done:
        scorer, pool = self._started()
        _check_shared(entries)
        began = time.time()
        waiting: deque[Item] = deque()

        def items() -> Iterator[Item | Failure]:
            for entry in itertools.chain.from_iterable(map(opened, entries)):
                waiting.append(entry if isinstance(entry, Item) else Item(entry.source, None))
                yield entry

        rows: list[Row] = []
        for result in scorer.stream(pool.read(fetched(items()))):
            item = waiting.popleft()
            row = sinks.row(item, result, scorer.settings.pairs)
            rows.append(sinks.with_carried(row, item.carried))
        content = io.BytesIO()
        sinks.write_parquet(content, rows, self._work.kinds, scorer.provenance)
        self._parts.put(part_name(chunk), content.getvalue())
        failures = [row["error_kind"] for row in rows if row["error"] is not None]
        return Done(
            chunk,
            scored=len(rows) - len(failures),
            failed=len(failures),
            not_found=failures.count(SourceError.__name__),
            worker=f"{socket.gethostname()} {os.getpid()}",
            began=began,
            ended=time.time(),
        )

    def _started(self) -> tuple[Scorer, DecodePool]:
        """The scorer, at the first chunk: what is wrong with it is then told as any error."""
        if self._scorer is None or self._pool is None:
            scorer = Scorer(**self._work.scorer)
            found, wanted = scorer.provenance["weights_hash"], self._work.weights_hash
            if found != wanted:
                raise WeightsError(
                    f"{scorer.provenance['weights']} - is another checkpoint on "
                    f"{socket.gethostname()}: {found[:12]}, not {wanted[:12]} - give all machines "
                    f"the same"
                )
            self._scorer, self._pool = scorer, DecodePool(scorer.settings, self._work.jobs)
        return self._scorer, self._pool


def _check_shared(entries: Iterable[Entry]) -> None:
    """A machine that sees none of a chunk's files would make failures of all of them."""
    files = [
        each.place if isinstance(each, Archive) else each.data
        for each in entries
        if not isinstance(each, Failure) and each.stamp
    ]
    if files and not any(map(os.path.exists, files)):
        raise SourceError(
            f"{files[0]} - {len(files)} files in a row are not there on {socket.gethostname()} - "
            f"put them on storage that all machines share"
        )
