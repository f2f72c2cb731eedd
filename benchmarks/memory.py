"""Peak memory of scoring, each case in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import inputs
from report import Report

# arguments: how many pictures, the weights, files that come round as often as needed
SCORE = """
import itertools, resource, sys
from magiqa import Scorer
count, weights, *files = sys.argv[1:]
Scorer(weights=weights).score_many(itertools.islice(itertools.cycle(files), int(count)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    inputs.prepare()
    report = Report(
        "memory",
        "peak resident memory (ru_maxrss) of a process that makes a Scorer with its defaults and "
        "scores JPEG files with score_many; MB = 10^6 bytes",
    )
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    many_pictures(report, "tiny-resnet", 100, 1000)
    many_pictures(report, "RN50", 20, 100)
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as cache:
        os.environ["MAGIQA_CACHE"] = cache
        for state in ("cold", "warm"):
            what = f"RN50, one 1024x768 picture, {state} cache"
            report.add(what, _peak("RN50", "1024x768", 1), "MB", at_most=700)
    report.write()


def many_pictures(report: Report, architecture: str, few: int, many: int) -> None:
    _peak(architecture, "512x384", 1)  # fills the cache
    peaks = [_peak(architecture, "512x384", count) for count in (few, many)]
    for count, peak in zip((few, many), peaks, strict=True):
        report.add(f"{architecture}, {count} pictures of 512x384", peak, "MB")
    what = f"{architecture}, {many} pictures over {few}"
    report.add(what, peaks[1] - peaks[0], "MB", at_most=50)


def _peak(architecture: str, size: str, count: int) -> float:
    weights, files = inputs.checkpoint(architecture), inputs.pictures(size)
    command = [sys.executable, "-c", SCORE, str(count), str(weights), *map(str, files)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    kilobyte = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there
    return int(result.stdout) * kilobyte / 1e6


if __name__ == "__main__":
    main()
