"""The service with tiny-resnet under load: throughput, latency, what batching gives, wrong keys."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

import inputs
from magiqa.records import Embedded
from magiqa.scorer import Scorer
from magiqa.serve.keys import Keys
from recipe import checkpoint_file, picture
from report import Report

CLIENTS = 64
PICTURES = 200
"""200x200 pixels: one view each, so that a request is one view."""
SECONDS = 30.0
ROUNDS = 7
ROUND_SECONDS = 4.0
WRONG_KEYS = 20_000
CLIENT = Path(__file__).with_name("serve_client.py")

# arguments: the kind of scorer, the weights; it prints its port and ends with its stdin
SERVER = """
import logging, os, sys, threading
import uvicorn
import serve
from magiqa.serve.app import create_app
from magiqa.serve.keys import Keys
from magiqa.serve.limits import Limits
from magiqa.serve.server import configuration, listen
kind, weights = sys.argv[1:]
app = create_app(serve.KINDS[kind](weights), limits=Limits(), keys=Keys([]))
listener = listen("127.0.0.1", 0)
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
print(listener.getsockname()[1], flush=True)
uvicorn.Server(configuration(app, Limits())).run([listener])
"""


class Unscored(Scorer):
    """Answers at once: what is left is HTTP, decoding and the client."""

    def stream_embeddings(self, items: Any, *_: Any) -> Iterator[Any]:
        for each in items:
            height, width = each.pixels.shape[:2]
            about = (each.source, each.width, each.height, each.warnings)
            yield Embedded(*about, ((0, 0, width, height),), np.ones((1, 64), np.float32))


KINDS: dict[str, Callable[[str], Scorer]] = {
    "service": lambda weights: Scorer(weights=weights),
    "micro-batch 1": lambda weights: Scorer(weights=weights, micro_batch=1),
    "unscored": lambda weights: Unscored(weights=weights),
}


@dataclass(frozen=True)
class Served:
    """A running service."""

    port: int
    process: int

    def cpu_seconds(self) -> float:
        """Spent by its process and its decode workers."""
        tasks = Path(f"/proc/{self.process}/task").iterdir()
        children = {child for task in tasks for child in (task / "children").read_text().split()}
        ticks = 0
        for each in (str(self.process), *children):
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "serve",
        f"tiny-resnet, {CLIENTS} clients on loopback, one {PICTURES}-picture set of 200x200 JPEG, "
        f"one picture a request; clients and service on the same cores; CPU time is the service's "
        f"and its decode worker's; ratios are medians of {ROUNDS} alternating rounds of "
        f"{ROUND_SECONDS:g} s",
    )
    folder, weights = _pictures(), checkpoint_file("tiny-resnet", inputs.CHECKPOINTS)
    scorer = Scorer(weights=weights)
    files = [path.read_bytes() for path in sorted(folder.iterdir())]
    names = [path.name for path in sorted(folder.iterdir())]
    offline = dict(zip(names, (score.score for score in scorer.score_many(files)), strict=True))
    with ExitStack() as stack:
        served = {kind: stack.enter_context(_served(kind, weights)) for kind in KINDS}
        _long(report, served["service"].port, folder, offline)
        _throughput(report, served, folder, scorer)
    _wrong_keys(report)
    report.write()


def _long(report: Report, port: int, folder: Path, offline: dict[str, float]) -> None:
    """Half a minute: every answer is held against the offline score of its picture."""
    done = _load(port, folder, SECONDS)
    answers, waits = done["answers"], sorted(each[2] for each in done["answers"])
    worst = max(abs(score - offline[name]) for name, score, _ in answers)
    report.add(f"answers in {SECONDS:g} s, none lost", len(answers))
    report.add("largest difference to the offline score of the very picture", worst, at_most=1e-6)
    apart = np.diff(sorted(offline.values()))
    report.add("median distance of two pictures' scores, to compare with", float(np.median(apart)))
    report.add("throughput", len(answers) / done["seconds"], "pictures/s")
    for share in (0.5, 0.95, 0.99):
        at = waits[int(share * len(waits))]
        report.add(f"latency, p{100 * share:g}", 1000 * at, "ms")


def _throughput(report: Report, served: dict[str, Served], folder: Path, scorer: Scorer) -> None:
    """The service against what its parts cost, and against encoding one by one."""
    arrays = [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]
    wall: dict[str, list[float]] = {kind: [] for kind in ("offline", *KINDS)}
    cpu: dict[str, list[float]] = {kind: [] for kind in wall}
    for turn in range(ROUNDS):
        for kind in list(wall)[:: 1 if turn % 2 else -1]:
            if kind == "offline":
                seconds, spent = _offline(scorer, arrays)
            else:
                before = served[kind].cpu_seconds()
                done = _load(served[kind].port, folder, ROUND_SECONDS)
                count = len(done["answers"])
                seconds = done["seconds"] / count
                spent = (served[kind].cpu_seconds() - before) / count
            wall[kind].append(seconds)
            cpu[kind].append(spent)
    names = {
        "offline": "score_many offline, decoded pictures",
        "unscored": "HTTP and decoding alone",
        "service": "the service",
        "micro-batch 1": "the service with micro-batch 1",
    }
    for kind, name in names.items():
        report.add(name, 1 / median(wall[kind]), "pictures/s")
        report.add(f"{name}, CPU time of a picture", 1000 * median(cpu[kind]), "ms")
    for name, taken in (("throughput", wall), ("the same in CPU time", cpu)):
        parts = [sum(both) for both in zip(taken["offline"], taken["unscored"], strict=True)]
        share = _ratio(parts, taken["service"])
        report.add(f"{name}, over offline less HTTP and decoding", share, at_least=0.9)
    for name, taken in (("throughput", wall), ("the same in CPU time", cpu)):
        gain = _ratio(taken["micro-batch 1"], taken["service"])
        report.add(f"{name}, over micro-batch 1", gain, at_least=1.2)


def _wrong_keys(report: Report) -> None:
    """Seconds to refuse a key that shares all but its last letter, against one that shares none."""
    right = "k" * 32
    keys = Keys([right])
    tried = {"near": b"Bearer " + b"k" * 31 + b"x", "far": b"Bearer " + b"x" * 32}
    spent: dict[str, list[int]] = {name: [] for name in tried}
    order = list(tried) * WRONG_KEYS
    random.Random(0).shuffle(order)
    for name in order:
        begin = time.perf_counter_ns()
        keys.admit(tried[name])
        spent[name].append(time.perf_counter_ns() - begin)
    near, far = (median(spent[name]) for name in tried)
    report.add("refusing a wrong key", far / 1000, "us")
    report.add("a key with 31 of 32 letters right over one with none", near / far, at_most=1.02)


def _offline(scorer: Scorer, arrays: Sequence[Any]) -> tuple[float, float]:
    """Wall and CPU seconds of a picture."""
    begin, spent, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < ROUND_SECONDS / 2:
        count += len(scorer.score_many(arrays))
    return (time.perf_counter() - begin) / count, (time.process_time() - spent) / count


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def _load(port: int, folder: Path, seconds: float) -> Any:
    command = [sys.executable, str(CLIENT), str(port), str(folder), str(CLIENTS), str(seconds)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


@contextmanager
def _served(kind: str, weights: Path) -> Iterator[Served]:
    """A service in a process of its own, which ends with this block."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, kind, str(weights)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Served(int(process.stdout.readline()), process.pid)
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def _pictures() -> Path:
    """JPEG files, crops of one picture."""
    folder = inputs.FOLDER / f"single-{PICTURES}"
    if not folder.exists():
        part = folder.with_suffix(".part")
        part.mkdir(parents=True, exist_ok=True)
        large = Image.fromarray(picture(1200, 1200, seed=0))
        for number in range(PICTURES):
            left, top = 9 * (number % 100), 400 * (number // 100)
            crop = large.crop((left, top, left + 200, top + 200))
            crop.save(part / f"{number:03}.jpg", quality=90)
        part.rename(folder)
    return folder


if __name__ == "__main__":
    main()
