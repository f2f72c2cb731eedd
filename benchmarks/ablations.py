"""An ablation from kept embeddings: 12 lambdas x 4 alphas over the pictures of AGIQA-3k."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from safetensors.numpy import save_file

import inputs
from child import megabytes, printed
from magiqa.runs.embeddings import INDEX, VIEWS_A_PART
from report import Report

PICTURES, DIMENSIONS = 2982, 1024
ROUNDS = 3
# arguments: the folder of embeddings, a checkpoint of RN50's shape
SWEEP = """
import functools, resource, sys, time
from pathlib import Path
from magiqa.clip.anchors import load_anchors
from magiqa.clip.weights import open_checkpoint
from magiqa.evaluate.embeddings import scores
from magiqa.evaluate.reproduction import grid
checkpoint = open_checkpoint(None, sys.argv[2])
anchors = functools.cache(lambda pairs: load_anchors(checkpoint, pairs))
anchors(next(iter(grid().values())).pairs)
begin = time.perf_counter(), time.process_time()
found = scores({"paper": Path(sys.argv[1])}, grid(), anchors).scores
print(time.perf_counter() - begin[0], time.process_time() - begin[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
assert len(found) == 48 and all(len(each) == 2982 for each in found.values())
"""


def main() -> None:
    inputs.prepare()
    report = Report(
        "ablations",
        f"48 settings over {PICTURES} pictures' kept embeddings of {DIMENSIONS} dimensions, in a "
        f"process of their own; median of {ROUNDS} rounds; peak memory is ru_maxrss, all libraries "
        f"included; MB = 10^6 bytes",
    )
    for size, views in (("512x512, as AGIQA-3k", 10), ("1024x768, as KonIQ-10k", 36)):
        with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as folder:
            _keep(Path(folder), views)
            rounds = [printed(SWEEP, folder, inputs.checkpoint("RN50")) for _ in range(ROUNDS)]
        wall, processor, peak = (median(column) for column in zip(*rounds, strict=True))
        what = f"{views} views a picture ({size})"
        report.add(f"{what}, time", wall, "s", at_most=10 if views == 10 else None)
        report.add(f"{what}, processor time", processor, "s")
        report.add(f"{what}, peak memory", megabytes(peak), "MB", at_most=1000)
    report.write()


def _keep(folder: Path, views: int) -> None:
    """Random embeddings in the format of `magiqa embed`."""
    random = np.random.default_rng(0)
    a_part = -(-VIEWS_A_PART // views)
    boxes = np.zeros((a_part * views, 4), np.int32)
    with (folder / INDEX).open("w") as index:
        for part in range(-(-PICTURES // a_part)):
            name = f"part-{part:05}.safetensors"
            F = random.standard_normal((a_part * views, DIMENSIONS), dtype=np.float32)
            save_file({"embeddings": F, "boxes": boxes}, folder / name)
            for picture in range(part * a_part, min((part + 1) * a_part, PICTURES)):
                row = {"source": f"{picture}.jpg", "width": 512, "height": 512, "warnings": []}
                row |= {"error": None, "views": views, "part": name}
                row["first"] = (picture - part * a_part) * views
                index.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
