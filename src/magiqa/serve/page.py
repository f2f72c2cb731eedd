"""The page for people, and the reference for who writes programs: each one file."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

from starlette.responses import HTMLResponse

from magiqa.serve.reference import reference


def response(locked: bool) -> HTMLResponse:
    """The page; locked, it is a 401 that asks for a key, which it keeps in memory alone."""
    style, script = _file("page.css"), _file("page.js")
    document = _file("page.html").replace("{style}", style).replace("{script}", script)
    headers = _policy(
        f"connect-src 'self'; img-src blob: data:; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'"
    )
    if not locked:
        return HTMLResponse(document, headers=headers)
    headers["WWW-Authenticate"] = "Bearer"
    return HTMLResponse(document.replace("<body>", "<body data-locked>"), 401, headers)


def reference_response(document: dict[str, Any]) -> HTMLResponse:
    """The OpenAPI document, to read."""
    style = _file("page.css")
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, '
        f'initial-scale=1"><link rel="icon" href="data:,"><title>magiqa for programs</title>'
        f"<style>{style}</style>"
    )
    whole = f"<head>{head}</head><body>{reference(document)}</body>"
    return HTMLResponse(
        f'<!doctype html><html lang="en">{whole}</html>',
        headers=_policy(f"img-src data:; style-src '{_hash(style)}'"),
    )


def _policy(allowed: str) -> dict[str, str]:
    """Headers under which a page may do what is allowed and nothing else."""
    closed = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    return {"Content-Security-Policy": f"default-src 'none'; {allowed}; {closed}"}


def _file(name: str) -> str:
    return resources.files("magiqa.serve").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A text's name in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
