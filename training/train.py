"""`make train-nano`: from a folder of pristine pictures to nano.safetensors, without a human score.

A run is named by its output folder: `run.pt` (to resume from), `log.jsonl` (a line an evaluation),
`nano.safetensors` (the averaged weights that were best on the held-out ladders).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import batches
import export
import objective
import pristine
from heldout import HeldOut
from measures import sharpness
from naturalness import Naturalness, features
from tower import Nano

AVERAGE = 0.997  # of the weights, a step
WARM_UP = 150  # steps
FADE = 0.7  # share of the run, its end, over which the learning rate falls to nothing
DECAY = 0.05  # of weights
LARGEST_SCALE = 4.6  # ln 100, CLIP's own limit of logit_scale
FITTED = 1500  # pristine views whose statistics are what is natural


def main() -> None:
    """Train, or go on with a run that was cut off."""
    given = _arguments()
    torch.manual_seed(given.seed)
    torch.set_num_threads(given.threads)
    torch.backends.cudnn.allow_tf32 = False  # measures subtract squares; the tower has --half
    photographs, artworks, held = map(batches.load, pristine.pictures(given.pristine))
    given.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(given.device)
    sides = tuple(given.sides)
    data = batches.Batches(photographs, artworks, given.seed, given.ladders, sides)
    naturalness = fit_naturalness(data, device)
    heldout = HeldOut(held, given.workers)
    run = Run(given.out, device, given.rate, given.half, objective.Recipe(), given.begin)
    size = given.ladders * batches.LADDER + batches.GARBAGE
    begun, crops, parts = time.monotonic(), 0, []
    drawn = stream(data, run.step, given.workers, given.crops // size, given.seconds)
    for batch, found, share in measured(drawn, naturalness, device):
        parts.append(run.learn(batch, found, given.rate * schedule(run.step, share)))
        crops += size
        if run.step % given.every == 0 or share >= 1:
            speed = crops / (time.monotonic() - begun)
            means = dict(
                zip(objective.Loss._fields, torch.stack(parts).mean(dim=0).tolist(), strict=True)
            )
            line = {"step": run.step, "crops": run.step * size, "crops_per_second": round(speed, 1)}
            run.judge(heldout, {**line, **{name: round(mean, 4) for name, mean in means.items()}})
            run.save()
            begun, crops, parts = time.monotonic(), 0, []


def stream(
    data: batches.Batches, step: int, workers: int, steps: int, seconds: float | None
) -> Iterator[tuple[batches.Batch, float]]:
    """Batches from number `step` on, each with the share of the run that is over after it.

    A run ends after so many steps, or, where `seconds` are given, so long after now.
    """
    numbers = range(step, steps) if seconds is None else range(step, 10**9)
    loader: DataLoader[batches.Batch] = DataLoader(
        data,  # type: ignore[arg-type]
        sampler=numbers,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    begun = time.monotonic()
    for number, batch in enumerate(loader, start=step + 1):
        share = number / steps if seconds is None else (time.monotonic() - begun) / seconds
        yield batch, share
        if share >= 1:
            return


def measured(
    drawn: Iterator[tuple[batches.Batch, float]], naturalness: Naturalness, device: torch.device
) -> Iterator[tuple[batches.Batch, objective.Measured, float]]:
    """Batches where the network is, each measured while it learns from the one before."""

    def work(batch: batches.Batch) -> tuple[batches.Batch, objective.Measured]:
        placed = batch.to(device)
        return placed, objective.measure(placed, naturalness)

    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        ahead, last = None, 0.0
        for batch, share in drawn:
            job = pool.submit(work, batch)
            if ahead:
                yield *ahead.result(), last
            ahead, last = job, share
        if ahead:
            yield *ahead.result(), last


def fit_naturalness(data: batches.Batches, device: torch.device) -> Naturalness:
    """What is natural, of pristine views of every side of a run's photographs."""
    rows: list[Tensor] = []
    small: list[Tensor] = []
    sharp: list[Tensor] = []
    number = 0
    while sum(len(flags) for flags in small) < FITTED:
        for side in data.sides:
            found = data.pristine(number, side)
            pixels = (
                torch.from_numpy(np.stack([view for view, _ in found]))
                .permute(0, 3, 1, 2)
                .to(device)
            )
            rows.append(features(pixels.to(torch.float32)))
            sharp.append(sharpness(pixels))
            small.append(torch.tensor([flag for _, flag in found], device=device))
        number += 1
    return Naturalness(torch.cat(rows), torch.cat(small), torch.cat(sharp))


