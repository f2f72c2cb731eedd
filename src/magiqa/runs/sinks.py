"""Rows out: CSV and JSON Lines, written beside their final name and renamed at the end."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from magiqa.atomic import replacing
from magiqa.errors import OutputError, nearest
from magiqa.records import Failure, Score
from magiqa.settings import PromptPair, pair_name

SUFFIXES = (".csv", ".jsonl")


def row(result: Score | Failure, pairs: tuple[PromptPair, ...]) -> dict[str, Any]:
    """The one row schema of every output; what does not apply is None."""
    names = map(pair_name, pairs)
    if isinstance(result, Failure):
        scored = dict.fromkeys(("score", "similarity", "magnitude", "weight", *names))
        rest = dict.fromkeys(("width", "height", "views", "backbone"))
        error = {"error_kind": result.kind, "error": result.text}
        return {"source": result.source} | scored | rest | {"warnings": []} | error
    return {
        "source": result.source,
        "score": result.score,
        "similarity": result.similarity,
        "magnitude": result.magnitude,
        "weight": result.weight,
        **{name: result.pairs[name] for name in names},
        "width": result.width,
        "height": result.height,
        "views": len(result.views),
        "backbone": result.backbone,
        "warnings": list(result.warnings),
        "error_kind": None,
        "error": None,
    }


class Sink:
    """An output file; however the block ends, the rows written so far are in it.

    What they rest on goes beside it, to OUT.meta.json, when it was told by `describe`.
    """

    def __init__(self, path: Path, pairs: tuple[PromptPair, ...]) -> None:
        """Open the output before any work is done. Raises OutputError."""
        self.path = path
        self._pairs = pairs
        self._rows = 0
        self._provenance: dict[str, Any] | None = None
        if path.suffix.lower() not in SUFFIXES:
            raise OutputError(
                f"{path} - no output format {path.suffix or 'without a suffix'!r} - "
                f"{nearest(path.suffix, SUFFIXES)}"
            )
        if path.is_dir():
            raise OutputError(f"{path} - this is a folder - name a file in it")
        self._replacing = replacing(path)
        try:
            self._part = self._replacing.__enter__()
            self._file: TextIO = self._part.open(
                "w", encoding="utf-8", errors="backslashreplace", newline=""
            )
        except OSError as error:
            raise OutputError(
                f"{path} - cannot be written ({error.strerror}) - name a file in a folder you may "
                f"write to"
            ) from error
        self._csv = csv.writer(self._file) if path.suffix.lower() == ".csv" else None
        if self._csv is not None:
            self._csv.writerow(row(Failure("", "", ""), pairs))

    def write(self, result: Score | Failure) -> None:
        """Add one row."""
        self._rows += 1
        values = row(result, self._pairs)
        if self._csv is not None:
            self._csv.writerow((values | {"warnings": " ".join(values["warnings"])}).values())
        else:
            self._file.write(json.dumps(values, ensure_ascii=False) + "\n")

    def describe(self, provenance: dict[str, Any]) -> None:
        """Tell what the rows rest on."""
        self._provenance = provenance

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if error is not None and not self._rows:  # an earlier output stays as it was
            self._replacing.__exit__(kind, error, trace)
            return
        self._replacing.__exit__(None, None, None)
        if self._provenance is not None:
            with replacing(self.path.with_name(f"{self.path.name}.meta.json")) as part:
                part.write_text(json.dumps(self._provenance, indent=2) + "\n")
