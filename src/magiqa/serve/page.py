"""The page for people: one file, its style and script within."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from starlette.responses import HTMLResponse


def response(locked: bool) -> HTMLResponse:
    """The page; locked, it is a 401 that asks for a key, which it keeps in memory alone."""
    style, script = _file("page.css"), _file("page.js")
    document = _file("page.html").replace("{style}", style).replace("{script}", script)
    policy = (
        f"default-src 'none'; connect-src 'self'; img-src blob: data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"Content-Security-Policy": policy}
    if not locked:
        return HTMLResponse(document, headers=headers)
    headers["WWW-Authenticate"] = "Bearer"
    return HTMLResponse(document.replace("<body>", "<body data-locked>"), 401, headers)


def _file(name: str) -> str:
    return resources.files("magiqa.serve").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A text's name in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
