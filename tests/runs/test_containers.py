from __future__ import annotations

import gc
import io
import itertools
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from magiqa import Failure, Item
from magiqa.runs import containers, places
from magiqa.runs.sources import list_items

NAMES = ("001.left.png", "001.right.jpg", "001.json", "deep/er/002.v1.PNG", "003.webp")
PICTURES = [name for name in NAMES if not name.endswith("json")]
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def content(name: str) -> bytes:
    """Other than its neighbours' and hard to compress, so that damage is met where it is."""
    return b"".join(struct.pack("<d", hash((name, i)) / 7) for i in range(300))


def tar(path: Path, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as shard:  # type: ignore[call-overload]
        for name in NAMES:
            info = tarfile.TarInfo(name)
            info.size = len(content(name))
            shard.addfile(info, io.BytesIO(content(name)))
    return path


def zipped(path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("deep/", b"")
        for name in (*NAMES, "__MACOSX/._003.webp"):
            archive.writestr(name, content(name))
    return path


def items(path: Path) -> list[Item]:
    found = list(list_items([path]))
    assert all(isinstance(each, Item) for each in found)
    return [each for each in found if isinstance(each, Item)]


def last_failure(entries: Iterator[Item | Failure]) -> tuple[list[Item], Failure]:
    *found, failure = entries
    assert isinstance(failure, Failure)
    return [each for each in found if isinstance(each, Item)], failure


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_tar_shard_is_its_pictures_in_its_order(tmp_path: Path, suffix: str) -> None:
    mode = "w:" + suffix.replace("tgz", "gz").removeprefix(".tar").removeprefix(".")
    path = tar(tmp_path / f"shard{suffix}", mode)
    found = items(path)
    assert [each.source for each in found] == [f"{path}/{name}" for name in PICTURES]
    assert [each.key for each in found] == ["001", "001", "deep/er/002", "003"]
    assert [each.data for each in found] == [content(name) for name in PICTURES]
    assert {each.stamp for each in found} == {places.file_stamp(str(path))}


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tar.xz"])
def test_pictures_before_the_damage_of_a_shard_are_listed(tmp_path: Path, suffix: str) -> None:
    path = tar(tmp_path / f"shard{suffix}", "w:" + suffix.removeprefix(".tar").removeprefix("."))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found, failure = last_failure(list_items([path]))
    assert [each.data for each in found] == [content(name) for name in PICTURES[: len(found)]]
    assert len(found) > 0 or suffix == ".tar.xz"  # a block of which is all of this one
    assert failure.text.startswith(f"{path} - damaged in the archive (")
    assert failure.text.endswith(") - fetch or pack it again")


def test_a_shard_that_ends_between_two_pictures_is_damaged_too(tmp_path: Path) -> None:
    path = tar(tmp_path / "shard.tar")
    with tarfile.open(path) as shard:
        end = shard.getmembers()[3].offset
    path.write_bytes(path.read_bytes()[:end])
    found, failure = last_failure(list_items([path]))
    assert [each.key for each in found] == ["001", "001"]
    assert "(empty header)" in failure.text


def test_a_damaged_header_in_the_middle_of_a_shard(tmp_path: Path) -> None:
    path = tar(tmp_path / "shard.tar")
    with tarfile.open(path) as shard:
        header = shard.getmembers()[3].offset
    damaged = bytearray(path.read_bytes())
    damaged[header : header + 100] = b"\xff" * 100
    path.write_bytes(damaged)
    found, failure = last_failure(list_items([path]))
    assert [each.key for each in found] == ["001", "001"]
    assert "damaged in the archive (bad checksum)" in failure.text


@pytest.mark.parametrize("content", [b"", b"no archive" * 200, b"\x1f\x8b\x08" + b"x" * 600])
@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.zip"])
def test_what_is_no_archive_is_a_failure(tmp_path: Path, content: bytes, name: str) -> None:
    (tmp_path / name).write_bytes(content)
    found, failure = last_failure(list_items([tmp_path / name]))
    assert not found
    assert failure.text.startswith(f"{tmp_path / name} - damaged in the archive (")


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    for name in ("a.tar", "a.zip"):
        [failure] = list_items([tmp_path / name])
        assert isinstance(failure, Failure)
        assert failure.text.endswith(f"{name} - there is no such file - check the name")


def test_links_in_a_shard_are_failures(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    with tarfile.open(path, "w") as shard:
        for name, kind in (("a.png", tarfile.REGTYPE), ("b.png", tarfile.LNKTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "a.png"
            shard.addfile(info)
    found, failure = last_failure(list_items([path]))
    assert [each.key for each in found] == ["a"]
    assert failure.text == f"{path}/b.png - a link or a device - pack the picture itself"


@pytest.mark.parametrize("archive", [tar, zipped])
def test_members_that_are_too_large_are_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Callable[[Path], Path]
) -> None:
    monkeypatch.setattr(places, "LARGEST", 100)
    path = archive(tmp_path / ("a.tar" if archive is tar else "a.zip"))
    found = list(list_items([path]))
    assert len(found) == len(PICTURES)
    for each in found:
        assert isinstance(each, Failure)
        assert each.text == f"{each.source} - more than 100 bytes - take it out of the archive"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_zip_archive_is_its_pictures_in_its_order(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "a.ZIP", method)
    found = items(path)
    assert [each.source for each in found] == [f"{path}/{name}" for name in PICTURES]
    assert [each.key for each in found] == PICTURES
    assert [each.data for each in found] == [content(name) for name in PICTURES]


def test_a_damaged_member_of_a_zip_archive_is_a_failure_in_its_place(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip")
    with zipfile.ZipFile(path) as archive:
        at = archive.infolist()[2].header_offset + 200
    damaged = bytearray(path.read_bytes())
    damaged[at : at + 50] = bytes(50)
    path.write_bytes(damaged)
    first, second, *rest = list_items([path])
    assert isinstance(first, Item)
    assert isinstance(second, Failure)
    assert second.text.startswith(f"{path}/001.right.jpg - damaged in the archive (")
    assert all(isinstance(each, Item) for each in rest)


def test_an_encrypted_member_is_a_failure(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip")
    flagged = bytearray(path.read_bytes())
    at = flagged.index(b"PK\x01\x02", flagged.index(b"PK\x01\x02") + 1) + 8  # the second's flags
    flagged[at] |= 1
    path.write_bytes(flagged)
    first, *rest = list_items([path])
    assert isinstance(first, Failure)
    assert first.text == f"{path}/001.left.png - is encrypted - unpack the archive first"
    assert all(isinstance(each, Item) for each in rest)


def test_a_bomb_that_lies_about_its_size_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LARGEST", 1000)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(50_000_000))
    bomb = path.read_bytes().replace(struct.pack("<L", 50_000_000), struct.pack("<L", 100))
    path.write_bytes(bomb)
    [failure] = list_items([path])
    assert isinstance(failure, Failure)
    assert "a.png - damaged in the archive (Bad CRC-32" in failure.text


def test_a_shard_keeps_no_list_of_its_members(tmp_path: Path) -> None:
    path = tmp_path / "shard.tar"
    with tarfile.open(path, "w") as shard:
        for number in range(1000):
            shard.addfile(tarfile.TarInfo(f"{number}.png"))
    del shard
    found = list_items([path])
    assert len(list(itertools.islice(found, 999))) == 999
    held = [each for each in gc.get_objects() if issubclass(type(each), tarfile.TarInfo)]
    assert len(held) < 10
    assert len(list(found)) == 1


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("a.tar", "tar"),
        ("a.TGZ", "tar"),
        ("https://example.org/a.zip?key=1", "zip"),
        ("a.png", None),
        ("https://example.org/a.png?of=a.zip", None),
    ],
)
def test_the_name_tells_the_kind(place: str, kind: str | None) -> None:
    assert containers.kind_of(place) == kind
