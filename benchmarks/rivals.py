"""Speed of the rival metrics on one core: PIQE, NIQE and IL-NIQE of pictures of 512x512."""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import time
from collections.abc import Callable
from statistics import median
from typing import TypeAlias

import numpy as np

from magiqa.evaluate.rivals.ilniqe import IlNiqe
from magiqa.evaluate.rivals.niqe import Niqe
from magiqa.evaluate.rivals.piqe import piqe
from recipe import picture
from report import Report

Metric: TypeAlias = Callable[[np.ndarray], float]

ROUNDS = 7
SIDE = 512
METRICS: dict[str, tuple[Metric, float]] = {
    "PIQE": (piqe, 5),
    "NIQE": (Niqe(), 5),
    "IL-NIQE": (IlNiqe(), 0.5),
}
"""Each with the pictures it should score in a second."""


def main() -> None:
    report = Report(
        "rivals",
        f"pictures of {SIDE}x{SIDE} in memory, one thread, CPU time of the process, alternating, "
        f"medians of {ROUNDS} rounds",
    )
    given = picture(SIDE, SIDE, seed=0)
    seconds: dict[str, list[float]] = {name: [] for name in METRICS}
    for turn in range(ROUNDS + 1):
        for name, (metric, _) in METRICS.items():
            begin = time.process_time()
            metric(given)
            if turn:  # the first makes what is kept
                seconds[name].append(time.process_time() - begin)
    for name, (_, target) in METRICS.items():
        report.add(name, 1 / median(seconds[name]), "/s", at_least=target)
    report.write()


if __name__ == "__main__":
    main()
