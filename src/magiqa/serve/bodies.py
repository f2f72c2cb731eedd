"""A request's body -> the pictures in it, within limits and in memory alone."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from magiqa.records import Item
from magiqa.serve.limits import Limits
from magiqa.serve.problems import Problem

RAW = ("image/", "application/octet-stream")


async def pictures(request: Request, limits: Limits) -> list[Item]:
    """The pictures of a multipart body, or the one that the body is.

    Raises Problem 400, 413, 415, and ClientDisconnect.
    """
    kind = request.headers.get("content-type", "").lower()
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise Problem(415, f"content-encoding - got {encoding[:40]!r} - send the body as it is")
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limits.body:
        raise _too_large(limits)
    if kind.startswith("multipart/form-data"):
        return await _parts(request, limits)
    if kind.startswith(RAW):
        return [Item("body", b"".join([chunk async for chunk in _bounded(request, limits)]))]
    raise Problem(
        415,
        f"content-type - got {kind[:80]!r} - send multipart/form-data with files, or one picture "
        f"as image/* or application/octet-stream",
    )


async def _parts(request: Request, limits: Limits) -> list[Item]:
    try:
        form = await _Parts(request, limits).parse()
    except MultiPartException as error:
        detail = error.message.rstrip(".").lower()
        raise Problem(400, f"multipart body - {detail} - send what a browser's form does") from None
    items: list[Item] = []
    try:
        for name, part in form.multi_items():
            if not isinstance(part, UploadFile):
                raise Problem(
                    400, f"part {name[:80]!r} - is a text, not a file - leave it out of the form"
                )
            source = part.filename or f"picture {len(items)}"
            source = source.encode(errors="backslashreplace").decode()  # some are no Unicode
            items.append(Item(source, await part.read()))
    finally:
        await form.close()
    if not items:
        raise Problem(400, "multipart body - there is no file in it - send at least one picture")
    return items


class _Parts(MultiPartParser):
    """Starlette's parser, with one limit for parts of all kinds and nothing written to a disk."""

    spool_max_size = sys.maxsize

    def __init__(self, request: Request, limits: Limits) -> None:
        super().__init__(request.headers, self._whole(request, limits), max_part_size=limits.body)
        self._limit = limits.files
        self._begun = 0
        self._ended = False

    def on_part_begin(self) -> None:
        self._begun += 1
        if self._begun > self._limit:
            raise Problem(
                413,
                f"multipart body - more than {self._limit} parts - send them in several requests",
            )
        super().on_part_begin()

    def on_end(self) -> None:
        self._ended = True

    async def _whole(self, request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
        async for chunk in _bounded(request, limits):
            yield chunk
        if not self._ended:  # which the parser itself would let pass
            raise MultiPartException("ends without its last boundary")


async def _bounded(request: Request, limits: Limits) -> AsyncGenerator[bytes, None]:
    """The body as it comes; whatever it announced or did not, no more than the limit of it."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > limits.body:
            raise _too_large(limits)
        yield chunk


def _too_large(limits: Limits) -> Problem:
    return Problem(
        413,
        f"body - more than {limits.body} bytes - send smaller pictures, or fewer in a request",
    )
