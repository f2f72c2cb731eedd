"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from magiqa.errors import OutputError


def check(path: Path) -> None:
    """Refuse what `replacing` could not write, before any work is done. Raises OutputError."""
    try:
        if path.is_dir():
            raise OutputError(f"{path} - this is a folder - name a file in it")
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise OutputError(
            f"{path} - cannot be written ({error.strerror or error}) - name a file in a folder you "
            f"may write to"
        ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside `path`; renamed to it when the block ends well, else removed.

    Raises OSError when the folder cannot be made or written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:  # after a power cut, what has the name is whole
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_umask())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def sweep(folder: Path, name: str) -> None:
    """Remove what killed writers of files left whose names match; for who holds their lock."""
    left = re.compile(rf"\.({name})\.(meta\.json\.)?\w{{8}}\.part")
    for part in folder.glob(".*.part"):
        if left.fullmatch(part.name):
            part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
