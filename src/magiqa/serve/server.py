"""The server process: uvicorn around the application, its log as JSON lines."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import sys
import time

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from magiqa.errors import MagiqaError
from magiqa.scorer import Scorer
from magiqa.serve.app import create_app
from magiqa.serve.keys import Keys
from magiqa.serve.limits import Limits

LOGGED = ("request", "method", "path", "status", "seconds")
IDLE_SECONDS = 5
"""That a connection may stay open between two requests."""
BACKLOG = 1024  # connections that the system holds until they are taken
LONGEST_HEAD = 32 << 10  # bytes
HEAD_SECONDS = 10
"""That the head of a request may take to arrive."""
CLOSING_SECONDS = 10
"""For the answers of a shutdown to reach their clients, beyond Limits.seconds."""

log = logging.getLogger(__name__)


def run(scorer: Scorer, limits: Limits, keys: Keys, host: str, port: int, jobs: int) -> None:
    """Serve until SIGTERM or Ctrl-C, then answer what was accepted and return."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    app = create_app(scorer, limits=limits, keys=keys, jobs=jobs)
    with listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        log.info("listening on http://%s:%d", shown, listener.getsockname()[1])
        uvicorn.Server(configuration(app, limits)).run([listener])


def listen(host: str, port: int) -> socket.socket:
    """A socket on which connections come in. Raises MagiqaError."""
    try:
        flags = socket.AI_PASSIVE
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
        family, _, _, _, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or str(error)).partition(" (")[0]
        raise MagiqaError(
            f"{host}:{port} - cannot be listened on ({reason}) - give another --port or --host"
        ) from None


def configuration(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn serves it."""
    return uvicorn.Config(
        app,
        http=Impatient,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=round(limits.seconds) + CLOSING_SECONDS,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )


class Impatient(H11Protocol):
    """Hangs up on who opens a connection and does not say what for; uvicorn alone would wait."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop to wait when a head is whole."""
        self._wait()
        super().data_received(data)
        if not self._idle():
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for."""
        self._stop()
        super().connection_lost(exc)

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _wait(self) -> None:
        if self._waiting is None and self._idle():
            self._waiting = self.loop.call_later(HEAD_SECONDS, self._hang_up)

    def _stop(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _hang_up(self) -> None:
        self._waiting = None
        if self._idle():
            self.transport.close()


class JsonLines(logging.Formatter):
    """A record as one line of JSON: nothing of a picture, a name or a key is in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time_of = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        content: dict[str, object] = {
            "time": f"{time_of}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        content |= {name: getattr(record, name) for name in LOGGED if hasattr(record, name)}
        if record.exc_info:
            content["trace"] = self.formatException(record.exc_info)
        return json.dumps(content)