class Run:
    """The model, its average, the optimiser and how far they are."""

    def __init__(
        self,
        out: Path,
        device: torch.device,
        rate: float,
        half: bool,
        recipe: objective.Recipe,
        begin: Path | None = None,
    ) -> None:
        self.out, self.device, self.half, self.recipe = out, device, half, recipe
        self.nano = (export.load(begin) if begin else Nano()).to(self.device)
        self.average = copy.deepcopy(self.nano).eval()
        decayed = [p for p in self.nano.parameters() if p.ndim > 1]
        others = [p for p in self.nano.parameters() if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": DECAY},
            {"params": others, "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99))
        self.step, self.best = 0, -np.inf
        self._pairs = [
            (mean, now)
            for mean, now in zip(
                self.average.state_dict().values(), self.nano.state_dict().values(), strict=True
            )
            if mean.is_floating_point()
        ]
        self.file = out / "run.pt"
        if self.file.exists():
            self._resume()

    def learn(self, batch: batches.Batch, measured: objective.Measured, rate: float) -> Tensor:
        """One step; the parts of the loss before it."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.nano.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            F = self.nano(batch.views.to(torch.float32)).float()
        found = objective.loss(
            F,
            self.nano.anchors,
            self.nano.logit_scale.exp(),
            objective.wanted(batch, measured, self.recipe),
            batch.severities,
            self.recipe,
        )
        self.optimiser.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.nano.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        with torch.no_grad():
            self.nano.logit_scale.clamp_(max=LARGEST_SCALE)
            keep = min(AVERAGE, 1 - 1 / (self.step + 1))
            means, nows = zip(*self._pairs, strict=True)
            torch._foreach_lerp_(list(means), list(nows), 1 - keep)
        return torch.stack([part.detach() for part in found])

    def judge(self, heldout: HeldOut, line: dict[str, Any]) -> None:
        """Write how the averaged weights do on the held-out ladders; keep them if best so far."""
        found = heldout.judge(self.average, self.device, self.half)
        better = found["choice"] > self.best
        if better:
            self.best = found["choice"]
            export.save(copy.deepcopy(self.average).cpu(), self.out / "nano.safetensors")
        with (self.out / "log.jsonl").open("a") as log:
            log.write(json.dumps({**line, **found, "kept": better}) + "\n")
        print(json.dumps({**line, **found, "kept": better}), flush=True)

    def save(self) -> None:
        """What a resumed run needs; batches are drawn by their number, so no generator's state."""
        part = self.file.with_suffix(".part")
        torch.save(
            {
                "step": self.step,
                "best": self.best,
                "nano": self.nano.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            },
            part,
        )
        os.replace(part, self.file)

    def _resume(self) -> None:
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.step, self.best = state["step"], state["best"]
        self.nano.load_state_dict(state["nano"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])


def schedule(step: int, share: float) -> float:
    """Share of the learning rate: up in the beginning, level, down to nothing at the end."""
    return max(0.0, min(1.0, (step + 1) / WARM_UP, (1 - share) / FADE))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pristine", type=Path, help="folder of pictures, a folder 'kodak' in it")
    parser.add_argument("--out", type=Path, default=Path(".cache/nano"), help="folder of the run")
    parser.add_argument("--begin", type=Path, help="a file of weights to train on")
    parser.add_argument("--crops", type=int, default=400_000, help="crops to see in all")
    parser.add_argument("--seconds", type=float, help="end by the clock, whatever --crops says")
    parser.add_argument("--ladders", type=int, default=16, help="ladders a batch")
    parser.add_argument("--sides", type=int, nargs="+", default=[128, 160, 224], help="of crops")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--every", type=int, default=250, help="steps between evaluations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw batches")
    parser.add_argument("--half", action="store_true", help="bfloat16 in the tower")
    return parser.parse_args()


if __name__ == "__main__":
    main()
