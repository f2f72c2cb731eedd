"""Peak memory of scoring, each case in a process of its own."""

from __future__ import annotations

import os
import tempfile
from statistics import median

import inputs
from child import megabytes, printed
from report import Report

# arguments: how many pictures, the weights, files that come round as often as needed
SCORE = """
import itertools, resource, sys
from magiqa import Scorer
count, weights, *files = sys.argv[1:]
Scorer(weights=weights).score_many(itertools.islice(itertools.cycle(files), int(count)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

# arguments: the weights, a file; the encoder runs on the first 500 views only
NATIVE = """
import resource, sys
import numpy
from magiqa import Scorer, Settings
from magiqa.clip.onnx_engine import OnnxEncoder
encode, views_left = OnnxEncoder.__call__, [500]
def first_views(self, views):
    views_left[0] -= len(views)
    if views_left[0] >= 0:
        return encode(self, views)
    return numpy.zeros((len(views), self.dimensions), numpy.float32)
OnnxEncoder.__call__ = first_views
Scorer(weights=sys.argv[1], settings=Settings(max_pixels=None))(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
# argument: a file; seconds of decoding and scaling it under the default protocol
DECODE = """
import sys, time
from magiqa import Item, Settings
from magiqa.pictures.decode import read
begin = time.perf_counter()
read(Item(sys.argv[1], sys.argv[1]), Settings())
print(time.perf_counter() - begin)
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
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    large_pictures(report)
    report.write()


def large_pictures(report: Report) -> None:
    for name, path in inputs.large_pictures().items():
        what = f"100 megapixels, {name}"
        peak = megabytes(*printed(NATIVE, inputs.checkpoint("RN50"), path))
        report.add(f"{what}, RN50 at native size", peak, "MB", at_most=1200)
        seconds = median(printed(DECODE, path)[0] for _ in range(3))
        report.add(f"{what}, decoding and scaling by default", seconds, "s", at_most=5)


def many_pictures(report: Report, architecture: str, few: int, many: int) -> None:
    _peak(architecture, "512x384", 1)  # fills the cache
    peaks = [_peak(architecture, "512x384", count) for count in (few, many)]
    for count, peak in zip((few, many), peaks, strict=True):
        report.add(f"{architecture}, {count} pictures of 512x384", peak, "MB")
    what = f"{architecture}, {many} pictures over {few}"
    report.add(what, peaks[1] - peaks[0], "MB", at_most=50)


def _peak(architecture: str, size: str, count: int) -> float:
    weights, files = inputs.checkpoint(architecture), inputs.pictures(size)
    return megabytes(*printed(SCORE, count, weights, *files))


if __name__ == "__main__":
    main()
