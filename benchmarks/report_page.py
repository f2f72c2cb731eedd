"""The report of a run of 10,000 pictures: building it, opening it in Chromium, scrolling it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import sync_playwright

import inputs
from child import megabytes, printed
from report import Report

PICTURES = 10_000
ROUNDS = 3

# arguments: the weights, the folder, the output
RUN = """
import sys
from pathlib import Path
from magiqa import Scorer
from magiqa.runs.pipeline import Run
weights, folder, output = sys.argv[1:]
with Run([folder], Scorer(weights=weights), Path(output), jobs=2) as run:
    for _ in run:
        pass
    run.finish()
"""
# arguments: the output, the page, jobs; seconds, bytes, thumbnails, peak memory here and in a child
BUILD = """
import resource, sys, time
from pathlib import Path
from magiqa.report.page import write_report
output, page, jobs = sys.argv[1:]
begin = time.perf_counter()
written = write_report(Path(output), Path(page), int(jobs))
print(time.perf_counter() - begin, written.size, written.thumbnails)
for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
    print(resource.getrusage(who).ru_maxrss)
"""
# Milliseconds from the start of navigation to the first cards on the screen; of each frame while
# the gallery is scrolled by a third of a screen a frame; of sorting by name, and of a search.
USE = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  const opened = performance.now();
  document.querySelector("#pictures").scrollIntoView();
  const frames = [];
  for (let count = 0, last = performance.now(); count < 300; count++) {
    scrollBy(0, innerHeight / 3);
    await frame();
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  const ask = (name, value) => {
    const begin = performance.now();
    const control = document.querySelector("#toolbar").elements[name];
    control.value = value;
    control.dispatchEvent(new Event("input", { bubbles: true }));
    return performance.now() - begin;
  };
  return { opened, frames, sort: ask("sort", "name"), search: ask("search", "77") };
}"""


def main() -> None:
    inputs.prepare()
    folder = inputs.small_pictures(PICTURES)
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "report_page",
        f"the report of {PICTURES} JPEG pictures of 256x256, scored by tiny-resnet; wall time; "
        f"medians of {ROUNDS}; headless Chromium without a GPU, 1280x900",
    )
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as place:
        output, page = Path(place, "out.parquet"), Path(place, "r.html")
        printed(RUN, inputs.checkpoint("tiny-resnet"), folder, output)
        for jobs in (1, 2):
            built = [printed(BUILD, output, page, jobs) for _ in range(ROUNDS)]
            seconds, size, thumbnails, here, child = (
                median(each) for each in zip(*built, strict=True)
            )
            words = f"with --jobs {jobs}"
            report.add(f"building it {words}", seconds, "s", at_most=60)
            peak = megabytes(here + jobs * child)
            report.add(f"peak memory of it and its workers {words}", peak, "MB", at_most=500)
        report.add("thumbnails in it", thumbnails)
        report.add("size of the file", size / 1e6, "MB", at_most=60)
        rounds = _used(page)
    report.add("opening it", median(each["opened"] for each in rounds) / 1000, "s", at_most=3)
    frames = sorted(frame for each in rounds for frame in each["frames"])
    report.add("scrolling, a frame", median(frames), "ms")
    report.add("scrolling, 95 of 100 frames", frames[len(frames) * 95 // 100], "ms", at_most=50)
    for what, name in (("sort", "sorting by name"), ("search", "a search in the names")):
        report.add(name, median(each[what] for each in rounds), "ms")
    report.write()


def _used(page: Path) -> list[dict[str, Any]]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("this needs Chromium - install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        rounds = []
        for _ in range(ROUNDS):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.as_uri())
            rounds.append(tab.evaluate(USE))
            tab.close()
        browser.close()
    return rounds


if __name__ == "__main__":
    main()
