"""Remote stores (s3://, gs://, hf://, all that fsspec knows): files, what is below a URL, puts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from magiqa.errors import MissingExtra, SourceError
from magiqa.records import Failure

MAGIC = re.compile(r"[*?[]")


def open_file(url: str) -> BinaryIO:
    """A file of a store, seekable. Raises SourceError, MissingExtra and the store's own kinds."""
    store, path = _store(url)
    return cast(BinaryIO, store.open(path, "rb"))


def put(url: str, content: bytes) -> None:
    """Write a file of a store at once. Raises SourceError, MissingExtra and the store's kinds."""
    store, path = _store(url)
    store.pipe_file(path, content)


def remove(url: str) -> None:
    """Remove a file of a store. Raises what `put` raises."""
    store, path = _store(url)
    store.rm_file(path)


def names(url: str) -> set[str]:
    """Names of what is in a remote folder, none where there is no such. Raises as `put`."""
    store, path = _store(url)
    try:
        return {name.rstrip("/").rpartition("/")[2] for name in store.ls(path, detail=False)}
    except FileNotFoundError:
        return set()


def expand(url: str, is_picture: Callable[[str], bool]) -> Iterator[str | Failure]:
    """The pictures below a remote folder, in order, or what matches a glob; else the URL.

    `is_picture` tells which names to take. A folder further down that cannot be listed is a
    Failure. Raises SourceError, MissingExtra.
    """
    store, path = _store(url)
    magic = MAGIC.search(path)
    try:
        if magic and not store.exists(path):
            found = sorted(store.glob(path, detail=True).items())
            stem = path[: path.rfind("/", 0, magic.start()) + 1]
            home = url[: url.rfind("/", 0, url.index(path[magic.start()])) + 1]
        elif not magic and is_picture(path):  # needs no question to the store
            found, stem, home = [(path, {"type": "file"})], path, url
        else:
            found, stem, home = [(path, store.info(path))], path.rstrip("/"), url
    except Exception as error:  # the stores' own kinds
        raise SourceError(_unlisted(url, error)) from error

    def named(name: str) -> str:
        """The URL of a name that the store told, spelled as the user spelled the first part."""
        tail = name[len(stem) :].lstrip("/")
        return home if not tail else f"{home}{tail}" if home[-1] == "/" else f"{home}/{tail}"

    for name, about in found:
        if about["type"] == "directory":
            yield from _below(store, name, named, is_picture)
        else:
            yield named(name)


def _below(
    store: Any, top: str, named: Callable[[str], str], is_picture: Callable[[str], bool]
) -> Iterator[str | Failure]:
    """Pictures below a folder, as folders.walk meets them."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted((each["name"], each["type"]) for each in store.ls(folder, detail=True))
        except Exception as error:  # the stores' own kinds
            url = named(folder)
            yield Failure(url, SourceError.__name__, _unlisted(url, error))
            continue
        yield from (named(name) for name, kind in entries if kind == "file" and is_picture(name))
        for name, kind in reversed(entries):
            hidden = name.rstrip("/").rpartition("/")[2].startswith(".")
            if kind == "directory" and not hidden and name.rstrip("/") != folder.rstrip("/"):
                waiting.append(name)


def _unlisted(url: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{url} - there is no such file or folder - check the name"
    return f"{url} - cannot be listed ({error}) - check the name and your credentials"


def _store(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingExtra(
            f"{url} - remote stores need fsspec - pip install 'magiqa[files]'"
        ) from None
    try:
        # without the cache of listings, which would hold all there is in a bucket
        return cast(tuple[Any, str], fsspec.core.url_to_fs(url, use_listings_cache=False))
    except ImportError as error:  # fsspec knows the scheme, but its library is not installed
        raise MissingExtra(f"{url} - {error} - 'magiqa[files]' brings s3:// and hf://") from error
    except Exception as error:  # an unknown scheme, and what the stores make of odd settings
        raise SourceError(f"{url} - {error} - use s3://, gs://, hf:// or https://") from error
