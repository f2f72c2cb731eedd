"""Hostile and broken clients: the right status, and a service that is well afterwards."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from magiqa import Scorer
from magiqa.serve import server as server_module
from serve.conftest import encoded, number, png, raw, serving, wait_for

PICTURE = encoded(200, 200)
FORM = {"Content-Type": "multipart/form-data; boundary=xyz"}


@pytest.fixture(autouse=True)
def _well_afterwards(client: httpx.Client) -> Iterator[None]:
    yield
    answer = client.post("/v1/score", **raw(PICTURE))
    assert answer.status_code == 200
    assert client.get("/readyz").status_code == 200
    wait_for(lambda: number(client, "magiqa_queue_pictures") == 0)


def part(data: bytes, name: str = "files", filename: str | None = "a.png") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--xyz\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def chunked(data: bytes, size: int = 65536) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    assert detail.count(" - ") >= 2  # what - got - mend
    return answer.status_code, detail


def connection(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port), 20)


def head(length: int, kind: str = "image/png") -> bytes:
    return (
        f"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, PICTURE, (415, "content-type - got '' - send multipart/form-data with files")),
        ({"Content-Type": "text/plain"}, PICTURE, (415, "content-type - got 'text/plain' - ")),
        (
            {"Content-Type": "image/png", "Content-Encoding": "gzip"},
            PICTURE,
            (415, "content-encoding - got 'gzip' - send the body as it is"),
        ),
        ({"Content-Type": "image/png"}, b"", (422, "body - ")),
        ({"Content-Type": "multipart/form-data"}, b"x", (400, "multipart body - missing boundary")),
        (FORM, b"nonsense", (400, "multipart body - invalid multipart data - send what a ")),
        (FORM, b"--xyz--\r\n", (400, "multipart body - there is no file in it - ")),
        (FORM, b"", (400, "multipart body - ")),
        (FORM, part(PICTURE), (400, "multipart body - ends without its last boundary - ")),
        (
            FORM,
            part(b"5", "size", None) + b"--xyz--\r\n",
            (400, "part 'size' - is a text, not a file - "),
        ),
        (
            FORM,
            b"--xyz\r\nContent-Type: image/png\r\n\r\nx\r\n--xyz--\r\n",
            (400, "multipart body - the content-disposition header"),
        ),
        (FORM, part(b"") + b"--xyz--\r\n", (422, "a.png - ")),
    ],
)
def test_bodies_that_are_not_what_they_say(
    client: httpx.Client, headers: dict[str, str], body: bytes, expected: tuple[int, str]
) -> None:
    status, detail = problem(client.post("/v1/score", content=body, headers=headers))
    assert (status, detail[: len(expected[1])]) == expected


@pytest.mark.parametrize("filename", ["a.png", None])
def test_ten_thousand_parts(client: httpx.Client, filename: str | None) -> None:
    body = part(b"x", filename=filename) * 10_000 + b"--xyz--\r\n"
    status, detail = problem(client.post("/v1/score", content=body, headers=FORM))
    assert (status, detail) == (
        413,
        "multipart body - more than 16 parts - send them in several requests",
    )


@pytest.mark.parametrize("kind", ["image/png", FORM["Content-Type"]])
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit(tiny: Scorer, kind: str, announced: bool) -> None:
    body = b"--xyz\r\n" + b"x" * 3_000_000 if announced else part(b"x" * 3_000_000)
    with serving(tiny, body=1_000_000) as client:
        content: Any = body if announced else chunked(body)
        answer = client.post("/v1/score", content=content, headers={"Content-Type": kind})
        assert problem(answer) == (
            413,
            "body - more than 1000000 bytes - send smaller pictures, or fewer in a request",
        )
        assert ("content-length" in answer.request.headers) == announced
        assert client.post("/v1/score", **raw(PICTURE)).status_code == 200


def test_a_body_without_a_length_is_taken_up_to_the_limit(client: httpx.Client) -> None:
    answer = client.post(
        "/v1/score", content=chunked(PICTURE, 1000), headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == 200


def test_a_slow_body_has_a_deadline(tiny: Scorer) -> None:
    with serving(tiny, seconds=1) as client, connection(client) as slow:
        slow.sendall(head(len(PICTURE)))
        begin = time.monotonic()
        for at in range(3):
            slow.sendall(PICTURE[at : at + 1])
            time.sleep(0.2)
        answer = b""
        while more := slow.recv(65536):
            answer += more
        assert 0.5 < time.monotonic() - begin < 10
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"body - not here after 1 s - send it faster, or a smaller one" in answer
        assert client.post("/v1/score", **raw(PICTURE)).status_code == 200


def test_a_slow_head_has_a_deadline(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HEAD_SECONDS", 0.3)
    for begun in (b"", b"GET /healthz HTT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /he"):
        with connection(client) as slow:
            slow.sendall(begun)
            got = b""
            while more := slow.recv(65536):  # ends when the service hangs up
                got += more
            assert got.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


def test_half_a_body_and_gone(client: httpx.Client) -> None:
    name = 'magiqa_requests_total{method="POST",path="/v1/score",status="499"}'
    before = number(client, name)
    for kind, body in (("image/png", PICTURE), (FORM["Content-Type"], part(PICTURE))):
        with connection(client) as half:
            half.sendall(head(len(body), kind) + body[:999])
    wait_for(lambda: number(client, name) == before + 2)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET /healthz HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/score HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000,
    ],
)
def test_what_is_no_http(client: httpx.Client, sent: bytes) -> None:
    with connection(client) as odd:
        odd.sendall(sent)
        assert odd.recv(65536)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 415", b"")


def bomb(width: int, height: int) -> bytes:
    """A PNG of zeros: a thousand times smaller than its pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    packer = zlib.compressobj(9)
    row = bytes(1 + width // 8)
    rows = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_a_bomb_is_refused_by_its_header(client: httpx.Client) -> None:
    status, detail = problem(client.post("/v1/score", **raw(bomb(8000, 8000))))
    assert (status, detail) == (
        422,
        "body - 8000x8000 is over the limit on decoding - scale it down, or in Python "
        "raise Settings.max_decode_pixels if you trust the file",
    )
    assert client.post("/v1/score", **raw(bomb(40_000, 40_000))).status_code == 422


def workers() -> set[int]:
    """The decode workers of this process, which may serve more than once."""
    tasks = Path("/proc/self/task").iterdir()
    children = {child for task in tasks for child in (task / "children").read_text().split()}
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return {int(child) for child, command in commands.items() if b"worker.work()" in command}


def test_a_killed_decode_worker_is_replaced(client: httpx.Client) -> None:
    [worker] = workers()
    os.kill(worker, signal.SIGKILL)
    # the next picture is its loss at most
    assert client.post("/v1/score", **raw(PICTURE)).status_code in (200, 422)
    assert client.post("/v1/score", **raw(PICTURE)).status_code == 200
    assert worker not in workers()


def test_a_worker_killed_in_the_middle_of_a_picture_costs_that_picture(tiny: Scorer) -> None:
    large = png(np.random.default_rng(0).integers(0, 256, (2500, 2500, 3), np.uint8))
    files = [("files", ("large.png", large)), ("files", ("small.png", PICTURE))]
    before = workers()
    for _ in range(5):
        with serving(tiny) as client:
            [worker] = workers() - before
            killer = subprocess.Popen(
                [sys.executable, "-c", f"import os, time; time.sleep(.2); os.kill({worker}, 9)"]
            )
            answer = client.post("/v1/score", files=files)
            assert killer.wait() == 0
            assert client.post("/v1/score", files=files).status_code == 200
        assert answer.status_code == 200
        first, second = answer.json()["pictures"]
        assert "score" in second
        if "error" in first:
            assert first["error"].startswith("large.png - ended the process that decoded it (sig")
            return
    pytest.fail("the worker was never in the middle of the picture")


def test_nothing_is_written_to_a_disk(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    large = png(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3), np.uint8))
    assert len(large) > 5_000_000
    answer = client.post("/v1/score", files={"files": ("large.png", large)})
    assert answer.status_code == 200


