"""Ray on this machine: two workers against one, the price of Ray, and memory."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

import inputs
from child import printed
from report import Report

ROUNDS = 5
PAIRED = 120  # pictures of a run of a pair: 25 s of RN50 on a core
LONG_ROUNDS = 3
LONG = 700  # pictures of a run of over a minute on two cores
FEW = 1_000
MANY = 10_000

# arguments: weights, folder, how many pictures, of a chunk, workers; prints seconds from the first
# chunk's begin to the last one's end, and the peak memory of the driver and of the largest worker
CLUSTER = """
import sys, tempfile
from contextlib import suppress
from pathlib import Path
from magiqa.cluster import ClusterRun
weights, folder, count, chunk, workers = sys.argv[1:]
paths = sorted(map(str, Path(folder).iterdir()))[: int(count)]

def peak(process):
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

with tempfile.TemporaryDirectory() as place:
    output = Path(place, "out")
    largest, done = 0, []
    with ClusterRun(paths, output, {"weights": weights}, workers=(int(workers),) * 2,
                    pictures_a_chunk=int(chunk)) as run:
        for each in run:
            done.append(each)
            with suppress(FileNotFoundError):  # with the last chunk it leaves
                largest = max(largest, peak(each.worker.split()[1]))
        run.finish()
assert sum(each.scored for each in done) == int(count)
seconds = max(each.ended for each in done) - min(each.began for each in done)
print(seconds, peak("self"), largest)
"""
# arguments: weights, folder, how many pictures, threads; prints seconds without the scorer's start
SCORE = """
import sys, tempfile, time
from pathlib import Path
from magiqa import Scorer
from magiqa.runs.pipeline import Run
weights, folder, count, threads = sys.argv[1:]
paths = sorted(map(str, Path(folder).iterdir()))[: int(count)]
scorer = Scorer(weights=weights, threads=int(threads))
begin = time.perf_counter()
with tempfile.TemporaryDirectory() as place:
    with Run(paths, scorer, Path(place, "out.parquet"), jobs=1) as run:
        for _ in run:
            pass
        run.finish()
print(time.perf_counter() - begin)
"""


def main() -> None:
    inputs.prepare()
    folder = inputs.small_pictures(MANY)
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "cluster",
        "JPEG pictures of 256x256, two views each; a Ray on this machine for each run, workers of "
        "one core; wall time without start-up, runs in turns, medians",
    )
    weights = inputs.checkpoint("RN50")
    ratios = []
    for _ in range(ROUNDS):
        one, two = (_cluster(weights, folder, PAIRED, 4, workers)[0] for workers in (1, 2))
        ratios.append(one / two)
    report.add("two workers over one, RN50", median(ratios), "x", at_least=1.6)
    report.add("the least of the pairs", min(ratios), "x")
    scores, clusters = [], []
    for _ in range(LONG_ROUNDS):
        scores += printed(SCORE, weights, folder, LONG, 2)
        clusters.append(_cluster(weights, folder, LONG, 25, 2)[0])
    report.add("magiqa score, two threads", LONG / median(scores), "pictures/s")
    report.add("two workers", LONG / median(clusters), "pictures/s")
    ratios = [cluster / score for score, cluster in zip(scores, clusters, strict=True)]
    report.add("seconds of two workers over those of score", median(ratios), "x", at_most=1.15)
    weights = inputs.checkpoint("tiny-resnet")
    few, many = (_cluster(weights, folder, count, 256, 2) for count in (FEW, MANY))
    report.add(f"two workers, tiny-resnet, {MANY} pictures", MANY / many[0], "pictures/s")
    for what, place in (("driver", 1), ("worker", 2)):
        report.add(f"peak memory of the {what}, {FEW} pictures", few[place], "MB")
        grown = many[place] - few[place]
        report.add(f"the same, {MANY} over {FEW}", grown, "MB", at_most=30)
    report.write()


def _cluster(
    weights: Path, folder: Path, count: int, chunk: int, workers: int
) -> tuple[float, float, float]:
    seconds, driver, worker = printed(CLUSTER, weights, folder, count, chunk, workers)
    return seconds, driver * 1024 / 1e6, worker * 1024 / 1e6


if __name__ == "__main__":
    main()
