"""A server on 127.0.0.1 that answers as the Hugging Face hub, its CDN and OpenAI's files do."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

COMMIT = "c" * 40


class Request(NamedTuple):
    method: str
    path: str
    range: str | None


@dataclass
class Server:
    """What it serves, by path, how it misbehaves, and what it was asked."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    """Path -> where to, and the headers beside."""
    status: dict[str, int] = field(default_factory=dict)
    """Path -> an error instead."""
    cut: dict[str, int] = field(default_factory=dict)
    """Path -> bytes before the connection breaks, once."""
    ranges: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: list[Request] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    """Bytes of each file's answer."""

    def gets(self) -> list[str | None]:
        """The ranges of the GET requests."""
        return [request.range for request in self.asked if request.method == "GET"]

    def add_hub_file(self, repository: str, name: str, content: bytes, cdn: Server) -> str:
        """A large file, on the CDN, its address and SHA-256 told by the hub. Returns its path."""
        sha256 = hashlib.sha256(content).hexdigest()
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-ETag": f'"{sha256}"',
            "X-Linked-Size": str(len(content)),
            "ETag": '"0123"',
        }
        cdn.files[f"/{sha256}"] = content
        self.redirects[f"/{repository}/resolve/main/{name}"] = f"{cdn.address}/{sha256}", headers
        return f"/{sha256}"


class _Handler(BaseHTTPRequestHandler):
    told: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        told, path = self.told, self.path.removeprefix("http://elsewhere.invalid")
        with told.lock:
            told.asked.append(Request(self.command, self.path, self.headers["Range"]))
            cut = told.cut.pop(path, None) if body else None
        if path in told.status:
            self._head(told.status[path], {"Content-Length": "0"})
        elif path in told.redirects:
            target, headers = told.redirects[path]
            self._head(302, {"Location": target, "Content-Length": "0", **headers})
        elif path in told.files:
            self._file(told.files[path], body, cut)
        else:
            self._head(404, {"X-Error-Code": "EntryNotFound", "Content-Length": "0"})

    def _file(self, content: bytes, body: bool, cut: int | None) -> None:
        wanted = self.headers["Range"] if self.told.ranges else None
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if wanted and begin >= len(content):
            self._head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
            return
        headers = {"Content-Length": str(len(content) - begin)}
        if wanted:
            headers["Content-Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        self._head(206 if wanted else 200, headers)
        if body:
            part = content[begin:][:cut]
            self.told.sent.append(len(part))
            self.wfile.write(part)
            self.close_connection = True

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing on stderr."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server of its own port."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        Handler.told = Server(f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Handler.told
        http.shutdown()
        thread.join()
