"""The cache folder: where what was fetched or derived is kept."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from magiqa.atomic import replacing


def cache_folder() -> Path:
    """Where files are kept: MAGIQA_CACHE, else the platform's cache folder."""
    chosen = os.environ.get("MAGIQA_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("magiqa", appauthor=False)


def remember(path: Path, content: bytes) -> None:
    """Keep something small in the cache; where that fails it is worked out anew each time."""
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError:
        pass


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
