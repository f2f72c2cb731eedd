"""The output of a cluster's run: a folder, here or in a store, with a Parquet file a chunk.

    _magiqa.json          what was asked, and what the scores rest on
    part-00000.parquet    a chunk's rows; its name is the chunk's number, so that a chunk scored
                          again takes its own place

Readers of Parquet folders leave out names that begin with _ and a dot.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from magiqa.atomic import replacing
from magiqa.errors import MagiqaError, OutputError, SettingsError
from magiqa.runs import places, stores
from magiqa.runs.journal import changes

FORMAT = 1
AT_ONCE = 16  # parts that are read: a store takes its time for each
RECORD = "_magiqa.json"
PART = re.compile(r"part-\d{5,}\.parquet")
TORN = re.compile(r"\.(part-\d{5,}\.parquet|_magiqa\.json)\..*\.part")


def part_name(chunk: int) -> str:
    """The file of a chunk's rows."""
    return f"part-{chunk:05}.parquet"


def files(folder: Path) -> list[Path]:
    """The parts in a folder of this machine, in the order of the input; none if it is none."""
    found = [path for path in folder.glob("part-*.parquet") if PART.fullmatch(path.name)]
    return sorted(found, key=lambda path: (len(path.name), path.name))


def record(folder: Path) -> dict[str, Any]:
    """The record of an output in a folder of this machine, empty where there is none."""
    try:
        found: dict[str, Any] = json.loads(Path(folder, RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


class Parts:
    """The parts of one output."""

    def __init__(self, place: str | os.PathLike[str]) -> None:
        """`place` is a folder, or the URL of one."""
        given = os.fspath(place)
        self.place = given.rstrip("/") if places.is_url(given) else os.path.abspath(given)

    def begin(self, header: Mapping[str, Any], restart: bool = False) -> set[str]:
        """Begin an output or go on with it, `restart` anew; the names of the parts there are.

        `header` holds "input" and "provenance". Raises SettingsError when it was begun otherwise,
        OutputError when it cannot be written.
        """
        there = self._names()
        parts = {name for name in there if PART.fullmatch(name)}
        if restart:
            for name in parts:
                self._remove(name)
            parts = set()
        elif RECORD in there:
            self._compare(header)
        elif parts:
            raise OutputError(
                f"{self.place} - holds parts without {RECORD} - name another folder, or --restart "
                f"to remove them"
            )
        if restart or RECORD not in there:
            record = {"magiqa_parts": FORMAT, **header}
            self.put(RECORD, json.dumps(record, indent=2).encode())
        return parts

    def put(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises OutputError."""
        try:
            if places.is_url(self.place):
                stores.put(self._at(name), content)  # which a store shows when it has all of it
            else:
                with replacing(Path(self.place, name)) as part:
                    part.write_bytes(content)
        except MagiqaError as error:
            raise OutputError(str(error)) from error
        except Exception as error:  # the stores' own kinds
            raise self._unwritable(name, error) from error

    def outcomes(self, names: Iterable[str]) -> dict[str, tuple[int, int]]:
        """Parts -> pictures of theirs that have a score, and that failed. Raises SourceError.

        A part that was cut, where a place writes no file at once, is left out.
        """
        listed = sorted(names)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = zip(listed, pool.map(self._outcome, listed), strict=True)
            return {name: outcome for name, outcome in found if outcome}

    def finish(self, chunks: int) -> None:
        """Remove what killed workers left; OutputError unless the parts are those of the chunks."""
        there = self._names()
        for name in filter(TORN.fullmatch, there):
            self._remove(name)
        missing = {part_name(chunk) for chunk in range(chunks)} - there
        if missing:
            raise OutputError(
                f"{self.place} - {len(missing)} of {chunks} parts are not there, such as "
                f"{min(missing)} - name a folder that all machines share"
            )

    def _at(self, name: str) -> str:
        return f"{self.place}/{name}" if places.is_url(self.place) else f"{Path(self.place, name)}"

    def _outcome(self, name: str) -> tuple[int, int] | None:
        from pyarrow import ArrowInvalid, parquet  # which wrote it

        try:
            with places.stream(self._at(name)) as file:
                errors = parquet.read_table(file, columns=["error"])["error"]
        except ArrowInvalid:
            return None
        return errors.null_count, len(errors) - errors.null_count

    def _names(self) -> set[str]:
        try:
            if places.is_url(self.place):
                return stores.names(self.place)
            return set(os.listdir(self.place)) if os.path.exists(self.place) else set()
        except MagiqaError as error:
            raise OutputError(str(error)) from error
        except Exception as error:  # the stores' own kinds
            raise OutputError(
                f"{self.place} - cannot be listed ({error}) - check the name and your credentials"
            ) from error

    def _remove(self, name: str) -> None:
        try:
            if places.is_url(self.place):
                stores.remove(self._at(name))
            else:
                Path(self.place, name).unlink(missing_ok=True)
        except Exception as error:  # the stores' own kinds
            raise self._unwritable(name, error) from error

    def _compare(self, header: Mapping[str, Any]) -> None:
        with places.stream(self._at(RECORD)) as file:
            content = file.read()
        try:
            begun = json.loads(content)
            known = begun["magiqa_parts"] == FORMAT
            changed = changes(begun, header) if known else []
        except (KeyError, TypeError, ValueError):
            known, changed = False, []
        if not known:
            raise OutputError(
                f"{self._at(RECORD)} - is not this version's - name another folder, or --restart"
            )
        if changed:
            raise SettingsError(
                f"{self.place} - begun otherwise: {'; '.join(changed)} - give the same command, "
                f"--restart to score everything anew, or another folder"
            )

    def _unwritable(self, name: str, error: Exception) -> OutputError:
        reason = getattr(error, "strerror", None) or error
        return OutputError(
            f"{self._at(name)} - cannot be written ({reason}) - name a folder you may write to, "
            f"and give the same command again: parts that are there stay"
        )
