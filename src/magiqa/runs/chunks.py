"""The input cut into chunks: what a shard or a cluster's worker takes at a time."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import pickle
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from magiqa.errors import SettingsError
from magiqa.records import Failure, Item
from magiqa.runs import sinks
from magiqa.runs.sinks import Row
from magiqa.runs.sources import Archive, list_unopened, opened
from magiqa.settings import PromptPair

Entry: TypeAlias = Item | Failure | Archive

PICTURES = 256
"""Of a chunk: minutes of RN50 on a core, a second on a GPU; what a crash costs."""

Shard: TypeAlias = tuple[int, int]
"""(i, n): of the input's chunks, every n-th beginning with the i-th."""


def numbered(
    sources: Iterable[str | os.PathLike[str]], column: str | None = None, pictures: int = PICTURES
) -> Iterator[tuple[int, Entry]]:
    """Each entry of the input after the number of its chunk, streamed; the same at every call.

    A chunk is so many neighbours in the order of the input, or an archive of any size, which can
    only be read from front to back.
    """
    number, room = -1, 0
    for entry in list_unopened(sources, column):
        whole = isinstance(entry, Archive)
        if whole or not room:
            number += 1
            room = pictures
        room = 0 if whole else room - 1
        yield number, entry


def shard_of(
    sources: Iterable[str | os.PathLike[str]], column: str | None, shard: Shard
) -> Iterator[Item | Failure]:
    """The items of a shard's chunks, streamed; archives of other shards are not opened."""
    mine, shards = shard
    for number, entry in numbered(sources, column, PICTURES):
        if number % shards == mine:
            yield from opened(entry)


@dataclass(slots=True)
class Table:
    """The input as chunks, listed once, to be scored elsewhere."""

    chunks: list[bytes] = field(default_factory=list)
    """Packed: names, not pictures."""
    entries: int = 0
    """Pictures, failures to find one, and archives."""
    archives: int = 0
    kinds: dict[str, set[type]] = field(default_factory=dict)
    """The columns of all rows, with those that a manifest carries."""
    digest: str = ""
    """Changes with any name, stamp or carried column."""


def table(
    sources: Iterable[str | os.PathLike[str]],
    column: str | None,
    pairs: Iterable[PromptPair],
    pictures: int = PICTURES,
) -> Table:
    """List the input as chunks. Memory: some ten bytes a picture."""
    pairs = tuple(pairs)
    made = Table()
    digest = hashlib.blake2b(digest_size=12)
    empty: Row = dict.fromkeys(sinks.columns(pairs))

    def carried() -> Iterator[Row]:
        groups = itertools.groupby(numbered(sources, column, pictures), lambda pair: pair[0])
        for _, group in groups:
            entries = [entry for _, entry in group]
            made.chunks.append(zlib.compress(pickle.dumps(entries)))
            made.entries += len(entries)
            for entry in entries:
                digest.update(json.dumps(_identity(entry), default=str).encode() + b"\n")
                made.archives += isinstance(entry, Archive)
                if isinstance(entry, Item) and entry.carried:
                    yield sinks.with_carried(empty, entry.carried)

    made.kinds = sinks.kinds(carried(), pairs)
    made.digest = digest.hexdigest()
    return made


def unpacked(chunk: bytes) -> list[Entry]:
    """What a table holds of a chunk. The table is one's own: unpacking trusts it."""
    entries: list[Entry] = pickle.loads(zlib.decompress(chunk))
    return entries


def _identity(entry: Entry) -> list[Any]:
    """What tells a picture, its state and its row's other columns apart."""
    if isinstance(entry, Archive):
        return [entry.place, entry.stamp] if entry.stamp else [entry.place]
    if isinstance(entry, Failure):
        return [entry.source, entry.text]
    return [entry.source, entry.key, entry.stamp, dict(entry.carried)]


def parse_shard(text: str) -> Shard:
    """Read i/n, as in "0/3" -> (0, 3). Raises SettingsError."""
    mine, slash, shards = text.partition("/")
    if not (slash and mine.isdecimal() and shards.isdecimal() and int(mine) < int(shards)):
        raise SettingsError(f"shard - got {text!r} - give i/n with i from 0 to n - 1, as in 0/3")
    return int(mine), int(shards)
