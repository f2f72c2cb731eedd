"""Folders and globs of this machine -> the files below them, in order, folder by folder."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from magiqa.errors import SourceError
from magiqa.records import Failure


class Folder(NamedTuple):
    """A folder and the files in it, sorted."""

    path: str
    files: Iterator[str]


def walk(top: str) -> Iterator[Folder | Failure]:
    """A folder and those below it, hidden ones left out, in order; files come before folders.

    Links are followed, but no folder is met twice, so that a loop ends. A folder that cannot be
    listed is a Failure.
    """
    seen: set[tuple[int, int]] = set()
    waiting = ["" if top == os.curdir else top]  # names need not begin with ./
    while waiting:
        folder = waiting.pop()
        try:
            stat = os.stat(folder or os.curdir)
            if (stat.st_dev, stat.st_ino) in seen:
                continue
            seen.add((stat.st_dev, stat.st_ino))
            files, below = _listing(folder)
        except OSError as error:
            yield _unlisted(folder, error)
            continue
        yield Folder(folder, (os.path.join(folder, name) for name in files))
        waiting += (os.path.join(folder, name) for name in reversed(below) if name[0] != ".")


def expand(source: str) -> Iterator[str | Failure]:
    """The paths that match a glob, in order; a path without wildcards, or that exists, itself.

    ** is any folders, as `walk` meets them; hidden names match a pattern with a dot alone.
    """
    if not glob.has_magic(source) or os.path.lexists(source):
        yield source
        return
    path = Path(source)
    parts = list(path.parts[1:] if path.anchor else path.parts)
    if parts[-2:] == ["**", "*"]:  # its folders hold no more than its files
        parts.pop()
    yield from _matching(path.anchor, parts)


def _matching(folder: str, parts: list[str]) -> Iterator[str | Failure]:
    if not parts or parts == ["**"]:
        yield folder
        return
    part, *rest = parts
    path = os.path.join(folder, part)
    if part == "**":
        for each in walk(folder):
            yield from [each] if isinstance(each, Failure) else _matching(each.path, rest)
    elif os.path.lexists(path):
        yield from _matching(path, rest)
    elif glob.has_magic(part):
        try:
            files, below = _listing(folder)
        except NotADirectoryError:
            return
        except OSError as error:
            yield _unlisted(folder, error)
            return
        for name in sorted(fnmatch.filter(below if rest else files + below, part)):
            if name[0] != "." or part[0] == ".":
                yield from _matching(os.path.join(folder, name), rest)


def _listing(folder: str) -> tuple[list[str], list[str]]:
    """Sorted names of the files and of the folders in a folder. Raises OSError."""
    files: list[str] = []
    below: list[str] = []
    with os.scandir(folder or os.curdir) as entries:
        for entry in entries:
            # a link that leads nowhere, or to itself, is a file that cannot be read
            linked = entry.is_symlink()
            is_folder = os.path.isdir(entry.path) if linked else entry.is_dir()
            (below if is_folder else files).append(entry.name)
    return sorted(files), sorted(below)


def _unlisted(folder: str, error: OSError) -> Failure:
    name = folder or os.curdir
    text = f"{name} - cannot be listed ({error.strerror}) - check its permissions"
    return Failure(name, SourceError.__name__, text)
