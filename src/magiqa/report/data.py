"""What a report shows -> what its script works on, as JSON that is safe inside HTML."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from magiqa.pictures.quality_map import MINIMAL_SPAN, ramp
from magiqa.pictures.views import SIDE, STRIDE, boxes
from magiqa.report.gather import CUES, PICTURED, Content, Listed, without_source
from magiqa.runs.outputs import Output

STEPS = 10_000
"""A view's numbers are whole on the page: so many make 1."""
DIGITS = 5
ENDS = 6
"""Pictures shown as the best, and as the worst."""
WARNINGS = {
    "flat": "one colour or a smooth gradient: the score means little",
    "noise-like": "nothing but noise: the score means little",
    "downscaled": "over the limit on pixels: scaled down, then scored",
    "thumbnail-only": f"a side under {SIDE} pixels: scored as a whole alone",
}
Pictures = Mapping[str, bytes | str]
"""A source's thumbnail, or why there is none."""


def script_json(value: Any) -> str:
    r"""JSON for a script element: no character in it can end the element or begin another.

    >>> script_json("</script>")
    '"\\u003c/script\\u003e"'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def page_data(
    output: Output, content: Content, pictures: Pictures, scale: Sequence[float]
) -> dict[str, Any]:
    """All but the thumbnails; columns hold a value for each listed row, None where there is none.

    `scale`: the scores that the lowest and the highest colour of a badge stand for.
    """
    listed = content.listed
    settings = output.settings
    names = ("source", "key", "width", "height", "warnings", "views", "error_kind")
    columns: dict[str, list[Any]] = {
        name: [entry.row[name] for entry in listed] for name in names
    } | {
        name: [_rounded(entry.row[name]) for entry in listed]
        for name in (*CUES, "weight", *output.pairs)
    }
    columns["error"] = [entry.row["error"] and without_source(entry.row) for entry in listed]
    columns["percentile"] = [_rounded(entry.percentile) for entry in listed]
    columns["absent"] = [_absent(entry, pictures) for entry in listed]
    maps = [_map(entry, settings.coverage if settings else None) for entry in listed]
    columns["map"] = [each if isinstance(each, dict) else None for each in maps]
    columns["unmapped"] = [each if isinstance(each, str) else None for each in maps]
    return {
        "columns": columns,
        "cues": CUES,
        "pairs": output.pairs,
        "warnings": WARNINGS,
        "scored": len(content.cues["score"]),
        "ends": ENDS,
        "scale": scale,
        "ramp": ramp().tolist(),
        "minimalSpan": MINIMAL_SPAN,
        "window": {"side": SIDE, "stride": STRIDE},
        "full": settings is not None and settings.coverage == "full",
        "steps": STEPS,
    }


def page_thumbnails(content: Content, pictures: Pictures) -> Iterator[str]:
    """JSON of JPEG files in base64, one for each listed row, empty where there is none: in pieces.

    All of it at once would be the better part of the memory that a report takes.
    """
    before = "["
    for entry in content.listed:
        drawn = pictures.get(entry.row["source"])
        yield f'{before}"{base64.b64encode(drawn).decode() if isinstance(drawn, bytes) else ""}"'
        before = ","
    yield "]" if content.listed else "[]"


def _absent(entry: Listed, pictures: Pictures) -> str | None:
    """Why a picture has no thumbnail."""
    if entry.row["error"] is not None:
        what, *_ = without_source(entry.row).split(" - ")
        return what
    if not entry.pictured:
        return f"not among the {PICTURED:,} that are shown"
    drawn = pictures[entry.row["source"]]
    return drawn if isinstance(drawn, str) else None


def _map(entry: Listed, coverage: Any) -> dict[str, Any] | str | None:
    """The numbers of a quality map, or why there is none."""
    if entry.row["error"] is not None:
        return None
    if entry.row["views"] == 1:
        return "No map: there is one view, the whole picture."
    if entry.views is None:
        return entry.unmapped
    width, height = entry.views["size"]
    if coverage is None or len(boxes(width, height, coverage)) != len(entry.views["score"]):
        return "No map: the settings of the run are not known."
    numbers = {cue: [round(STEPS * value) for value in entry.views[cue]] for cue in CUES}
    return {"size": entry.views["size"], **numbers}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
