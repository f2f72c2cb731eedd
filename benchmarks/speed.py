"""Speed with RN50: the encoder against the machine and the usual module, `score_many` whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
import onnxruntime
from onnx import parser

import flops
import inputs
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.towers import VIEW_SIDE, Floats
from magiqa.clip.weights import open_checkpoint
from magiqa.scorer import Scorer
from report import Report

ROUNDS = 7
MATRIX_SIDES = (2048, 512)
VIEWS = 8
"""In each timing of the encoder, and the micro-batch of `Scorer`."""
TIMED_PICTURES = {"512x384": 8, "1024x768": 2}  # 7 and 36 views each: full micro-batches only
USUAL_GRAPH = inputs.FOLDER / "usual.onnx"

Work: TypeAlias = Callable[[], object]


def main() -> None:
    inputs.prepare()
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "speed",
        f"RN50, one thread, CPU time of the thread, alternating, medians of {ROUNDS} rounds; "
        f"ratios are taken within a round",
    )
    checkpoint = open_checkpoint(None, inputs.checkpoint("RN50"))
    encoder = OnnxEncoder(checkpoint, threads=1)
    against_the_machine(report, encoder, flops.residual_flops(checkpoint.architecture))
    if find_spec("torch"):
        against_the_usual_module(report, encoder)
    else:
        print("  no torch: the usual module cannot be exported, so ours is not compared with it")
    whole_pictures(report)
    nano(report, encoder)
    report.write()


def against_the_machine(report: Report, encoder: OnnxEncoder, flops_a_view: int) -> None:
    views = _views(VIEWS)
    works: dict[str, Work] = {f"MatMul {side}": _matrix_product(side) for side in MATRIX_SIDES}
    works |= {f"encoder {size}": partial(_encode, encoder, views, size) for size in (1, 4, VIEWS)}
    seconds = alternate(works)
    machine, near = (seconds[f"MatMul {side}"] for side in MATRIX_SIDES)
    flops_a_product = 2 * MATRIX_SIDES[0] ** 3
    what = f"the machine: float32 MatMul {MATRIX_SIDES[0]}^3 in ONNX Runtime"
    report.add(what, flops_a_product / median(machine) / 1e9, "GFLOP/s")
    what = f"MatMul {MATRIX_SIDES[1]}^3, whose matrices fit the cache"
    report.add(what, flops_a_product / median(near) / 1e9, "GFLOP/s")
    report.add("operations of a view, as CLIP writes the tower", flops_a_view / 1e9, "GFLOP")
    work = VIEWS * flops_a_view
    for size in (1, 4, VIEWS):
        spent = seconds[f"encoder {size}"]
        report.add(f"encoder, micro-batch {size}", work / median(spent) / 1e9, "GFLOP/s")
    share = work / flops_a_product * _ratio(machine, spent)
    report.add(f"encoder, micro-batch {VIEWS}, of the machine rate", share, at_least=0.85)
    share = work / flops_a_product * _ratio(near, spent)
    report.add(f"encoder, micro-batch {VIEWS}, of MatMul {MATRIX_SIDES[1]}^3", share)


def against_the_usual_module(report: Report, encoder: OnnxEncoder) -> None:
    exporter = Path(__file__).with_name("usual_module.py")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(exporter)]
    subprocess.run([*command, str(inputs.checkpoint("RN50")), str(USUAL_GRAPH)], check=True)
    usual = _session(str(USUAL_GRAPH))
    views = _views(VIEWS)
    ours, theirs = encoder(views), usual.run(None, {"views": views})[0]
    difference = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    report.add("largest difference of embeddings to the usual module", difference, at_most=1e-4)
    seconds = alternate(
        {"ours": lambda: encoder(views), "theirs": lambda: usual.run(None, {"views": views})}
    )
    speed = _ratio(seconds["theirs"], seconds["ours"])
    report.add("our encoder's speed over the usual module's", speed, at_least=0.97)


def whole_pictures(report: Report) -> None:
    scorer = Scorer(weights=inputs.checkpoint("RN50"), threads=1)
    encoder = scorer._encoder  # the very session: two of them differ by their place in memory
    for size, count in TIMED_PICTURES.items():
        files = [path.read_bytes() for path in inputs.pictures(size)[:count]]
        views = _views(sum(len(score.views) for score in scorer.score_many(files)))
        seconds = alternate(
            {
                "whole": partial(scorer.score_many, files),
                "encoder": partial(_encode, encoder, views, VIEWS),
            }
        )
        what = f"score_many, JPEG {size}"
        report.add(what, len(views) / median(seconds["whole"]), "views/s")
        over = _ratio(seconds["whole"], seconds["encoder"]) - 1
        report.add(f"{what}, over the encoder alone", 100 * over, "%", at_most=3)
        outside = median(_outside_the_encoder(scorer, files) for _ in range(3))
        report.add(f"{what}, spent outside the encoder's calls", 100 * outside, "%")


def nano(report: Report, encoder: OnnxEncoder) -> None:
    small = OnnxEncoder(open_checkpoint("nano", None), threads=1)
    views = _views(VIEWS)
    seconds = alternate({"nano": lambda: small(views), "RN50": lambda: encoder(views)})
    report.add("nano", VIEWS / median(seconds["nano"]), "views/s")
    report.add("nano's views over RN50's", _ratio(seconds["RN50"], seconds["nano"]), at_least=20)


def _outside_the_encoder(scorer: Scorer, files: list[bytes]) -> float:
    """The same again out of one run, free of the noise between two: a share of the encoder's."""
    inside = 0.0
    encode = OnnxEncoder.__call__

    def timed(self: OnnxEncoder, views: Floats) -> Floats:
        nonlocal inside
        begin = time.thread_time()
        embeddings = encode(self, views)
        inside += time.thread_time() - begin
        return embeddings

    with patch.object(OnnxEncoder, "__call__", timed):
        begin = time.thread_time()
        scorer.score_many(files)
        whole = time.thread_time() - begin
    return whole / inside - 1


def alternate(works: Mapping[str, Work]) -> dict[str, list[float]]:
    """CPU seconds of each work in each round; every other round goes backwards."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        work()
    for turn in range(ROUNDS):
        for name in list(works)[:: 1 if turn % 2 else -1]:
            begin = time.thread_time()
            works[name]()
            seconds[name].append(time.thread_time() - begin)
    return seconds


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(a / b for a, b in zip(above, below, strict=True))


def _views(count: int) -> Floats:
    shape = (count, 3, VIEW_SIDE, VIEW_SIDE)
    return np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)


def _encode(encoder: Callable[[Floats], Floats], views: Floats, micro_batch: int) -> None:
    for start in range(0, len(views), micro_batch):
        encoder(views[start : start + micro_batch])


def _matrix_product(side: int) -> Work:
    """As many products of this size as make the operations of one of the first size."""
    matrix = f"float[{side}, {side}]"
    model = parser.parse_model(
        f'<ir_version: 8, opset_import: ["": 17]>'
        f"machine ({matrix} a, {matrix} b) => ({matrix} c) {{ c = MatMul(a, b) }}"
    )
    session = _session(model.SerializeToString())
    left, right = np.random.default_rng(0).standard_normal((2, side, side), dtype=np.float32)

    def work() -> None:
        for _ in range((MATRIX_SIDES[0] // side) ** 3):
            session.run(None, {"a": left, "b": right})

    return work


def _session(model: str | bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
