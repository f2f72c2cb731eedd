"""The torch engine on a GPU, in a few minutes: right, how fast, how far from float32.

`python gpu.py [--device cuda] [--weights FILE] [--quick]`, with the tests' folder on PYTHONPATH and
the extra `torch`. --quick is a tiny network and a minute on any CPU: it shows that the script runs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import flops
import recipe
from inputs import CHECKPOINTS
from magiqa import Item, Score, Scorer, Settings
from magiqa.clip.architecture import Architecture
from magiqa.clip.torch_engine import (
    DTYPES,
    TorchEncoder,
    device_of,
    ieee,
    micro_batch_of,
)
from magiqa.clip.weights import Checkpoint
from magiqa.pictures.pool import DecodePool
from magiqa.torch import MagnitudeAwareCLIP
from report import Report


class Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    seconds: float
    """Of each round, at least."""
    matrix: int
    """Side of the matrices that the card's rate is taken with."""
    batches: tuple[int, ...]
    """Views at once; the fastest counts."""
    sizes: tuple[tuple[int, int], ...]
    workers: tuple[int, ...]
    end_to_end_views: int
    """In each timing of whole pictures, about."""
    compared: int
    """Pictures whose scores are compared."""
    compiled: tuple[str, ...]
    """Precisions that are timed compiled, too."""


FULL = Plan(
    rounds=5,
    seconds=0.5,
    matrix=8192,
    batches=(256,),
    sizes=((512, 384), (1024, 768), (4000, 3000)),
    workers=(1, 2, 4, 8, 16),
    end_to_end_views=12_000,
    compared=500,
    compiled=("float32", "TF32", "float16", "bfloat16"),
)
QUICK = Plan(
    rounds=1,
    seconds=0.02,
    matrix=256,
    batches=(4,),
    sizes=((512, 384), (600, 500)),
    workers=(1, 2),
    end_to_end_views=14,
    compared=12,
    compiled=("float32",),
)


class Precision(NamedTuple):
    """One way to compute."""

    dtype: Any
    tf32: bool = False

    @contextmanager
    def on(self) -> Iterator[None]:
        """With torch's switches as it wants them."""
        if not self.tf32:
            with ieee():
                yield
            return
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")  # convolutions use TF32 by torch's own default
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)


PRECISIONS = {
    "float32": Precision("float32"),
    "TF32": Precision("float32", tf32=True),
    "float16": Precision("float16"),
    "bfloat16": Precision("bfloat16"),
}


