from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from magiqa import Failure, Item, SourceError
from magiqa.runs import places, web
from runs.servers import Answer, Web, web_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(web, "SECONDS", 0.3)
    with web_server() as server:
        yield server


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("https://example.org/a.png", True),
        ("HTTP://example.org/a.png", True),
        ("s3://bucket/a.png", True),
        ("C:\\pictures\\a.png", False),
        ("C://pictures/a.png", False),
        ("folder/http://a.png", False),
        ("a.png", False),
        ("://a.png", False),
    ],
)
def test_a_url_has_a_scheme(place: str, expected: bool) -> None:
    assert places.is_url(place) == expected


def test_the_end_of_a_web_address_is_before_its_query() -> None:
    assert places.ending("https://example.org/A.TAR?key=a.zip#b") == "/a.tar"
    assert places.ending("s3://bucket/a#1?.CSV") == "s3://bucket/a#1?.csv"


@pytest.mark.parametrize(
    ("place", "name", "expected"),
    [
        ("list.csv", "a.png", "a.png"),
        ("lists/list.csv", "deep/a.png", "lists/deep/a.png"),
        ("lists/list.csv", "/other/a.png", "/other/a.png"),
        ("lists/list.csv", "s3://bucket/a.png", "s3://bucket/a.png"),
        ("s3://bucket/lists/list.csv", "a#1.png", "s3://bucket/lists/a#1.png"),
        ("https://example.org/x/list.csv?key=/1", "a.png", "https://example.org/x/a.png"),
        (
            "https://example.org/x/list.csv",
            "../a b#1?%.png",
            "https://example.org/a%20b%231%3F%25.png",
        ),
        ("https://example.org/x/list.csv", "/a.png", "https://example.org/a.png"),
    ],
)
def test_names_are_relative_to_what_names_them(place: str, name: str, expected: str) -> None:
    assert places.beside(place, name) == expected


def test_the_stamp_of_a_file_changes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"1")
    before = places.item(str(path))
    path.write_bytes(b"12")
    after = places.item(str(path))
    assert isinstance(before, Item)
    assert isinstance(after, Item)
    assert before.stamp != after.stamp


def test_a_file_behind_a_closed_folder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(places, "file_stamp", refused)  # root, whom nothing is refused, runs tests
    text = "a.png - cannot be read (Permission denied) - check its permissions"
    assert places.item("a.png") == Failure("a.png", "SourceError", text)


def test_all_of_a_web_servers_bytes_are_fetched(server: Web) -> None:
    content = bytes(range(256)) * 9000
    server.answers["/a.png"] = Answer(content)
    assert places.fetch(f"{server.address}/a.png") == content


def test_letters_that_no_address_may_hold_are_quoted(server: Web) -> None:
    server.answers["/a%20b/%C3%A4%41.png?q=1&r=%ff"] = Answer(b"picture")
    assert places.fetch(f"{server.address}/a b/ä%41.png?q=1&r=%ff#part") == b"picture"


def test_redirects_are_followed(server: Web) -> None:
    server.answers["/old"] = Answer(status=302, headers={"Location": "/new?x=1"})
    server.answers["/new?x=1"] = Answer(b"picture")
    assert places.fetch(f"{server.address}/old") == b"picture"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=404), "answers 404 Not Found - check the address"),
        (Answer(status=500), "answers 500 Internal Server Error - check the address"),
        (Answer(status=302, headers={"Location": "/a.png"}), "infinite loop"),
        (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "is not allowed"),
        (Answer(status=302, headers={"Location": "ftp://127.0.0.1/a"}), "unknown url type: ftp"),
        (Answer(status=302, headers={"Location": "data:,a"}), "is not allowed"),
        (Answer(b"picture", wait=5), "cannot be read (timed out) - check it and try again"),
        (Answer(b"picture", pause=5), "broke off (timed out) - try again later"),
        (Answer(b"picture", length=10), "broke off (3 bytes of the body are missing) - try"),
        (Answer(b"picture", chunked=True), "broke off (the body is cut short) - try again later"),
        (Answer(b"12345678" * 2), "a.png - more than 15 bytes - name a picture"),
    ],
)
def test_what_goes_wrong_on_the_web_is_told(
    server: Web, answer: Answer, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LARGEST", 15)
    server.answers["/a.png"] = answer
    with pytest.raises(SourceError) as caught:
        places.fetch(f"{server.address}/a.png")
    assert str(caught.value).startswith(f"{server.address}/a.png - ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_server_that_sends_drop_by_drop_is_left(
    server: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "LONGEST", 0.3)
    server.answers["/a.png"] = Answer(b"picture" * 1000, pause=0.02)
    begun = time.monotonic()
    with pytest.raises(SourceError, match=r"broke off \(not through in 0.3 s\) - try again later"):
        places.fetch(f"{server.address}/a.png")
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://[/a.png", "http://\ud800/"])
def test_where_no_server_is_nothing_can_be_read(url: str) -> None:
    with pytest.raises(SourceError, match=r" - cannot be read \(.+\) - check it and try again"):
        places.fetch(url)


def test_a_truncated_body_is_no_file_to_seek_in(server: Web) -> None:
    server.answers["/a.zip"] = Answer(b"archive", length=10)
    with pytest.raises(SourceError, match="3 bytes of the body are missing"):
        places.seekable(f"{server.address}/a.zip")


def test_a_file_can_be_read_anywhere(server: Web, tmp_path: Path) -> None:
    server.answers["/a.zip"] = Answer(b"archive")
    (tmp_path / "a.zip").write_bytes(b"archive")
    for place in (f"{server.address}/a.zip", str(tmp_path / "a.zip")):
        with places.seekable(place) as file:
            file.seek(-3, io.SEEK_END)
            assert file.read() == b"ive"


def test_a_local_file_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"gone.csv - there is no such file - check the name"):
        places.stream(str(tmp_path / "gone.csv"))
    with pytest.raises(SourceError, match=r"cannot be read \(Is a directory\) - check it"):
        places.stream(str(tmp_path))
