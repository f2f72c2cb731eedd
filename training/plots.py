"""The ladders of `judge.py --out` as a plot: mean score by severity, a panel a family."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

from distortions import KINDS
from ladders import LEVELS

SHADES = ("#3b4cc0", "#c03b3b", "#2f8f4e", "#b8860b", "#7b3fa0", "#1f8a9e", "#666666")
DASHES = ("-", "--")


def plot(found: dict[str, Any], file: Path) -> None:
    """Draw what `judge.judge` found into a picture file."""
    mpl.use("Agg")
    from matplotlib import pyplot

    means: dict[str, list[float]] = found["score"]["means"]
    families = list(dict.fromkeys(KINDS[kind].family for kind in means))
    rows = (len(families) + 2) // 3
    figure, axes = pyplot.subplots(
        rows, 3, figsize=(12, 3.6 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axis in axes.flat[len(families) :]:
        axis.set_axis_off()
    for family, axis in zip(families, axes.flat, strict=False):
        kinds = [kind for kind in means if KINDS[kind].family == family]
        for index, kind in enumerate(kinds):
            axis.plot(
                LEVELS,
                means[kind],
                DASHES[index // len(SHADES)],
                color=SHADES[index % len(SHADES)],
                label=kind.partition(".")[2].replace("_", " "),
                marker=".",
            )
        monotone = found["score"]["monotone"][family]
        axis.set_title(f"{family}: {monotone:.0%} of ladders fall at every step")
        axis.legend(fontsize=7, frameon=False)
    for axis in axes[-1]:
        axis.set_xlabel("severity")
    for axis in axes[:, 0]:
        axis.set_ylabel("mean score")
    figure.tight_layout()
    figure.savefig(file, dpi=80)
    pyplot.close(figure)


if __name__ == "__main__":
    plot(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
