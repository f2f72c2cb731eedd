"""http and https: an answer is a file, and an error when it breaks off."""

from __future__ import annotations

import functools
import http.client
import io
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, BinaryIO, cast

from magiqa.errors import SourceError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SECONDS = 30  # without a byte from a server
URL_LETTERS = "%/:?#[]@!$&'()*+,;=~"  # others, such as blanks and umlauts, are sent quoted


def open_url(url: str) -> BinaryIO:
    """What a server sends, to be read once from the front.

    Reading raises OSError when the body is cut short. Redirects stay within http and https.
    Raises SourceError, OSError, ValueError.
    """
    quoted = urllib.parse.quote(url, URL_LETTERS, errors="surrogateescape")
    request = urllib.request.Request(quoted, headers={"User-Agent": "magiqa"})
    try:
        response = _opener().open(request, timeout=SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        answer = " ".join(f"{error.code} {error.reason}".split())
        raise SourceError(f"{url} - the server answers {answer} - check the address") from None
    return cast(BinaryIO, io.BufferedReader(_Body(response)))


class _Body(io.RawIOBase):
    """The body of an answer. http.client itself takes one that is cut short for a whole one."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self._missing = response.length  # None where the server does not tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        wanted = len(view) if self._missing is None else min(len(view), self._missing)
        try:
            content = self._response.read1(wanted) if wanted else b""  # what has come already
        except http.client.HTTPException as error:
            raise ConnectionError("the body is cut short") from error
        view[: len(content)] = content
        if self._missing is not None:
            self._missing -= len(content)
            if wanted and not content:
                raise ConnectionError(f"{self._missing} bytes of the body are missing")
        return len(content)

    def close(self) -> None:
        self._response.close()
        super().close()


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """As urllib's own, without the handlers of ftp:, file: and data:."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
