from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import fsspec
import pytest

from magiqa import Failure, Item, SourceError
from magiqa.runs import places, stores
from magiqa.runs.sources import list_items


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    for name in ("b.png", "a.png", "c/d e#1%?.png", "c/[1].png", "c/x.txt", ".h/f.png", "z/g.jpg"):
        store.pipe(f"/top/{name}", name.encode())
    yield store
    store.rm("/top", recursive=True)


def sources(*urls: str) -> list[str]:
    found = list(list_items(urls))
    assert all(isinstance(each, Item) for each in found), found
    return [each.source for each in found]


@pytest.mark.parametrize("url", ["memory://top", "memory://top/", "memory:///top"])
@pytest.mark.usefixtures("memory")
def test_a_remote_folder_is_every_picture_below_it_in_order(url: str) -> None:
    names = ["a.png", "b.png", "c/[1].png", "c/d e#1%?.png", "z/g.jpg"]
    assert sources(url) == [f"{url.rstrip('/')}/{name}" for name in names]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("top/*.png", ["top/a.png", "top/b.png"]),
        ("top/**/*.jpg", ["top/z/g.jpg"]),
        ("top/z*", ["top/z/g.jpg"]),
        ("top/c/[1].png", ["top/c/[1].png"]),
        ("top/c/x.txt", ["top/c/x.txt"]),
    ],
)
@pytest.mark.usefixtures("memory")
def test_remote_globs_and_files(pattern: str, expected: list[str]) -> None:
    assert sources(f"memory://{pattern}") == [f"memory://{name}" for name in expected]


@pytest.mark.usefixtures("memory")
def test_any_letters_of_a_name_are_its_own() -> None:
    assert places.fetch("memory://top/c/d e#1%?.png") == b"c/d e#1%?.png"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("memory://gone", " - there is no such file or folder - check the name"),
        ("memory://gone/*.png", " - no picture in it - name another folder or a picture"),
        ("memory://gone.csv", " - there is no such file or folder - check the name"),
        ("nix://a.png", " - Protocol not known: nix - use s3://, gs://, hf:// or https://"),
    ],
)
@pytest.mark.usefixtures("memory")
def test_what_is_not_there_is_a_failure(url: str, text: str) -> None:
    assert list(list_items([url])) == [Failure(url, "SourceError", url + text)]
    with pytest.raises(SourceError, match=r"a.png - there is no such file - check the name"):
        places.fetch("memory://top/gone/a.png")


def test_a_remote_folder_that_cannot_be_listed_is_a_failure_and_the_rest_goes_on(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ls = type(memory).ls

    def refused(self: Any, path: str, **options: Any) -> Any:
        if path.endswith("/c"):
            raise PermissionError("Forbidden")
        return ls(self, path, **options)

    monkeypatch.setattr(type(memory), "ls", refused)
    found = list(stores.expand("memory://top", places.is_picture))
    text = "memory://top/c - cannot be listed (Forbidden) - check the name and your credentials"
    failure = Failure("memory://top/c", "SourceError", text)
    assert found == ["memory://top/a.png", "memory://top/b.png", failure, "memory://top/z/g.jpg"]


def test_a_remote_listing_streams_folder_by_folder(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    ls = type(memory).ls

    def noted(self: Any, path: str, **options: Any) -> Any:
        asked.append(path)
        return ls(self, path, **options)

    monkeypatch.setattr(type(memory), "ls", noted)
    assert next(stores.expand("memory://top", places.is_picture)) == "memory://top/a.png"
    assert asked.count("/top/c") == 0


def test_without_fsspec_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    text = "s3://b/a.png - remote stores need fsspec - pip install 'magiqa[files]'"
    assert list(list_items(["s3://b/a.png"])) == [Failure("s3://b/a.png", "MissingExtra", text)]


def test_without_a_stores_library_it_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    [failure] = list_items(["gs://bucket/a.png"])
    assert isinstance(failure, Failure)
    assert failure.kind == "MissingExtra"
    assert failure.text.startswith("gs://bucket/a.png - Please install gcsfs")


def test_the_hub_is_a_store() -> None:  # tests run offline
    [failure] = list_items(["hf://datasets/someone/pictures"])
    assert isinstance(failure, Failure)
    assert "hf://datasets/someone/pictures - cannot be listed (" in failure.text
