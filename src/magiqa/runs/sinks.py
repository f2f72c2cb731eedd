"""Rows -> CSV, JSON Lines or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeAlias

from magiqa.atomic import replacing
from magiqa.errors import MissingExtra, OutputError, nearest
from magiqa.records import Failure, Item, Score
from magiqa.settings import PromptPair, pair_name

Row: TypeAlias = dict[str, Any]

SUFFIXES = (".csv", ".jsonl", ".parquet")
ABOUT = ".meta.json"  # of an output's name: what its scores rest on
ROWS_AT_ONCE = 10_000


class Long(int):
    """The kind of integers that a float does not hold, such as ids."""


def columns(pairs: Sequence[PromptPair]) -> dict[str, type]:
    """The one schema of every output, column -> kind of its values; carried columns follow it."""
    cues = ["score", "similarity", "magnitude", "weight", *map(pair_name, pairs)]
    sizes = dict.fromkeys(("width", "height", "views"), int)
    facts = {"backbone": str, "warnings": list, "error_kind": str, "error": str}
    return {"source": str, "key": str, **dict.fromkeys(cues, float), **sizes, **facts}


def row(item: Item, result: Score | Failure, pairs: Sequence[PromptPair]) -> Row:
    """One picture's row; what does not apply is None."""
    values: Row = dict.fromkeys(columns(pairs))
    values |= {"source": item.source, "key": item.key or item.source, "warnings": []}
    if isinstance(result, Failure):
        return values | {"error_kind": result.kind, "error": result.text}
    for name in ("score", "similarity", "magnitude", "weight", "width", "height", "backbone"):
        value = getattr(result, name)
        values[name] = None if _not_finite(value) else value  # a cue that a rival has not
    return values | result.pairs | {"views": len(result.views), "warnings": list(result.warnings)}


def with_carried(values: Row, carried: Mapping[str, Any]) -> Row:
    """A row and a manifest's other columns, which may not stand in for those of the schema."""
    whole = dict(values)
    for name, value in carried.items():
        free = name
        while free in whole:
            free = f"input_{free}"
        whole[free] = None if _not_finite(value) else value  # which JSON has not
    return whole


def _not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def check(path: Path) -> None:
    """Refuse what cannot become an output, before any work is done. Raises OutputError."""
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"{path} - no output format {path.suffix or 'without a suffix'!r} - "
            f"{nearest(path.suffix, SUFFIXES)}"
        )
    if path.is_dir():
        raise OutputError(f"{path} - this is a folder - name a file in it")
    if path.suffix.lower() == ".parquet":
        _pyarrow()


def write(
    path: Path,
    rows: Callable[[], Iterator[Row]],
    pairs: Sequence[PromptPair],
    provenance: Mapping[str, Any],
) -> None:
    """Write all rows under a temporary name, then rename; provenance goes with them.

    Parquet holds it as metadata "magiqa", the others have OUT.meta.json beside them. `rows` is
    called once or, for the names and types of carried columns, twice. Raises OutputError; an
    earlier output stays as it was.
    """
    suffix = path.suffix.lower()
    try:
        with replacing(path) as part:
            if suffix == ".parquet":
                with part.open("wb") as content:
                    write_parquet(content, rows(), kinds(rows(), pairs), provenance)
            elif suffix == ".csv":
                _write_csv(part, rows, pairs)
            else:
                with part.open("w", encoding="utf-8", errors="backslashreplace") as file:
                    file.writelines(json.dumps(each, ensure_ascii=False) + "\n" for each in rows())
        if suffix != ".parquet":
            with replacing(path.with_name(path.name + ABOUT)) as part:
                part.write_text(json.dumps(provenance, indent=2) + "\n")
    except OSError as error:
        raise OutputError(
            f"{path} - cannot be written ({error.strerror or error}) - free some space or mend the "
            f"folder, and give the same command again: what was scored is kept in its journal"
        ) from error


def kinds(rows: Iterable[Row], pairs: Sequence[PromptPair]) -> dict[str, set[type]]:
    """Columns -> the kinds of values in them: the schema's, then the carried ones'."""
    schema = columns(pairs)
    found = {name: {kind} for name, kind in schema.items()}
    for each in rows:
        for name, value in each.items():
            if name not in schema:
                found.setdefault(name, set()).add(_kind(value))
    return found


def _kind(value: object) -> type:
    """A kind that a column can have: all but numbers and truth are text."""
    if isinstance(value, int) and abs(value) > 2**53:
        return Long if -(2**63) <= value < 2**63 else str
    return type(value) if isinstance(value, bool | int | float | None) else str


def _write_csv(part: Path, rows: Callable[[], Iterator[Row]], pairs: Sequence[PromptPair]) -> None:
    with part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, list(kinds(rows(), pairs)))
        writer.writeheader()
        for each in rows():
            flat = {name: _flat(value) for name, value in each.items()}
            writer.writerow(flat | {"warnings": " ".join(each["warnings"])})


def _flat(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def write_parquet(
    file: IO[bytes],
    rows: Iterable[Row],
    found: Mapping[str, set[type]],
    provenance: Mapping[str, Any],
) -> None:
    """Write rows as Parquet; `found` is the `kinds` of all rows that are to fit together."""
    pyarrow = _pyarrow()
    types = {name: _arrow_type(pyarrow, each) for name, each in found.items()}
    named = [(str(_text(name)), kind) for name, kind in types.items()]
    schema = pyarrow.schema(named, metadata={"magiqa": json.dumps(provenance)})
    texts = {name for name, kind in types.items() if kind == pyarrow.string()}
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        batch: list[Row] = []
        for each in rows:
            batch.append(
                {
                    str(_text(name)): _text(value) if name in texts else value
                    for name, value in each.items()
                }
            )
            if len(batch) == ROWS_AT_ONCE:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))


def _arrow_type(pyarrow: Any, found: set[type]) -> Any:
    kinds = found - {type(None)}
    if kinds == {list}:
        return pyarrow.list_(pyarrow.string())
    if kinds == {bool}:
        return pyarrow.bool_()
    if kinds and kinds <= {int, Long}:
        return pyarrow.int64()
    if kinds and kinds <= {int, float}:
        return pyarrow.float64()
    return pyarrow.string()


def _text(value: Any) -> str | None:
    """A value where only text can stand; names may hold bytes that are none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="backslashreplace").decode()


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra("Parquet needs pyarrow - pip install 'magiqa[files]'") from None
    return pyarrow
