"""Folder-scale runs with tiny-resnet: throughput against the ideal, memory, and a long listing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median

import inputs
from child import megabytes, printed
from report import Report

PICTURES = 10_000
FEW = 1_000
NAMES = 1_000_000
ROUNDS = 3

# arguments: the weights, the folder; CPU seconds a picture of decoding and of encoding, alone
ALONE = """
import sys, time
from pathlib import Path
import numpy
from magiqa import Item, Scorer, Settings
from magiqa.pictures.decode import read
weights, folder = sys.argv[1:]
paths = sorted(Path(folder).iterdir())[:500]
scorer = Scorer(weights=weights, threads=1)
begin = time.process_time()
pictures = [read(Item(str(path), path), scorer.settings) for path in paths]
decoding = (time.process_time() - begin) / len(paths)
views = numpy.zeros((8, 3, 224, 224), numpy.float32)
scorer._encoder(views)
begin = time.process_time()
for _ in range(2 * len(paths) // 8):
    scorer._encoder(views)
print(decoding, (time.process_time() - begin) / len(paths))
"""
# arguments: output, jobs, weights, how many, the folder; wall seconds of the run, peak memory
RUN = """
import itertools, resource, sys, time
from pathlib import Path
from magiqa import Scorer
from magiqa.runs.pipeline import Run
output, jobs, weights, count, folder = sys.argv[1:]
scorer = Scorer(weights=weights)
paths = sorted(map(str, Path(folder).iterdir()))[: int(count)]
begin = time.perf_counter()
with Run(paths, scorer, Path(output), jobs=int(jobs)) as run:
    for _ in run:
        pass
    run.finish()
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
# argument: a manifest; items listed, peak memory
LIST = """
import resource, sys
from magiqa.runs.sources import list_items
print(sum(1 for _ in list_items(sys.argv[1:])), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    inputs.prepare()
    folder = inputs.small_pictures(PICTURES)
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "runs",
        f"tiny-resnet, {PICTURES} JPEG pictures of 256x256 through a run with journal and CSV; "
        f"wall time; ideal: cores over the CPU seconds a picture takes to decode and encode, alone",
    )
    weights = inputs.checkpoint("tiny-resnet")
    decoding, encoding = printed(ALONE, weights, folder)
    cores = len(os.sched_getaffinity(0))
    ideal = cores / (decoding + encoding)
    report.add("decoding a picture, alone", 1000 * decoding, "ms")
    report.add("encoding its two views, alone", 1000 * encoding, "ms")
    report.add(f"ideal on {cores} cores", ideal, "pictures/s")
    best = 0.0
    for jobs in (0, 1, 2):
        seconds, _ = _run(weights, folder, jobs, PICTURES)
        best = max(best, PICTURES / seconds)
        report.add(f"a run with --jobs {jobs}", PICTURES / seconds, "pictures/s")
    report.add("the best, of the ideal", best / ideal, at_least=0.85)
    few, many = (
        median(_run(weights, folder, 1, count)[1] for _ in range(ROUNDS))
        for count in (FEW, PICTURES)
    )
    report.add(f"peak memory, {PICTURES} pictures over {FEW}", many - few, "MB", at_most=60)
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as place:
        manifest = Path(place, "list.csv")
        with manifest.open("w") as file:
            file.write("path\n")
            file.writelines(f"folder/picture-{number:07}.jpg\n" for number in range(NAMES))
        listed, peak = printed(LIST, manifest)
    report.add(f"peak memory, {int(listed)} names listed", megabytes(peak), "MB", at_most=300)
    report.write()


def _run(weights: Path, folder: Path, jobs: int, count: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as place:
        output = Path(place, "out.csv")
        seconds, peak = printed(RUN, output, jobs, weights, count, folder)
    return seconds, megabytes(peak)


if __name__ == "__main__":
    main()