class Bench:
    """One device, one checkpoint."""

    def __init__(self, device: str, weights: Path, plan: Plan, keep: bool) -> None:
        self.device, self.weights, self.plan, self.keep = device, weights, plan, keep
        self.gpu = device_of(device).type == "cuda"
        self.precisions = {
            name: each for name, each in PRECISIONS.items() if self.gpu or not each.tf32
        }
        self.checkpoint = Checkpoint(weights, "file")
        card = torch.cuda.get_device_name(device) if self.gpu else device
        library = f"torch {torch.__version__}, CUDA {torch.version.cuda}"
        method = (
            f"{card}, {library}, {self.checkpoint.architecture.backbone}; wall time, medians of "
            f"{plan.rounds} rounds of at least {plan.seconds} s; FLOPs as CLIP writes the tower"
        )
        self.report = Report("gpu", method)
        self.rows: dict[str, list[str]] = {name: [] for name in self.precisions}
        self.rates: dict[str, float] = {}
        self.best = 0.0

    def run(self) -> None:
        """Everything; the numbers as they come, and the table."""
        self.correct()
        for name in self.precisions:
            self.speed(name)
        self.fidelity()
        whole = self.whole_pictures()
        for name in self.plan.compiled:  # a minute each
            if name in self.precisions:
                self.encoder(name, "compiled")
        show(("precision", "matrices", "eager", "of it", "largest", "rank", "compiled", "of it"))
        for name, cells in self.rows.items():
            show((name, *cells))
        print("  (TFLOP/s; views/s, their share of it; from float32: difference, correlation)\n")
        show(("pictures", "workers", "pictures/s", "views/s", "of encoder"))
        for row in whole:
            show(row)
        if self.keep:
            self.report.write()

    def correct(self) -> None:
        """The device against ONNX Runtime, a batch against one by one, a gradient."""
        pictures = [
            recipe.picture(h, w, seed) for seed, (h, w) in enumerate(((384, 512), (500, 300)))
        ]
        there = Scorer(weights=self.weights).score_many(pictures)
        scorer = Scorer(weights=self.weights, engine="torch", device=self.device)
        apart = largest(scorer.score_many(pictures), there)
        self.report.add("largest difference of a score from ONNX Runtime", apart, at_most=1e-5)
        alone = [scorer(picture) for picture in pictures]
        small = Scorer(weights=self.weights, engine="torch", device=self.device, micro_batch=3)
        apart = largest(small.score_many(pictures[::-1]), alone[::-1])
        self.report.add("the same, of another batch and order", apart, at_most=1e-5)
        quality = MagnitudeAwareCLIP(weights=self.weights).to(self.device)
        batch = torch.rand(2, 3, 230, 260, device=self.device, requires_grad=True)
        [gradient] = torch.autograd.grad(quality(batch)[0], batch)
        self.report.add(
            "gradient that reaches another picture", float(gradient[1].abs().max()), at_most=0
        )

    def speed(self, name: str) -> None:
        """The card's matrix rate, and the encoder's share of it."""
        precision = self.precisions[name]
        with precision.on():
            rate = self.rates[name] = self.matrix_rate(precision)
        self.report.add(f"{name}: matrices of {self.plan.matrix}", rate / 1e12, "TFLOP/s")
        self.rows[name].append(f"{rate / 1e12:.3g}")
        views = self.encoder(name, "eager")
        if name == "float16":
            self.best = views

    def encoder(self, name: str, kind: str) -> float:
        """Views a second, told with their share of the matrix rate."""
        precision = self.precisions[name]
        with precision.on():
            views, size = self.encoder_rate(precision, kind == "compiled")
        what = f"{name}, {kind}: encoder, {size} views at once"
        wanted = 10_000 if self.keep and name == "float16" else None
        self.report.add(what, views, "views/s", at_least=wanted)
        share = views * view_flops(self.checkpoint.architecture) / self.rates[name]
        self.report.add(f"{name}, {kind}: of the matrix rate", share)
        self.rows[name] += [f"{views:,.0f}", f"{share:.0%}"]
        return views

    def matrix_rate(self, precision: Precision) -> float:
        side = self.plan.matrix
        dtype = DTYPES[precision.dtype]
        left, right = (torch.randn(side, side, device=self.device, dtype=dtype) for _ in range(2))
        return 2 * side**3 / self.time(lambda: left @ right)

    def encoder_rate(self, precision: Precision, compiled: bool) -> tuple[float, int]:
        """Views a second at the best number of views at once, and that number."""
        encoder = TorchEncoder(self.checkpoint, device=self.device, dtype=precision.dtype)
        tower: Callable[[Tensor], Tensor] = encoder._tower
        if compiled:
            torch.compiler.reset()
            tower = torch.compile(encoder._tower, dynamic=False)
        found = []
        for size in self.plan.batches:
            views = torch.rand(size, 3, 224, 224, device=self.device) * 255
            with torch.inference_mode():
                found.append((size / self.time(partial(tower, views)), size))
        return max(found)

    def time(self, work: Callable[[], object]) -> float:
        """Seconds that one turn takes when turns follow each other: median of the rounds."""
        for _ in range(2):
            work()
        turns, spent = 1, self.turns(work, 1)
        while spent < self.plan.seconds:
            turns, spent = 2 * turns, self.turns(work, 2 * turns)
        return median([self.turns(work, turns) / turns for _ in range(self.plan.rounds)])

    def turns(self, work: Callable[[], object], count: int) -> float:
        self.wait()
        begin = time.perf_counter()
        for _ in range(count):
            work()
        self.wait()
        return time.perf_counter() - begin

    def wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize(self.device)

    def fidelity(self) -> None:
        """Scores of each precision against float32's, over pictures good and bad."""
        pictures = [spoilt(seed) for seed in range(self.plan.compared)]
        exact = self.scores("float32", pictures)
        for name in self.precisions:
            scores = self.scores(name, pictures)
            apart, rank = float(np.abs(scores - exact).max()), rank_correlation(scores, exact)
            about = f"{name}: {len(pictures)} scores against float32's"
            self.report.add(f"{about}, largest difference", apart)
            self.report.add(f"{about}, rank correlation", rank)
            self.rows[name] += [f"{apart:.1e}", f"{rank:.5f}"]

    def scores(self, name: str, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
        precision = self.precisions[name]
        scorer = self.scorer(precision)
        # a scorer sets what it needs itself, in threads that would wait for `on` for ever
        with precision.on() if precision.tf32 else nullcontext():
            return np.asarray([score.score for score in scorer.score_many(pictures)])

    def scorer(self, precision: Precision) -> Scorer:
        scorer = Scorer(
            weights=self.weights,
            settings=Settings(max_pixels=None),  # 12 megapixels as they are
            engine="torch",
            device=self.device,
            dtype=precision.dtype,
        )
        if precision.tf32:
            scorer._encoder._ieee = False  # type: ignore[union-attr]
        return scorer

    def whole_pictures(self) -> list[tuple[str, ...]]:
        """JPEG files to scores in float16, for each number of decode workers."""
        rows: list[tuple[str, ...]] = []
        scorer = self.scorer(self.precisions["float16"])
        with tempfile.TemporaryDirectory() as folder:
            for width, height in self.plan.sizes:
                path = Path(folder, f"{width}x{height}.jpg")
                small = Image.fromarray(recipe.picture(height // 4, width // 4, seed=0))
                small.resize((width, height)).save(path, quality=90)
                views = len(scorer(path).views)
                count = -(-self.plan.end_to_end_views // views)
                for workers in self.plan.workers:
                    seconds = self.end_to_end(scorer, path, count, workers)
                    share = count * views / seconds / self.best
                    about = f"JPEG {width}x{height}, float16, {workers} decode workers"
                    self.report.add(about, count / seconds, "pictures/s")
                    target = 0.8 if self.keep and workers == max(self.plan.workers) else None
                    self.report.add(f"{about}: of the encoder", share, at_least=target)
                    cells = f"{count / seconds:,.1f}", f"{count * views / seconds:,.0f}"
                    rows.append((f"{width}x{height}", str(workers), *cells, f"{share:.0%}"))
        return rows

    def end_to_end(self, scorer: Scorer, path: Path, count: int, workers: int) -> float:
        """Seconds for so many pictures, once the workers run and the pipeline is full."""
        views = len(scorer(path).views)
        ahead = 2 * workers + -(-3 * micro_batch_of(torch.device(self.device)) // views)
        items = (Item(str(number), path) for number in range(count + ahead))
        with DecodePool(scorer.settings, workers) as pool:
            scores = scorer.stream(pool.read(items))
            assert all(isinstance(each, Score) for each in islice(scores, ahead))
            begin = time.perf_counter()
            assert sum(isinstance(each, Score) for each in scores) == count
            return time.perf_counter() - begin


def view_flops(architecture: Architecture) -> float:
    if architecture.patch is None:
        return flops.residual_flops(architecture)
    tokens, width = (224 // architecture.patch) ** 2 + 1, architecture.vision_width
    block = 24 * tokens * width**2 + 4 * tokens**2 * width
    stem = 6 * tokens * architecture.patch**2 * width
    return architecture.vision_layers[0] * block + stem + 2 * width * architecture.embedding


def spoilt(seed: int) -> NDArray[np.uint8]:
    """A picture of 256x256 with noise and blur, more of either or less."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(recipe.picture(256, 256, seed))
    side = int(rng.integers(32, 257))
    blurred = picture.resize((side, side)).resize((256, 256))
    noise = rng.normal(0, rng.uniform(0, 60), (256, 256, 3))
    return np.clip(np.asarray(blurred) + noise, 0, 255).astype(np.uint8)


def largest(ours: Sequence[Score], theirs: Sequence[Score]) -> float:
    return max(abs(a.score - b.score) for a, b in zip(ours, theirs, strict=True))


def rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Spearman's, for no two scores are the same."""
    apart = np.argsort(np.argsort(a)) - np.argsort(np.argsort(b))
    return 1 - 6 * float(np.sum(apart**2)) / (len(a) * (len(a) ** 2 - 1))


def show(cells: Sequence[str]) -> None:
    print("  " + "".join(f"{cell:>12}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--weights", type=Path, help="a CLIP checkpoint; else a random RN50")
    parser.add_argument("--quick", action="store_true", help="a tiny network, a minute, any CPU")
    options = parser.parse_args()
    weights = options.weights
    if weights is None:
        weights = recipe.checkpoint_file("tiny-resnet" if options.quick else "RN50", CHECKPOINTS)
    Bench(options.device, weights, QUICK if options.quick else FULL, not options.quick).run()


if __name__ == "__main__":
    main()
