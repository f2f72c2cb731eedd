"""Manifests (CSV, JSON Lines, Parquet files that name pictures) -> items, with other columns."""

from __future__ import annotations

import csv
import io
import json
import reprlib
from collections.abc import Iterator, Mapping
from typing import Any

from magiqa.errors import MagiqaError, MissingExtra, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import places

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
COLUMNS = (
    *("path", "file", "file_name", "filename", "image", "image_path", "image_name"),
    *("source", "url"),
)
"""Looked for in this order when no column is named."""
ROWS_AT_ONCE = 1024
LONGEST = 1 << 26
"""Letters of a cell: captions and data URLs are long, a quote that nobody closed has no end."""


def is_manifest(place: str) -> bool:
    """Whether a place is a manifest, by its name."""
    return places.ending(place).endswith(SUFFIXES)


def rows(place: str, column: str | None) -> Iterator[Item | Failure]:
    """An item for each row, relative paths being relative to the manifest.

    In an output of magiqa they are what the run was given, relative to the folder it ran in.

    The key is what the manifest says; the other columns are carried, as JSON can hold them. A row
    that names no picture is a Failure; SourceError for a manifest that cannot be read or has no
    such column.
    """
    chosen: str | None = None
    for number, row in enumerate(records(place), start=1):
        if isinstance(row, Mapping):
            chosen = chosen or _column(place, column, row)
            name = row.get(chosen)
            if isinstance(name, str) and name:
                carried = {key: value for key, value in row.items() if key != chosen}
                ours = chosen == "source" and "error_kind" in row  # read as the run had read it
                yield places.item(name if ours else places.beside(place, name), name, carried)
                continue
            got = f"column {chosen!r} holds {reprlib.repr(name)}"
        else:
            got = f"no JSON object: {reprlib.repr(row)}"
        source = f"{place} row {number}"
        text = f"{source} - {got} - give a path or a URL"
        yield Failure(source, SourceError.__name__, text)


def _column(place: str, column: str | None, row: Mapping[str, Any]) -> str:
    wanted = [column] if column else COLUMNS
    for name in wanted:
        if name in row:
            return name
    raise SourceError(
        f"{place} - no column {' or '.join(wanted)} among {', '.join(row)} - name the one with the "
        f"pictures with --column"
    )


def records(place: str) -> Iterator[Any]:
    """Rows as mappings, and lines that are no JSON object as they are."""
    kind = places.ending(place).rpartition(".")[2]
    csv.field_size_limit(LONGEST)
    try:
        with places.seekable(place) if places.is_url(place) else places.stream(place) as file:
            if kind == "parquet":
                yield from _parquet(place, file)
                return
            # other encodings than UTF-8 survive: names of files are bytes
            text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
            if kind in ("csv", "tsv"):
                for row in csv.DictReader(text, delimiter="\t" if kind == "tsv" else ","):
                    row.pop(None, None)  # cells beyond the header
                    yield row
            else:
                yield from map(_parsed, filter(str.strip, text))
    except MagiqaError:
        raise
    except Exception as error:  # those of csv and pyarrow, and of the disk
        raise SourceError(
            f"{place} - not a readable manifest ({error}) - give CSV, JSON Lines or Parquet"
        ) from error


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return line.strip()


def _parquet(place: str, file: Any) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(
            f"{place} - Parquet needs pyarrow - pip install 'magiqa[files]'"
        ) from None
    with pyarrow.parquet.ParquetFile(file) as table:
        # bytes, such as whole pictures, are not carried and not even read
        names = [each.name for each in table.schema_arrow if "binary" not in str(each.type)]
        for batch in table.iter_batches(ROWS_AT_ONCE, columns=names):
            for row in batch.to_pylist():
                yield json.loads(json.dumps(row, default=str))  # dates and decimals as text
