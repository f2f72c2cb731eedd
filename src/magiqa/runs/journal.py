"""A crash-safe record of a run: OUT.journal.jsonl, a header and then a line per picture.

A line is written whole or not at all, and no more than a second's lines wait to reach the disk.
Whatever ends a run, its journal is good up to a torn last line, which the next run cuts off.

    header   {"magiqa_journal": 1, "input": {...}, "provenance": {...}}
    line     {"source": ..., "occurrence": 1, "stamp": ..., "row": {...}, "carried": {...},
              "views": {"size": [w, h], "score": [...], "similarity": [...], "magnitude": [...]}}

The key of a line is its source and occurrence number, for a source may be named twice; the last
line of a key counts.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from magiqa.errors import OutputError, SettingsError

FORMAT = 1
SUFFIX = ".journal.jsonl"  # of an output's name
SHOWN = 80  # characters of a changed value in an error
Line = dict[str, Any]


class Journal:
    """The journal of one output, locked while it is open."""

    def __init__(self, output: Path, header: Mapping[str, Any], restart: bool = False) -> None:
        """Go on with the output's journal, or begin it; `restart` begins it anew.

        `header` holds "input" and "provenance". Raises OutputError when another run has it, it
        cannot be written or is no journal, SettingsError when it was begun otherwise.
        """
        self.path = output.with_name(output.name + SUFFIX)
        self._lines: dict[int, int] = {}  # key -> place of its last line
        self._synced = time.monotonic()
        with ExitStack() as stack:
            try:
                output.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
                self._handle = os.open(self.path, flags, 0o666)
                stack.callback(os.close, self._handle)
                # opened again, not duplicated: that would share the place where it reads
                self._reader = stack.enter_context(self.path.open("rb"))
                lock = FileLock(output.with_name(f".{output.name}.lock"))
                stack.enter_context(lock.acquire(timeout=0))
            except Timeout:
                raise OutputError(
                    f"{output} - another run is writing it - wait for its end, or name another "
                    f"output"
                ) from None
            except (OSError, NotImplementedError) as error:  # some file systems know no locks
                raise OutputError(
                    f"{output} - cannot be written ({getattr(error, 'strerror', None) or error}) - "
                    f"name a file in a folder you may write to"
                ) from error
            if restart:
                os.ftruncate(self._handle, 0)
            self._go_on(header)
            if not os.fstat(self._handle).st_size:
                self._write({"magiqa_journal": FORMAT, **header})
            self.close = stack.pop_all().close
            """Let go of the output."""

    def find(self, source: str, occurrence: int, stamp: str) -> tuple[int, bool] | None:
        """Place of a picture's line, and whether it holds a score; None when it has to be scored.

        A line of another stamp is of another picture.
        """
        place = self._lines.get(_key(source, occurrence))
        if place is None:
            return None
        line = self.read(place)
        return (place, line["row"]["error"] is None) if line["stamp"] == stamp else None

    def append(self, line: Line) -> int:
        """Add a picture's line; its place. Raises OutputError."""
        place = self._write(line)
        self._lines[_key(line["source"], line["occurrence"])] = place
        if time.monotonic() - self._synced > 1:
            self.sync()
        return place

    def read(self, place: int) -> Line:
        """The line at a place."""
        self._reader.seek(place)
        line: Line = json.loads(self._reader.readline())
        return line

    def places(self) -> Iterable[int]:
        """Where the last lines of all keys are, in the order of the keys' first lines."""
        return self._lines.values()

    def sync(self) -> None:
        """Bring what was written to the disk. Raises OutputError, also when the file is gone."""
        self._synced = time.monotonic()
        try:
            os.fsync(self._handle)
        except OSError as error:  # some file systems find out only now
            raise self._unwritable(error) from error
        try:
            there = os.path.samestat(os.stat(self.path), os.fstat(self._handle))
        except OSError:
            there = False
        if not there:
            self._write_again()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, line: Mapping[str, Any]) -> int:
        place = os.fstat(self._handle).st_size
        text = json.dumps(line, ensure_ascii=False, default=str)  # a manifest may carry dates
        content = text.encode(errors="backslashreplace") + b"\n"
        try:
            while content:  # what a first call cannot take, the second one says why
                content = content[os.write(self._handle, content) :]
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._handle, place)  # no half line
            raise self._unwritable(error) from error
        return place

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(
            f"{self.path} - cannot be written ({error.strerror}) - free some space and give the "
            f"same command again: what was scored is kept"
        )

    def _go_on(self, header: Mapping[str, Any]) -> None:
        place = 0
        with self.path.open("rb") as reader:  # not the other, which would keep what is cut off
            for content in reader:
                line = _parsed(content)
                if line is None and (place or not content.endswith(b"\n")):
                    os.ftruncate(self._handle, place)  # torn; what follows it is scored again
                    return
                if place and line is not None:
                    self._lines[_key(line["source"], line["occurrence"])] = place
                else:
                    self._compare(line or {}, header)
                place += len(content)

    def _compare(self, begun: Line, header: Mapping[str, Any]) -> None:
        if begun.get("magiqa_journal") != FORMAT:
            raise OutputError(f"{self.path} - is not this version's journal - move it away")
        changed = changes(begun, header)
        if changed:
            raise SettingsError(
                f"{self.path} - begun otherwise: {'; '.join(changed)} - give the same command, "
                f"--restart to score everything anew, or another output"
            )

    def _write_again(self) -> None:
        self._reader.seek(0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("xb") as file:  # another run's is left alone
                shutil.copyfileobj(self._reader, file)
            saved = "it was written again: give the same command to go on"
        except OSError as error:
            saved = f"it cannot be written again ({error.strerror}): its rows are lost"
        raise OutputError(f"{self.path} - was moved or deleted during the run - {saved}")


def changes(begun: Mapping[str, Any], header: Mapping[str, Any]) -> list[str]:
    """What has changed between two headers that moves a run's rows, as "x was 1, is 2"."""
    was, now = (
        {
            **each["input"],
            **each["provenance"]["settings"],
            "backbone": each["provenance"]["backbone"],
            "weights_hash": each["provenance"]["weights_hash"],
            "dtype": dtype(each["provenance"]),
        }
        for each in (begun, json.loads(json.dumps(header)))
    )
    return [
        f"{name} was {_short(was.get(name))}, is {_short(value)}"
        for name, value in now.items()
        if was.get(name) != value
    ]


def dtype(provenance: Mapping[str, Any]) -> str:
    """What the network computed in: engines agree with one another, half precisions do not."""
    _, _, last = provenance.get("engine", "").rpartition(" ")
    return last if last in ("float16", "bfloat16") else "float32"


def _parsed(content: bytes) -> Line | None:
    """A whole line, None for a torn one."""
    try:
        line = json.loads(content)
    except ValueError:
        return None
    whole = isinstance(line, dict) and content.endswith(b"\n")
    return line if whole and ("magiqa_journal" in line or "row" in line) else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _key(source: str, occurrence: int) -> int:
    content = f"{occurrence} {source}".encode(errors="surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=12).digest())
