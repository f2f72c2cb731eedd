"""An output -> its report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from magiqa import atomic
from magiqa.atomic import replacing
from magiqa.errors import MissingExtra, OutputError
from magiqa.pictures.quality_map import ramp
from magiqa.report import data
from magiqa.report.gather import gather
from magiqa.report.histogram import histogram, round_step
from magiqa.report.thumbnails import thumbnails
from magiqa.runs.outputs import Output
from magiqa.settings import Settings

if TYPE_CHECKING:
    import jinja2

SCRIPTS = ("map.js", "gallery.js", "picture.js", "page.js")
REASONS = 40
"""For failures, that are named."""
# characters that show as nothing, or turn around those that follow
UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Written:
    """What a report holds."""

    pictures: int
    thumbnails: int
    size: int
    """Of the file, in bytes."""


def check(page: Path) -> None:
    """Refuse what cannot become a report, before any work is done.

    Raises OutputError, MissingExtra.
    """
    if page.suffix.lower() not in (".html", ".htm"):
        raise OutputError(
            f"{page} - no report format {page.suffix or 'without a suffix'!r} - name it .html"
        )
    atomic.check(page)
    _template()


def write_report(path: Path, page: Path, jobs: int = 1) -> Written:
    """Write the report of the output at `path`; `jobs` guarded processes decode its pictures.

    Raises SourceError, OutputError, MissingExtra.
    """
    check(page)
    output = Output(path)
    content = gather(output)
    stamps = {entry.row["source"]: entry.stamp for entry in content.listed if entry.pictured}
    pictures = dict(thumbnails(stamps, output.settings or Settings(), jobs))
    histograms = {cue: histogram(values) for cue, values in content.cues.items() if len(values)}
    scale = (histograms["score"].low, histograms["score"].high) if histograms else (0.0, 1.0)
    style, script = _file("style.css"), "".join(map(_file, SCRIPTS))
    pieces = _template().generate(
        output=output,
        content=content,
        histograms=histograms,
        quartiles=np.quantile(content.cues["score"], (0, 0.25, 0.5, 0.75, 1)) if histograms else [],
        reasons=REASONS,
        warnings=data.WARNINGS,
        ramp=["#" + bytes(colour).hex() for colour in ramp()],
        round_step=round_step,
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=data.script_json(data.page_data(output, content, pictures, scale)),
        thumbnails=data.page_thumbnails(content, pictures),
    )
    try:
        with replacing(page) as part:
            with part.open("w", encoding="utf-8", newline="\n") as file:
                file.writelines(pieces)
            size = part.stat().st_size
    except OSError as error:
        raise OutputError(
            f"{page} - cannot be written ({error.strerror or error}) - free some space, or name a "
            f"file in a folder you may write to"
        ) from error
    drawn = sum(isinstance(each, bytes) for each in pictures.values())
    return Written(len(content.cues["score"]) + content.failed, drawn, size)


def shown(text: object) -> str:
    r"""Text in which nothing is hidden: control characters and bytes that are no text, spelled out.

    >>> shown("gpj.\u202eevil")
    'gpj.\\u202eevil'
    """
    return UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))


def _template() -> jinja2.Template:
    try:
        import jinja2
    except ImportError:
        raise MissingExtra("a report needs jinja2 - pip install 'magiqa[report]'") from None
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    return environment.from_string(_file("page.html"))


def _file(name: str) -> str:
    return resources.files("magiqa.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A text's name in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
