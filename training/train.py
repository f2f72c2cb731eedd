"""`make train-nano`: from a folder of pristine pictures to nano.safetensors, without a human score.

A run is named by its output folder: `medley/` and `heldout/` (drawn first), `run.pt` (to resume
from), `log.jsonl` (a line an evaluation), `nano.safetensors` (the averaged weights that did best).
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import batches
import export
import medley
import objective
import pristine
from heldout import HeldOut
from medley import Source
from tower import Nano

AVERAGE = 0.997  # of the weights, a step
WARM_UP = 150  # steps
FADE = 0.6  # share of the run, its end, over which the learning rate falls to nothing
DECAY = 0.05  # of weights
LARGEST_SCALE = 4.6  # ln 100, CLIP's own limit of logit_scale
JUDGED = 400  # pictures of the medley that runs are judged by
SIDES = (128, 128, 160, 224)  # each as likely


def main() -> None:
    """Train, or go on with a run that was cut off."""
    given = _arguments()
    torch.set_num_threads(given.threads)
    photographs, artworks, held = map(pristine.load, pristine.pictures(given.pristine))
    given.out.mkdir(parents=True, exist_ok=True)
    device = torch.device(given.device)
    source = Source(photographs, artworks)
    found = medley.drawn(given.out / "medley", source, given.seed, given.medley, given.workers)
    data = batches.Batches(photographs, found, given.seed, given.ladders, tuple(given.sides))
    other = medley.drawn(given.out / "heldout", Source(held, ()), 2**32, JUDGED, given.workers)
    heldout = HeldOut(held, other, given.workers)
    torch.manual_seed(given.seed)  # here: drawing a medley takes numbers of torch's generator
    run = Run(given.out, device, given.rate, given.half, given.begin)
    begun, parts = time.monotonic(), []
    for batch, share in stream(data, run.step, given.workers, given.steps):
        parts.append(run.learn(batch.to(device), given.rate * schedule(run.step, share)))
        if run.step % given.every == 0 or share >= 1:
            means = torch.stack(parts).mean(dim=0).tolist()
            line = {"step": run.step, "seconds_since_last": round(time.monotonic() - begun, 1)}
            line |= {k: round(v, 4) for k, v in zip(objective.Loss._fields, means, strict=True)}
            run.judge(heldout, line)
            run.save()
            begun, parts = time.monotonic(), []


def stream(
    data: batches.Batches, step: int, workers: int, steps: int
) -> Iterator[tuple[batches.Batch, float]]:
    """Batches from number `step` on, each with the share of the run that is over after it."""
    loader: DataLoader[batches.Batch] = DataLoader(
        data,  # type: ignore[arg-type]
        sampler=range(step, steps),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    for number, batch in enumerate(loader, start=step + 1):
        yield batch, number / steps


class Run:
    """The model, its average, the optimiser and how far they are."""

    def __init__(
        self,
        out: Path,
        device: torch.device,
        rate: float,
        half: bool,
        begin: Path | None = None,
    ) -> None:
        self.out, self.device, self.half = out, device, half
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

    def learn(self, batch: batches.Batch, rate: float) -> Tensor:
        """One step; the parts of the loss before it."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.nano.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            F, G = (
                self.nano(views.to(torch.float32)).float() for views in (batch.views, batch.medley)
            )
        scale = self.nano.logit_scale.exp()
        found = objective.loss(F, G, self.nano.anchors, scale, batch)
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
        """Write how the averaged weights do on what is held out; keep them if best so far."""
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
    parser.add_argument("--steps", type=int, default=10_000, help="batches to see in all")
    parser.add_argument("--medley", type=int, default=12_000, help="pictures of the medley")
    parser.add_argument("--ladders", type=int, default=6, help="ladders a batch")
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES, help="of ladders' views")
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate")
    parser.add_argument("--every", type=int, default=400, help="steps between evaluations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--half", action="store_true", help="bfloat16 in the tower")
    return parser.parse_args()


if __name__ == "__main__":
    main()
