"""What the user names -> items, streamed: the first is there before the last is listed."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar, cast

from magiqa.errors import MagiqaError, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import containers, folders, journal, manifests, parts, places, sinks, stores

Entry = TypeVar("Entry")


class Archive(NamedTuple):
    """A tar shard or zip archive that is not opened yet."""

    place: str
    stamp: str = ""
    """Changes when a local file does."""


def named(sources: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Sources as texts; one alone is taken as such, not letter by letter."""
    if isinstance(sources, str | os.PathLike):
        yield os.fspath(sources)
        return
    for source in sources:
        yield os.fspath(source)


def list_items(
    sources: Iterable[str | os.PathLike[str]], column: str | None = None
) -> Iterator[Item | Failure]:
    """Items in the order of the sources; what leads to no picture is a Failure in its place.

    A source is a file, a folder (every picture below it, sorted), a glob (** is any folders), a tar
    shard or zip archive, a manifest (.csv, .tsv, .jsonl, .parquet; `column` names the pictures), a
    URL (https://, or of a remote store: s3://, gs://, hf://, ...), or "-" for any of these on
    stdin, a line each, or each ended by a zero byte as `find -print0` does.
    """
    for entry in list_unopened(sources, column):
        yield from opened(entry)


def list_unopened(
    sources: Iterable[str | os.PathLike[str]], column: str | None = None
) -> Iterator[Item | Failure | Archive]:
    """`list_items`, an archive as a whole in the place of what is in it."""
    for source in named(sources):
        if source == "-":
            listed = (entry for name in _standard_input() for entry in _entries(name, column))
            yield from _or_failure("standard input", listed)
        else:
            yield from _entries(source, column)


def opened(entry: Item | Failure | Archive) -> Iterator[Item | Failure]:
    """The items of an archive; all else is itself."""
    if not isinstance(entry, Archive):
        yield entry
        return
    tar = containers.kind_of(entry.place) == "tar"
    members = (containers.tar_members if tar else containers.zip_members)(entry.place)
    yield from _or_failure(entry.place, members)


def _standard_input() -> Iterator[str]:
    if sys.stdin is None:  # closed by who began this process
        return
    lines = cast(io.BufferedReader, sys.stdin.buffer)
    rest, end = b"", b""
    while chunk := lines.read1(1 << 16):
        rest += chunk
        end = end or next((each for each in (b"\0", b"\n") if each in rest), b"")
        if end:
            *names, rest = rest.split(end)
            yield from filter(None, map(_name, names))
    yield from filter(None, [_name(rest)])


def _name(line: bytes) -> str:
    line = line.removesuffix(b"\r")
    try:
        return os.fsdecode(line)
    except UnicodeDecodeError:  # on Windows: a name of no file, which is told in its place
        return line.decode(errors="backslashreplace")


def _entries(source: str, column: str | None) -> Iterator[Item | Failure | Archive]:
    found = (
        entry
        for place in _expanded(source)
        for entry in ([place] if isinstance(place, Failure) else _at(place, column))
    )
    yield from _or_failure(source, found)


def _expanded(source: str) -> Iterator[str | Failure]:
    """The places that a glob, or the URL of a remote folder, stands for; else the source."""
    if places.is_web(source):
        return iter([source])
    if places.is_url(source):
        return stores.expand(source, places.is_picture)
    found = folders.expand(source)
    return (each for each in found if isinstance(each, Failure) or not _is_own(each, source))


def _is_own(place: str, source: str) -> bool:
    """Whether a run wrote it, and it was not asked for by its name: a glob means others' lists."""
    if place == source:
        return False
    beside = [place + journal.SUFFIX, place + sinks.ABOUT]
    beside.append(os.path.join(os.path.dirname(place), parts.RECORD))  # a cluster's
    return place.endswith((journal.SUFFIX, sinks.ABOUT, parts.RECORD)) or (
        manifests.is_manifest(place) and any(map(os.path.exists, beside))
    )


def _at(place: str, column: str | None) -> Iterator[Item | Failure | Archive]:
    if not places.is_url(place) and os.path.isdir(place):
        found = _below(place)
    elif containers.kind_of(place):
        return iter([Archive(place, places.stamp_if_there(place))])
    elif manifests.is_manifest(place):
        found = manifests.rows(place, column)
    else:
        found = iter([places.item(place)])
    return _or_failure(place, found)


def _below(top: str) -> Iterator[Item | Failure]:
    for folder in folders.walk(top):
        if isinstance(folder, Failure):
            yield folder
        else:
            yield from (places.item(file) for file in folder.files if places.is_picture(file))


def _or_failure(place: str, entries: Iterator[Entry]) -> Iterator[Entry | Failure]:
    """The entries; a Failure after them when they break off, or when there are none."""
    found = False
    try:
        for entry in entries:
            found = True
            yield entry
    except MagiqaError as error:
        yield Failure(place, type(error).__name__, str(error))
    else:
        if not found:
            text = f"{place} - no picture in it - name another folder or a picture"
            yield Failure(place, SourceError.__name__, text)
