"""What every request passes: its id, the key, the headers of the answer, log and metrics."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from typing import TypeAlias

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from magiqa.serve.keys import Keys
from magiqa.serve.metrics import Metrics
from magiqa.serve.problems import Problem, failed

FREE = ("/healthz", "/readyz")
"""What needs no key."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CLOSED_BY_CLIENT = 499  # nobody reads it; the log and the metrics do
READING_SECONDS = 30
"""That a client may take to read some of its answer."""
OWN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]
"""Of every answer that does not bring its own."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

log = logging.getLogger(__name__)


class Door:
    """Around the application: who has no key sees nothing but health, and the page's lock."""

    def __init__(self, app: ASGIApp, keys: Keys, metrics: Metrics, locked: Response) -> None:
        """`locked` is what `/` shows to who has no key: a page that asks for it."""
        self._app = app
        self._keys = keys
        self._metrics = metrics
        self._locked = locked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, and tell of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        head = dict(scope["headers"])
        given = head.get(b"x-request-id", b"")
        request_id = given if OWN_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = [(name.lower(), value) for name, value in message.get("headers", [])]
                message["headers"] = _complete(own, request_id)
            async with asyncio.timeout(READING_SECONDS):
                await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                app = self._app_for(scope, head.get(b"authorization", b""))
                await app(scope, receive, answer)
            except (ClientDisconnect, TimeoutError):  # it went away, or does not read
                status = CLOSED_BY_CLIENT
            except Exception:
                log.exception("a request failed", extra={"request": request_id.decode()})
                if not status:
                    await failed().response()(scope, receive, answer)
                status = 500
        self._tell(scope, request_id.decode(), status, time.perf_counter() - begin)

    def _app_for(self, scope: Scope, authorization: bytes) -> ASGIApp:
        if scope["path"] in FREE or self._keys.admit(authorization):
            return self._app
        if scope["path"] == "/" and scope["method"] == "GET":
            return self._locked
        what = "got none" if not authorization else "got one that is none of the keys"
        problem = Problem(
            401, f"key - {what} - send Authorization: Bearer KEY", {"WWW-Authenticate": "Bearer"}
        )
        return problem.response()

    def _tell(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        """Count and log; a path only where it is one of ours, for others may hold anything."""
        path = getattr(scope.get("route"), "path", None) or "other"
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(path, method, status).inc()
        self._metrics.latency.labels(path).observe(seconds)
        about = {"request": request_id, "method": method, "path": path, "status": status}
        log.info("request", extra={**about, "seconds": round(seconds, 4)})


def _complete(own: Headers, request_id: bytes) -> Headers:
    names = {name for name, _ in own}
    usual = [header for header in HEADERS if header[0] not in names]
    return [*own, *usual, (b"x-request-id", request_id)]
