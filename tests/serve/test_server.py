"""The process that `magiqa serve` is, as its operator meets it."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from magiqa.serve.server import JsonLines
from serve.conftest import encoded, number, raw, wait_for

LARGE = encoded(900, 800)


class Process:
    """A service of its own, its log read as it comes."""

    def __init__(self, checkpoint: Path, *options: str) -> None:
        command = [sys.executable, "-m", "magiqa", "serve", "--weights", str(checkpoint)]
        self.popen = subprocess.Popen(
            [*command, "--port", "0", *options], stderr=subprocess.PIPE, text=True
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_for(lambda: self.url)

    def _read(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            self.lines.append(line)

    @property
    def url(self) -> str:
        found = re.search(r"listening on (http://[\d.:]+)", "".join(self.lines))
        return found[1] if found else ""

    def ended(self) -> int:
        """The exit code, when it has ended and its log is read."""
        code = self.popen.wait(60)
        self._reader.join(10)
        return code


@contextmanager
def process(checkpoint: Path, *options: str) -> Iterator[Process]:
    running = Process(checkpoint, *options)
    try:
        with httpx.Client(base_url=running.url) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200)
        yield running
    finally:
        running.popen.kill()
        running.popen.wait()
        assert running.popen.stderr is not None
        running._reader.join(10)
        running.popen.stderr.close()


def test_sigterm_answers_all_that_was_accepted(checkpoint: Path) -> None:
    statuses: list[int] = []
    with process(checkpoint) as running, httpx.Client(base_url=running.url) as client:

        def ask() -> None:
            answer = httpx.post(f"{running.url}/v1/score", timeout=60, **raw(LARGE))
            statuses.append(answer.status_code)

        threads = [threading.Thread(target=ask) for _ in range(48)]
        for thread in threads:
            thread.start()
        wait_for(lambda: number(client, "magiqa_queue_pictures") + len(statuses) == 48)
        waiting = number(client, "magiqa_queue_pictures")
        running.popen.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert running.ended() == 143
    assert statuses == [200] * 48
    assert waiting > 20  # it was under load


def test_sigterm_in_a_stream_of_requests(checkpoint: Path) -> None:
    answered: set[str] = set()
    stopping = threading.Event()
    with process(checkpoint) as running:

        def ask(number: int) -> None:
            with httpx.Client(base_url=running.url, timeout=60) as client:
                for turn in range(10_000):
                    name = f"{number}-{turn}"
                    request = raw(LARGE)
                    request["headers"]["X-Request-ID"] = name
                    try:
                        answer = client.post("/v1/score", **request)
                    except httpx.TransportError:
                        assert stopping.is_set()
                        return  # never accepted: see below
                    assert answer.status_code == 200
                    assert answer.headers["x-request-id"] == name
                    answered.add(name)

        threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        stopping.set()
        running.popen.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert running.ended() == 143
        logged = [json.loads(line) for line in running.lines]
    accepted = {line["request"] for line in logged if line.get("path") == "/v1/score"}
    assert accepted == answered
    assert len(answered) > 8


def test_ctrl_c_ends_it_well(checkpoint: Path) -> None:
    with process(checkpoint) as running:
        running.popen.send_signal(signal.SIGINT)
        assert running.ended() == 130
        assert "Traceback" not in "".join(running.lines)


def test_the_log_is_json_lines(checkpoint: Path) -> None:
    with process(checkpoint) as running:
        httpx.post(f"{running.url}/v1/score", files={"f": ("secret.png", LARGE)})
        running.popen.terminate()
        running.ended()
        lines = [json.loads(line) for line in running.lines]
    [scored] = [line for line in lines if line.get("path") == "/v1/score"]
    assert {"level": "info", "message": "request", "status": 200}.items() <= scored.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", scored["time"])
    assert "secret" not in "".join(running.lines)


def test_an_error_in_the_log_has_its_trace() -> None:
    try:
        raise RuntimeError("why")
    except RuntimeError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "bad", (), sys.exc_info())
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["message"]) == ("error", "bad")
    assert "RuntimeError: why" in line["trace"]


def test_a_port_that_is_taken_is_told(checkpoint: Path) -> None:
    with process(checkpoint) as running:
        port = running.url.rsplit(":", 1)[1]
        done = subprocess.run(
            [sys.executable, "-m", "magiqa", "serve", "--backbone", "nano", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 3
    assert done.stderr == (
        f"magiqa: 127.0.0.1:{port} - cannot be listened on (Address already in use) - give another "
        f"--port or --host\n"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--host", "0.0.0.0"],
            "magiqa: keys - got none, and 0.0.0.0 can be reached from other machines - give --keys "
            "FILE, set MAGIQA_KEYS, or say --no-auth\n",
        ),
        (
            ["--max-files", "9", "--max-queue", "8"],
            "magiqa: queue - got 8 for up to 9 files a request - let one request's files fit into "
            "the queue\n",
        ),
    ],
)
def test_what_cannot_be_served_is_told_at_once(options: list[str], text: str) -> None:
    command = [sys.executable, "-m", "magiqa", "serve", "--backbone", "nano", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, text)
