"""What bounds a run of millions: listing, the table of chunks, Ray's own pace, parts."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import inputs
from child import megabytes, printed
from report import Report

NAMES = 1_000_000
CHUNKS = 1_000
FILES = 10_000

# argument: a manifest; prints how many names, seconds, packed bytes and peak memory of the table
TABLE = """
import resource, sys, time
from magiqa import Settings
from magiqa.runs.chunks import table
begin = time.perf_counter()
made = table(sys.argv[1:], None, Settings().pairs)
seconds, packed = time.perf_counter() - begin, sum(map(len, made.chunks))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(made.entries, seconds, packed, peak)
"""
# arguments: weights, folder, how many chunks of a picture; prints chunks a second of two workers
PACE = """
import sys, tempfile, time
from pathlib import Path
from magiqa.cluster import ClusterRun
weights, folder, count = sys.argv[1:]
paths = sorted(map(str, Path(folder).iterdir()))[: int(count)]
with tempfile.TemporaryDirectory() as place:
    output = Path(place, "out")
    with ClusterRun(paths, output, {"weights": weights}, workers=(2, 2), pictures_a_chunk=1) as run:
        done = list(run)
        run.finish()
seconds = max(each.ended for each in done) - min(each.began for each in done)
print(len(done) / seconds, sum(each.ended - each.began for each in done) / seconds)
"""


def main() -> None:
    inputs.prepare()
    folder = inputs.small_pictures(FILES)
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report("scaling", "wall time; two cores shared with other work")
    entries, seconds, _, _ = printed(TABLE, folder)
    report.add("a folder's files listed, with their stamps", entries / seconds, "files/s")
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as place:
        manifest = Path(place, "list.csv")
        with manifest.open("w") as file:
            file.write("path\n")
            names = (f"s3://bucket/some/folder/{number:012}.jpg\n" for number in range(NAMES))
            file.writelines(names)
        entries, seconds, packed, peak = printed(TABLE, manifest)
    report.add(f"a manifest's {NAMES} URLs listed", entries / seconds, "names/s")
    report.add("the table of their chunks", packed / entries, "bytes a name")
    report.add("peak memory of listing them", megabytes(peak), "MB")
    pace, busy = printed(PACE, inputs.checkpoint("tiny-resnet"), folder, CHUNKS)
    report.add("chunks of one picture that two workers get through", pace, "chunks/s")
    report.add("share of that time in which a worker is at work", busy / 2)
    report.write()


if __name__ == "__main__":
    main()
