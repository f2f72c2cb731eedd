"""Tables and figures -> one HTML page that needs nothing else, Markdown, CSV, and the SVGs."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from magiqa.atomic import replacing
from magiqa.errors import MissingExtra, OutputError
from magiqa.evaluate import tables
from magiqa.evaluate.datasets import find_dataset
from magiqa.evaluate.evaluation import NOT_RELEASED
from magiqa.evaluate.figures import Figure, figures
from magiqa.evaluate.paper import PAPER_BACKBONE
from magiqa.evaluate.paper import tables as paper_tables
from magiqa.evaluate.reproduction import Reproduction

TEMPLATE = "page.html"


def write(
    output: Path, reproduction: Reproduction, provenance: Sequence[Mapping[str, Any]]
) -> list[Path]:
    """Write everything into the folder `output`; the files, the page first.

    `provenance`: a scorer's for each backbone, "released" in each, and rivals'. Raises OutputError,
    MissingExtra.
    """
    warned = warnings(reproduction, provenance)
    drawn = list(figures(reproduction, warned))
    notes = {"warnings": warned, "about": _about(reproduction)}
    files = {
        "paper.html": _page(reproduction, drawn, notes, provenance),
        "paper.md": _markdown(reproduction, drawn, notes),
        "paper.csv": tables.to_csv(paper_tables(), reproduction, warned),
        "sweep.csv": _sweep(reproduction, warned),
        "paper.json": json.dumps({"notes": notes, "provenance": list(provenance)}, indent=2) + "\n",
    }
    files |= {name: svg for figure in drawn for name, svg in _svgs(figure)}
    written = []
    try:
        for name, text in files.items():
            path = output / name
            with replacing(path) as part:
                part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
            written.append(path)
    except OSError as error:
        raise OutputError(
            f"{output} - cannot be written ({error.strerror or error}) - free some space or mend "
            f"the folder, and give the same command again"
        ) from error
    return written


def warnings(reproduction: Reproduction, provenance: Sequence[Mapping[str, Any]]) -> list[str]:
    """What makes the numbers say nothing, or not what they seem to."""
    found = [] if all(each.get("released", True) for each in provenance) else [NOT_RELEASED]
    if reproduction.limit:
        found.append(
            f"only the first {reproduction.limit} pictures of each set: these are not its numbers"
        )
    if reproduction.backbone != PAPER_BACKBONE:
        found.append(
            f"Tables 1-5 and the figures are by {reproduction.backbone}, the paper's by "
            f"{PAPER_BACKBONE}"
        )
    return found


def _about(reproduction: Reproduction) -> list[str]:
    """What a reader should know first."""
    sets = dict.fromkeys(found.dataset.title for found in reproduction.measured.values())
    absent = [find_dataset(name).title for name in reproduction.absent]
    failed = [
        f"{found.dataset.title}: {len(found.failures)} pictures failed and are left out."
        for found in reproduction.measured.values()
        if found.failures
    ]
    lists = [f"Measured: {', '.join(sets)}."]
    lists += [f"Not run: {', '.join(absent)}."] if absent else []
    return [*lists, _COLUMNS, *failed]


_COLUMNS = (
    "The paper's numbers stand beside the fitted ones, for the authors' script reports the "
    "correlation of scores after a five-parameter logistic, which hides the sign and may reorder. "
    "Raw is the correlation of the scores themselves, positive where they agree with people; 95 % "
    "is its bootstrap interval over pictures. A difference is ours minus the paper's."
)


def _page(
    reproduction: Reproduction,
    drawn: Sequence[Figure],
    notes: Mapping[str, list[str]],
    provenance: Sequence[Mapping[str, Any]],
) -> str:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise MissingExtra("the page needs jinja2 - pip install 'magiqa[evaluate]'") from None
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["address"] = _address
    return environment.get_template(TEMPLATE).render(
        notes=notes,
        header=tables.HEADER,
        tables=[(table, tables.groups(table, reproduction)) for table in paper_tables()],
        figures=drawn,
        provenance=json.dumps(list(provenance), indent=2),
    )


def _address(svg: str) -> str:
    """An SVG as the address of itself."""
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


def _markdown(
    reproduction: Reproduction, drawn: Sequence[Figure], notes: Mapping[str, list[str]]
) -> str:
    lines = ["# The paper's tables and figures beside ours\n"]
    lines += [f"> **{warning}**\n" for warning in notes["warnings"]]
    lines += [f"{about}\n" for about in notes["about"]]
    lines += tables.markdown(paper_tables(), reproduction)
    for figure in drawn:
        lines.append(f"## Figure {figure.number}. {figure.caption}\n")
        names = iter(_svgs(figure))
        for panel in figure.panels:
            shown = panel.why or f"![{panel.title}]({next(names)[0]})"
            lines.append(f"- {panel.title}: {shown}")
        lines.append("")
    return "\n".join(lines)


def _svgs(figure: Figure) -> list[tuple[str, str]]:
    """(file name, SVG) of each panel that is drawn."""
    drawn = [panel for panel in figure.panels if panel.light]
    names = (re.sub(r"[^a-z0-9]+", "-", panel.title.lower()).strip("-") for panel in drawn)
    return [
        (f"figures/figure-{figure.number}-{name}.svg", panel.light)
        for name, panel in zip(names, drawn, strict=True)
    ]


def _sweep(reproduction: Reproduction, warned: Sequence[str]) -> str:
    lines = ["set,backbone,lambda,alpha,srcc,warning"]
    warning = "; ".join(warned).replace(",", ":")
    for (dataset, backbone), found in reproduction.measured.items():
        for (exponent, alpha), srcc in found.sweep.items():
            lines.append(f"{dataset},{backbone},{exponent:g},{alpha:g},{srcc:.6f},{warning}")
    return "\n".join(lines) + "\n"
