"""Paths -> items: files as they are, folders with every picture below them, sorted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from magiqa.errors import SourceError
from magiqa.records import Failure, Item

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What counts as a picture inside a folder; a file that is named itself is always tried."""


def list_items(paths: Iterable[str | os.PathLike[str]]) -> Iterator[Item | Failure]:
    """Items in the order of the paths; what leads to no picture is a Failure of kind SourceError.

    Hidden files and folders are passed over, links to folders are not followed.
    """
    for path in map(Path, paths):
        if path.is_dir():
            empty = True
            for picture in _pictures_below(path):
                empty = False
                yield Item(str(picture), picture)
            if empty:
                yield _failure(path, "no picture in this folder", "name files or another folder")
        elif path.exists():
            yield Item(str(path), path)
        else:
            yield _failure(path, "there is no such file or folder", "check the path")


def _pictures_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:
                yield Path(parent, name)


def _failure(path: Path, got: str, mend: str) -> Failure:
    return Failure(str(path), SourceError.__name__, f"{path} - {got} - {mend}")
