"""Rows of a cluster of two machines against those of `magiqa score`, on AGIQA-3k (`../shared`)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import inputs
from machines import read, two_machines
from magiqa import Scorer
from magiqa.cluster import ClusterRun
from magiqa.runs.pipeline import Run
from report import Report

PICTURES = Path(__file__).parents[2] / "shared" / "data" / "agiqa-3k" / "images"
COUNTS = {"tiny-resnet": 2982, "RN50": 50}
NUMBERS = ("score", "similarity", "magnitude", "weight")


def main() -> None:
    inputs.prepare()
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report("cluster_rows", "two machines of a core each, as Ray sees it; random networks")
    with two_machines() as nodes:
        for architecture, count in COUNTS.items():
            pictures = sorted(PICTURES.iterdir())[:count]
            weights = inputs.checkpoint(architecture)
            with tempfile.TemporaryDirectory() as place:
                output = Path(place, "out")
                arguments = {"weights": weights}
                size = max(4, count // 16)
                with ClusterRun(
                    pictures,
                    output,
                    arguments,
                    address=nodes.address,
                    workers=(2, 2),
                    pictures_a_chunk=size,
                ) as run:
                    workers = {done.worker for done in run}
                    run.finish()
                alone = Path(place, "score.parquet")
                with Run(pictures, Scorer(weights=weights), alone, jobs=1) as one:
                    for _ in one:
                        pass
                    one.finish()
                pairs = list(zip(read(output), read(alone), strict=True))
            differing = sum(
                {**ours, **dict.fromkeys(NUMBERS + names(ours))}
                != {**theirs, **dict.fromkeys(NUMBERS + names(ours))}
                for ours, theirs in pairs
            )
            largest = max(
                abs(ours[name] - theirs[name])
                for ours, theirs in pairs
                for name in NUMBERS + names(ours)
            )
            report.add(f"{architecture}: rows, by {len(workers)} workers", len(pairs))
            report.add("rows that differ in anything but rounding", differing, at_most=0)
            report.add("largest difference of a number", largest, at_most=1e-5)
    report.write()


def names(row: dict[str, object]) -> tuple[str, ...]:
    """Columns of the prompt pairs."""
    return tuple(name for name in row if " / " in name)


if __name__ == "__main__":
    main()
