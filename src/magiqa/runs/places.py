"""A place, a path or a URL -> an item, or a stream of bytes."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from magiqa.errors import MagiqaError, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import stores

SUFFIXES = (
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
    *(".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""What counts as a picture inside a folder or archive; a file named itself is always tried."""
LARGEST = 1 << 28  # bytes of one picture that is fetched or unpacked: some are held at once
LONGEST = 300  # seconds to fetch one picture


def is_url(place: str) -> bool:
    """Whether a place is a URL of any scheme; a Windows drive is none."""
    scheme, colon, _ = place.partition("://")
    return bool(colon) and len(scheme) > 1 and scheme.isascii() and scheme.isalnum()


def is_web(place: str) -> bool:
    """Whether a place is on a web server."""
    return place[:8].lower().startswith(("http://", "https://"))


def is_picture(name: str) -> bool:
    """Whether a file in a folder or archive is taken for a picture, by its name."""
    return not os.path.basename(name).startswith(".") and name.lower().endswith(SUFFIXES)


def ending(place: str) -> str:
    """A place in lower case, without a web address's query, so that its end tells its kind."""
    if is_web(place):
        with suppress(ValueError):  # it is no address; who fetches it says so
            place = urllib.parse.urlsplit(place).path
    return place.lower()


def beside(place: str, name: str) -> str:
    """The place that a file, such as a manifest, means by a name: relative to itself."""
    if is_url(name) or (os.path.isabs(name) and not is_web(place)):
        return name
    if is_web(place):
        return urllib.parse.urljoin(place, urllib.parse.quote(name, errors="surrogateescape"))
    return place[: len(place) - len(os.path.basename(place))] + name


def item(place: str, key: str = "", carried: Mapping[str, Any] | None = None) -> Item | Failure:
    """The picture at a place; a local file that is not there is a Failure.

    Where a manifest names it, it is an item that cannot be fetched: its row keeps the columns.
    """
    if is_url(place):
        return Item(place, partial(fetch, place), key, carried=carried or {})
    try:
        stamp = file_stamp(place)
    except PermissionError as error:
        text = f"{place} - cannot be read ({error.strerror}) - check its permissions"
    except (OSError, ValueError):  # the name may hold what no name can
        text = f"{place} - there is no such file or folder - check the path"
    else:
        return Item(place, Path(place), key, stamp, carried or {})
    if key or carried:
        return Item(place, partial(_refuse, text), key, carried=carried or {})
    return Failure(place, SourceError.__name__, text)


def stamp_if_there(place: str) -> str:
    """The stamp of a local file, empty for all else."""
    try:
        return file_stamp(place)
    except (OSError, ValueError):
        return ""


def file_stamp(path: str) -> str:
    """Size and time of change of a local file. Raises OSError, ValueError."""
    stat = os.stat(path)
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def fetch(url: str) -> bytes:
    """All bytes at a URL; SourceError or MissingExtra says what went wrong."""
    content = bytearray()
    until = time.monotonic() + LONGEST
    with stream(url) as file:
        read = getattr(file, "read1", file.read)  # as much as is there, where that can be told
        try:
            while chunk := read(1 << 20):
                content += chunk
                if len(content) > LARGEST:
                    break
                if time.monotonic() > until:
                    raise TimeoutError(f"not through in {LONGEST} s")
        except Exception as error:
            raise _broke_off(url, error) from error
    if len(content) > LARGEST:
        raise SourceError(f"{url} - more than {LARGEST} bytes - name a picture")
    return bytes(content)


def stream(place: str) -> BinaryIO:
    """The bytes at a place, to be read once from the front. Raises SourceError, MissingExtra."""
    try:
        if is_web(place):
            from magiqa.runs import web  # its libraries cost a third of the start

            return web.open_url(place)
        return stores.open_file(place) if is_url(place) else open(place, "rb")
    except MagiqaError:
        raise
    except FileNotFoundError as error:
        raise SourceError(f"{place} - there is no such file - check the name") from error
    except Exception as error:  # the network's, the stores' and the file system's own kinds
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        text = f"{place} - cannot be read ({reason}) - check it and try again"
        raise SourceError(text) from error


def seekable(place: str) -> BinaryIO:
    """The bytes at a place, to be read anywhere; a web server's are brought to the disk first.

    Raises SourceError, MissingExtra.
    """
    file = stream(place)
    if file.seekable():
        return file
    with file:
        kept = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # the caller closes it
        try:
            shutil.copyfileobj(file, kept)
            kept.seek(0)
        except Exception as error:
            kept.close()
            raise _broke_off(place, error) from error
    return kept


def _refuse(text: str) -> bytes:
    raise SourceError(text)


def _broke_off(place: str, error: Exception) -> SourceError:
    return SourceError(f"{place} - broke off ({error}) - try again later")
