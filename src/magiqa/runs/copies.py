"""Pictures of a run copied into a folder, under their own names."""

from __future__ import annotations

import filecmp
import itertools
import os
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath

from magiqa.errors import OutputError, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import places
from magiqa.runs.fetch import fetched
from magiqa.runs.reopen import reopened


def check(folder: Path, paths: Iterable[str]) -> None:
    """Make the folder, before any work is done; not one within what is scored. OutputError."""
    for path in filter(os.path.isdir, paths):
        if folder.resolve().is_relative_to(Path(path).resolve()):
            raise OutputError(
                f"{folder} - lies in {path}, whose pictures are scored: the copies would be too - "
                f"name a folder outside"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _unwritable(folder, error) from error


def copied(sources: Iterable[str], folder: Path) -> Iterator[Path | Failure]:
    """Copy each source, wherever it is, into the folder; a Failure for what cannot be read.

    Nothing is overwritten: where another picture has the name, the copy's name gets a number; a
    picture that is there already stays as it is. Raises OutputError.
    """
    for item in fetched(reopened(sources)):
        if isinstance(item, Failure):
            yield item
            continue
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=".magiqa-") as place:
                part = Path(place, "part")
                yield _written(item, part) or _named(part, folder, _name(item.source))
        except OSError as error:
            raise _unwritable(folder, error) from error


def _written(item: Item, part: Path) -> Failure | None:
    if not isinstance(item.data, Path):
        part.write_bytes(item.data)
        return None
    try:
        file = item.data.open("rb")
    except OSError as error:
        text = f"{item.source} - cannot be read ({error.strerror}) - check its permissions"
        return Failure(item.source, SourceError.__name__, text)
    with file, part.open("wb") as copy:
        shutil.copyfileobj(file, copy)
    shutil.copystat(item.data, part)
    return None


def _named(part: Path, folder: Path, name: str) -> Path:
    """Give the copy the first name that is free, or its equal's."""
    stem, suffix = os.path.splitext(name)
    for number in itertools.count(1):
        path = folder / (name if number == 1 else f"{stem}-{number}{suffix}")
        try:
            path.open("xb").close()  # nobody else can take the name from here on
        except FileExistsError:
            if path.is_file() and filecmp.cmp(part, path, shallow=False):
                break
        else:
            part.replace(path)
            break
    return path


def _name(source: str) -> str:
    path = urllib.parse.urlsplit(source).path if places.is_web(source) else source
    return PurePath(path).name or "picture"


def _unwritable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"{folder} - cannot be written ({error.strerror or error}) - name a folder you may write to"
    )
