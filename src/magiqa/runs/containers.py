"""Tar shards in WebDataset layout and zip archives -> items of the pictures in them."""

from __future__ import annotations

import os
import posixpath
import tarfile
import zipfile
from collections.abc import Iterator
from typing import BinaryIO, Literal, Self

from magiqa.errors import MagiqaError, SourceError
from magiqa.records import Failure, Item
from magiqa.runs import places

TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def kind_of(place: str) -> Literal["tar", "zip"] | None:
    """Which kind of archive a place is, by its name."""
    name = places.ending(place)
    if name.endswith(TARS):
        return "tar"
    return "zip" if name.endswith(".zip") else None


def tar_members(place: str) -> Iterator[Item | Failure]:
    """Pictures of a tar shard in its order, read from front to back; keys as in WebDataset.

    The key is a member's path up to the first dot of its name. SourceError when the shard itself
    is damaged, after the pictures before the damage.
    """
    stamp = _stamp(place)
    try:
        with places.stream(place) as file, _open(file) as shard:
            while member := shard.next():
                if places.is_picture(member.name) and not member.isdir():
                    yield _tar_member(place, shard, member, stamp)
                shard.members = []  # type: ignore[attr-defined]  # all of them, which tarfile would keep
    except MagiqaError:
        raise
    except Exception as error:  # hostile archives raise anything
        raise _damaged(place, error) from error


class _Header(tarfile.TarInfo):
    """A member's header. tarfile takes a damaged one, and one that is missing, for the end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if buf == bytes(tarfile.BLOCKSIZE):  # as the end is marked
                raise
            raise tarfile.ReadError(str(error)) from error


def _open(file: BinaryIO) -> tarfile.TarFile:
    return tarfile.open(fileobj=file, mode="r|*", tarinfo=_Header)


def _tar_member(
    place: str, shard: tarfile.TarFile, member: tarfile.TarInfo, stamp: str
) -> Item | Failure:
    source = f"{place}/{member.name}"
    if not member.isfile():
        text = f"{source} - a link or a device - pack the picture itself"
        return Failure(source, SourceError.__name__, text)
    if member.size > places.LARGEST:
        return _too_large(source)
    content = shard.extractfile(member)
    assert content is not None  # it is a file
    folder, name = posixpath.split(member.name)
    return Item(source, content.read(), posixpath.join(folder, name.partition(".")[0]), stamp)


def zip_members(place: str) -> Iterator[Item | Failure]:
    """Pictures of a zip archive in its order; keys are the members' names.

    A member that is damaged or encrypted is a Failure; SourceError when the archive itself is.
    """
    stamp = _stamp(place)
    try:
        with places.seekable(place) as file, zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                if not member.is_dir() and places.is_picture(member.filename):
                    yield _zip_member(place, archive, member, stamp)
    except MagiqaError:
        raise
    except Exception as error:  # hostile archives raise anything
        raise _damaged(place, error) from error


def _zip_member(
    place: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, stamp: str
) -> Item | Failure:
    source = f"{place}/{member.filename}"
    if member.file_size > places.LARGEST:
        return _too_large(source)
    if member.flag_bits & 1:
        text = f"{source} - is encrypted - unpack the archive first"
        return Failure(source, SourceError.__name__, text)
    try:
        with archive.open(member) as content:
            # one byte more than it claims, so that a bomb that lies about its size is not inflated
            return Item(source, content.read(member.file_size + 1), member.filename, stamp)
    except Exception as error:
        return Failure(source, SourceError.__name__, str(_damaged(source, error)))


def _stamp(place: str) -> str:
    return "" if places.is_url(place) or not os.path.exists(place) else places.file_stamp(place)


def _too_large(source: str) -> Failure:
    text = f"{source} - more than {places.LARGEST} bytes - take it out of the archive"
    return Failure(source, SourceError.__name__, text)


def _damaged(place: str, error: Exception) -> SourceError:
    return SourceError(f"{place} - damaged in the archive ({error}) - fetch or pack it again")
