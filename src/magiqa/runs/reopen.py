"""Sources of an earlier run -> items again, members of archives too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from magiqa.errors import MagiqaError, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import containers, places

ESCAPED = re.compile(r"\\udc([89a-f][0-9a-f])")


def reopened(sources: Iterable[str]) -> Iterator[Item | Failure]:
    """An item for each source, under that name; a Failure for what is not there any more.

    Files and URLs come first, in their order, then members archive by archive, each once. Archives
    on other machines are not fetched again.
    """
    members: dict[str, dict[str, str]] = {}  # archive -> name as text -> source
    for source in dict.fromkeys(sources):
        archive = _archive(source)
        if archive is None:
            yield replace(places.item(_restored(source)), source=source)
        elif places.is_url(archive):
            yield _lost(source, "is in an archive on another machine - fetch the archive")
        else:
            members.setdefault(archive, {})[as_text(source)] = source
    for archive, wanted in members.items():
        yield from _members(archive, wanted)


def as_text(source: str) -> str:
    """A source as CSV and Parquet hold it: its bytes that are no text are escaped."""
    return source.encode(errors="backslashreplace").decode()


def _restored(source: str) -> str:
    """A path as the file system knows it, whether or not it comes from CSV or Parquet."""
    if places.is_url(source) or os.path.lexists(source):
        return source
    return ESCAPED.sub(lambda found: chr(int(f"dc{found[1]}", 16)), source)


def _archive(source: str) -> str | None:
    """The archive that a source is a member of."""
    if not places.is_url(source) and os.path.lexists(source):
        return None
    for separator in re.finditer(r"[/\\]", source):
        place = source[: separator.start()]
        if containers.kind_of(place) and (places.is_url(place) or os.path.isfile(place)):
            return place
    return None


def _members(archive: str, wanted: dict[str, str]) -> Iterator[Item | Failure]:
    why = "is not in the archive any more - check the archive"
    tar = containers.kind_of(archive) == "tar"
    try:
        for entry in (containers.tar_members if tar else containers.zip_members)(archive):
            source = wanted.pop(as_text(entry.source), None)
            if source is not None:
                yield replace(entry, source=source)
            if not wanted:
                return
    except MagiqaError as error:
        why = str(error).removeprefix(f"{archive} - ")
    yield from (_lost(source, why) for source in wanted.values())


def _lost(source: str, why: str) -> Failure:
    return Failure(source, SourceError.__name__, f"{source} - {why}")