BURST = """
import sys
sys.path[:0] = sys.argv[2:]
import gc, json, logging, threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import httpx
from magiqa import Scorer
from serve.conftest import serving
from serve.test_faults import MIXED
logging.disable()

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

with serving(Scorer(weights=sys.argv[1]), jobs=2, body=3_000_000) as client:
    sizes = []
    for _ in range(2):
        with ThreadPoolExecutor(16) as threads:
            ask = lambda options: client.post("/v1/score", **options).status_code
            statuses = sorted(set(threads.map(ask, MIXED * 8)))
        sizes.append(resident())
print(json.dumps([statuses, sizes]))
"""
MIXED: list[dict[str, Any]] = [
    raw(PICTURE),
    raw(encoded(700, 900)),
    raw(b"a text"),
    raw(bomb(40_000, 40_000)),
    {"content": b"x" * 4_000_000, "headers": {"Content-Type": "image/png"}},
    {"content": part(b"x") * 10_000, "headers": FORM},
    {"files": [("files", (f"{n}.png", PICTURE)) for n in range(16)]},
]
"""Arguments of requests, good ones and bad."""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_the_same_after_the_second_burst(checkpoint: Path) -> None:
    paths = [str(Path(__file__).parents[1])]
    done = subprocess.run(
        [sys.executable, "-c", BURST, str(checkpoint), *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    statuses, (first, second) = json.loads(done.stdout)
    assert statuses == [200, 413, 422]
    assert second - first < 50e6
