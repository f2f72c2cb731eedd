"""How the scores in results/agiqa-3k-*.csv agree with people: `agreement.py FOLDER`, AGIQA-3k's.

The scores are those of `magiqa score FOLDER/images --protocol paper -o OUT.csv` with
`--method NAME`, and with `--backbone nano`.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from magiqa.evaluate.correlation import Correlation, correlation
from magiqa.evaluate.datasets import find_dataset
from report import RESULTS, Report

METHODS = {"piqe": False, "niqe": False, "ilniqe": False, "nano": True}
"""Whether higher is better."""


def agreement(method: str, opinions: dict[str, float]) -> Correlation:
    """Of a method's kept scores; a picture that it has none for is left out."""
    with (RESULTS / f"agiqa-3k-{method}.csv").open(newline="") as file:
        scores = {row["picture"]: row["score"] for row in csv.DictReader(file)}
    pairs = [(float(score), opinions[name]) for name, score in scores.items() if score]
    return correlation(*zip(*pairs, strict=True), higher_is_better=METHODS[method])


def main() -> None:
    rated = find_dataset("agiqa-3k").load(Path(sys.argv[1]))
    opinions = {each.path.name: each.mos for each in rated}
    report = Report("agreement", "AGIQA-3k, 2,982 pictures; 95 % intervals of 1,000 resamples")
    for method in METHODS:
        found = agreement(method, opinions)
        report.add(f"{method}: pictures", found.n)
        for name in ("srcc", "plcc", "srcc_fitted", "plcc_fitted"):
            low, high = found.intervals[name]
            report.add(f"{method}: {name}", getattr(found, name))
            report.add(f"{method}: {name}, from", low)
            report.add(f"{method}: {name}, to", high)
    report.write()


if __name__ == "__main__":
    main()
