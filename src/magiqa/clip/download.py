"""One file over HTTP: resumed where an earlier try was cut, checked, and only then named."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import TypeAlias

from magiqa.clip.cache import file_sha256

Progress: TypeAlias = Callable[[int, int | None], None]
"""Is told the bytes that are there and how many there will be, None where the server is silent."""

_BLOCK = 1 << 20
_PATIENCE = 30  # seconds without a byte


def download(address: str, sha256: str, path: Path, progress: Progress | None = None) -> None:
    """Fetch the file of this SHA-256 to `path`, through the environment's proxies.

    Bytes gather in `path`.part, which the next try continues when one is cut. A second process
    waits for the first and finds its file. Raises OSError that says what went wrong.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with FileLock(path.with_name(f"{path.name}.lock")):
        while not path.exists():
            try:
                continued = _receive(address, part, progress)
            except (HTTPException, ValueError) as error:  # an answer that is not HTTP's
                raise OSError(f"{type(error).__name__}: {error}") from error
            got = file_sha256(part)
            if got == sha256:
                part.replace(path)
                return
            part.unlink()
            if not continued:  # else what was there before may be to blame: once more, from nothing
                raise OSError(f"SHA-256 expected {sha256}, got {got}")


def _receive(address: str, part: Path, progress: Progress | None) -> bool:
    """Bring `part` to its end; whether it went on from what was there."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    there = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={there}-"} if there else {})
    try:
        response = urlopen(request, timeout=_PATIENCE)
    except HTTPError as error:
        error.close()
        if error.code == 416 and there:  # nothing comes behind what is there
            return True
        raise
    except URLError as error:
        raise OSError(error.reason) from error
    with response:
        continued: bool = response.status == 206
        there = there if continued else 0
        length = response.headers["Content-Length"]
        total = there + int(length) if length else None
        with part.open("ab" if continued else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                there += len(block)
                if progress:
                    progress(there, total)
    if total is not None and there < total:
        raise OSError(f"cut after {there} of {total} bytes, the next try goes on from there")
    return continued
