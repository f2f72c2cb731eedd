from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from clip.hub_server import Server, serving
from magiqa.clip.download import download

CONTENT = bytes(range(256)) * 20_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ROUTE = f"/{SHA256}/RN50.pt"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as server:
        server.files[ROUTE] = CONTENT
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "openai" / "RN50.pt"


def names(path: Path) -> list[str]:
    """What is beside the file, the lock left out: some systems keep it and some do not."""
    return sorted(file.name for file in path.parent.iterdir() if file.suffix != ".lock")


def test_a_file_arrives_whole_and_its_progress_is_told(server: Server, path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    download(server.address + ROUTE, SHA256, path, lambda *bytes_: told.append(bytes_))
    assert path.read_bytes() == CONTENT
    assert names(path) == ["RN50.pt"]
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [there for there, _ in told] == sorted(there for there, _ in told)


def test_a_redirect_is_followed(server: Server, path: Path) -> None:
    server.redirects["/old"] = (server.address + ROUTE, {})
    download(f"{server.address}/old", SHA256, path)
    assert path.read_bytes() == CONTENT


def test_what_was_cut_goes_on_where_it_ended(server: Server, path: Path) -> None:
    server.cut[ROUTE] = 3_000_000
    with pytest.raises(OSError, match=r"cut after 3000000 of 5120000 bytes, the next try goes on"):
        download(server.address + ROUTE, SHA256, path)
    assert names(path) == ["RN50.pt.part"]
    server.redirects["/moved"] = (server.address + ROUTE, {})
    download(f"{server.address}/moved", SHA256, path)
    assert path.read_bytes() == CONTENT
    assert server.gets() == [None, "bytes=3000000-", "bytes=3000000-"]
    assert server.sent == [3_000_000, 2_120_000]
    assert names(path) == ["RN50.pt"]


def test_a_server_without_ranges_begins_anew(server: Server, path: Path) -> None:
    server.ranges = False
    server.cut[ROUTE] = 3_000_000
    with pytest.raises(OSError, match="cut after"):
        download(server.address + ROUTE, SHA256, path)
    download(server.address + ROUTE, SHA256, path)
    assert path.read_bytes() == CONTENT
    assert server.sent == [3_000_000, len(CONTENT)]


def test_a_part_that_is_whole_is_only_checked(server: Server, path: Path) -> None:
    path.parent.mkdir()
    path.with_name("RN50.pt.part").write_bytes(CONTENT)
    download(server.address + ROUTE, SHA256, path)
    assert path.read_bytes() == CONTENT
    assert server.sent == []  # the server said 416


@pytest.mark.parametrize("stale", [b"of another file", b"longer" * 1_000_000])
def test_a_part_of_something_else_is_given_up(server: Server, path: Path, stale: bytes) -> None:
    path.parent.mkdir()
    path.with_name("RN50.pt.part").write_bytes(stale)
    download(server.address + ROUTE, SHA256, path)
    assert path.read_bytes() == CONTENT
    assert server.gets() == [f"bytes={len(stale)}-", None]


def test_a_wrong_file_leaves_nothing(server: Server, path: Path) -> None:
    server.files[ROUTE] = b"a page that asks you to log in"
    got = hashlib.sha256(server.files[ROUTE]).hexdigest()
    with pytest.raises(OSError, match=f"SHA-256 expected {SHA256}, got {got}"):
        download(server.address + ROUTE, SHA256, path)
    assert names(path) == []


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_of_the_server_is_told(server: Server, path: Path, status: int) -> None:
    server.status[ROUTE] = status
    with pytest.raises(OSError, match=f"HTTP Error {status}"):
        download(server.address + ROUTE, SHA256, path)
    assert names(path) == []


def test_a_server_that_is_not_there_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving() as gone:
        address = gone.address
    with pytest.raises(OSError, match=r"refused"):
        download(address, SHA256, path)


def test_the_environments_proxy_is_asked(
    server: Server, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.setattr(urllib.request, "_opener", None)  # it knows the proxies of its first use
    download(f"http://elsewhere.invalid{ROUTE}", SHA256, path)
    assert path.read_bytes() == CONTENT
    assert server.asked[0].path == f"http://elsewhere.invalid{ROUTE}"


def test_two_processes_at_once_fetch_it_once(server: Server, path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from magiqa.clip.download import download;"
        "download(sys.argv[1], sys.argv[2], Path(sys.argv[3]))"
    )
    command = [sys.executable, "-c", program, server.address + ROUTE, SHA256, str(path)]
    both = [subprocess.Popen(command, env=dict(os.environ)) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert path.read_bytes() == CONTENT
    assert server.sent == [len(CONTENT)]
    assert names(path) == ["RN50.pt"]
