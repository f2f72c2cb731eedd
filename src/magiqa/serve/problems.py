"""Errors as the service tells them: problem+json (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

MEND = {
    404: "see /openapi.json for what there is",
    405: "see /openapi.json for what this address takes",
}


class Problem(Exception):  # noqa: N818
    """An answer that is an error; `detail` says what - got - how to mend it."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more or {}

    def response(self) -> Response:
        """The same as an HTTP response."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return Response(
            json.dumps(content), self.status, self.headers, media_type="application/problem+json"
        )


def too_busy(detail: str) -> Problem:
    """429, with the time after which another try makes sense."""
    return Problem(429, detail, {"Retry-After": "1"})


def failed() -> Problem:
    """500, for what nobody foresaw."""
    return Problem(
        500,
        "this request - failed for a reason of the service's own - tell who runs it, with the "
        "answer's x-request-id: the log has the reason",
    )


def told_as_problems(app: FastAPI) -> None:
    """Have the framework's own errors told the same way."""

    async def own(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what = f"{request.method} {request.url.path}"
        mend = MEND.get(error.status_code, "see /openapi.json")
        detail = f"{what} - {error.detail.lower()} - {mend}"
        return Problem(error.status_code, detail, error.headers).response()

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        mend = first["msg"].lower().removeprefix("input should be ")
        return Problem(422, f"{first['loc'][-1]} - got {first['input']!r} - give {mend}").response()

    async def unforeseen(_: Request, __: Exception) -> Response:
        return failed().response()

    app.add_exception_handler(Exception, unforeseen)
    app.add_exception_handler(Problem, own)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
