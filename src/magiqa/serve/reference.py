"""The OpenAPI document to read: FastAPI's own pages would load scripts from another machine."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any


def reference(document: dict[str, Any]) -> str:
    """HTML of an OpenAPI document: every operation, what it takes and what it answers."""
    sections = "".join(
        section
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        for section in _operation(f"{method.upper()} {path}", operation)
    )
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    about = escape(document["info"]["description"])
    link = '<a href="/openapi.json">The same for machines.</a>'
    head = f'<p class="over">{title}</p><h1>For programs</h1><p class="quiet">{about} {link}</p>'
    return f"<header>{head}</header><main>{sections}</main>"


def _operation(name: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<section><h2>{escape(name)}</h2><p>{escape(operation['description'])}</p>"
    yield '<dl class="facts">'
    for parameter in operation.get("parameters", []):
        choices = ", ".join(map(str, parameter["schema"].get("enum", [])))
        shown = f"{choices} (default {parameter['schema'].get('default')})"
        yield _fact(f"?{parameter['name']}=", shown)
    if "requestBody" in operation:
        yield _fact("body", ", ".join(operation["requestBody"]["content"]))
    for status, answer in sorted(operation["responses"].items()):
        kinds = ", ".join(answer.get("content", {}))
        yield _fact(status, f"{answer['description'].rstrip('.')}: {kinds}")
    yield "</dl></section>"


def _fact(name: str, text: str) -> str:
    return f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>"
