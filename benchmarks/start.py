"""Start: imports, `magiqa --help`, a second `magiqa score`, and text embeddings kept on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median

import inputs
from report import Report

ROUNDS = 15
SCORE_ROUNDS = 7
STATEMENTS = {
    "import magiqa": "import magiqa",
    "import numpy": "import numpy",
    "import typer, rich": "import typer, rich",
    "magiqa --help": "sys.argv = ['magiqa', '--help']; from magiqa.cli import main; main()",
}
TIMED = """
import atexit, sys, time
begin = time.perf_counter()
atexit.register(lambda: print(time.perf_counter() - begin, file=sys.stderr))
"""
# the command; the last line of stderr says what it spent in the encoder
SCORE = """
import atexit, sys, time
from magiqa.clip.onnx_engine import OnnxEncoder
encode, spent = OnnxEncoder.__call__, [0.0]
def timed(self, views):
    begin = time.perf_counter()
    embeddings = encode(self, views)
    spent[0] += time.perf_counter() - begin
    return embeddings
OnnxEncoder.__call__ = timed
atexit.register(lambda: print(spent[0], file=sys.stderr))
from magiqa.cli import main
main()
"""
# two Scorers in one process: seconds of each, and how often the text tower ran
TWO_SCORERS = """
import json, sys, time
begin = time.perf_counter()
from magiqa.clip import onnx_engine
from magiqa.scorer import Scorer
encode, runs, seconds = onnx_engine.encode_text, [], []
def counted(*arguments):
    runs.append(arguments)
    return encode(*arguments)
onnx_engine.encode_text = counted
for _ in range(2):
    Scorer(weights=sys.argv[1])
    seconds.append(time.perf_counter() - begin)
    begin = time.perf_counter()
print(json.dumps([*seconds, len(runs)]))
"""


def main() -> None:
    inputs.prepare()
    report = Report(
        "start",
        f"wall time in fresh processes; imports and --help: alternating, medians of {ROUNDS}, "
        f"without the interpreter's own start-up; score: median of {SCORE_ROUNDS} with it",
    )
    imports(report)
    with tempfile.TemporaryDirectory(dir=inputs.FOLDER) as cache:
        os.environ["MAGIQA_CACHE"] = cache
        text_embeddings(report)
        second_score(report)
    report.write()


def imports(report: Report) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for turn in range(ROUNDS + 1):
        for name, statement in STATEMENTS.items():
            spent = _last_of_stderr(TIMED + statement)
            if turn:  # the first fills the disk's cache
                seconds[name].append(spent)
    medians = {name: median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        report.add(name, 1000 * value, "ms")

    for one, other, limit in (
        ("import magiqa", "import numpy", 0.1),
        ("magiqa --help", "import typer, rich", 1.5),
    ):
        report.add(f"{one}, of {other}", medians[one] / medians[other], at_most=limit)


def text_embeddings(report: Report) -> None:
    for process, limit in (("first", 1), ("second", 0)):
        command = [sys.executable, "-c", TWO_SCORERS, str(inputs.checkpoint("RN50"))]
        first, another, runs = json.loads(subprocess.check_output(command))
        report.add(f"{process} process: imports and a Scorer (RN50)", first, "s")
        report.add(f"{process} process: another Scorer", another, "s")
        report.add(f"{process} process: runs of the text tower", runs, at_most=limit)


def second_score(report: Report) -> None:
    picture, weights = str(inputs.pictures("512x384")[0]), str(inputs.checkpoint("RN50"))
    seconds = []
    for turn in range(SCORE_ROUNDS + 1):
        begin = time.perf_counter()
        inference = _last_of_stderr(SCORE, "score", picture, "--weights", weights)
        if turn:  # the first is no second start
            seconds.append(time.perf_counter() - begin - inference)
    what = "magiqa score of one picture (RN50), second start, without inference"
    report.add(what, median(seconds), "s", at_most=1.5)


def _last_of_stderr(program: str, *arguments: str) -> float:
    command = [sys.executable, "-c", program, *arguments]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(result.stderr.splitlines()[-1])


if __name__ == "__main__":
    main()
