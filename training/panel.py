"""Several recipes learn from the same batches, each twice: from all kinds, and from all but some.

Which recipe, and which of its weights, is chosen by what the second of each makes of the kinds that
it never saw, on pictures that no network saw. Drawing is dear and the network small: a panel takes
hardly longer than a run. Writes NAME.safetensors, NAME-SHARE.safetensors along the way, and
panel.jsonl.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import torch

import batches
import export
import objective
import pristine
from distortions import KINDS
from heldout import HeldOut
from objective import Recipe
from train import Run, fit_naturalness, schedule, stream

RECIPES = {
    "natural": Recipe(),
    "known": Recipe(natural=0.0),
}
UNSEEN = (  # one kind or more of each family, unlike those that are left
    "blur.motion",
    "noise.coarse",
    "noise.film_grain",
    "noise.lines",
    "compression.jpeg2000",
    "compression.webp",
    "rescaling.enlarged",
    "rescaling.aliased",
    "camera.smeared",
    "camera.snapshot",
    "ringing.ringing",
    "tone.haze",
    "tone.banding",
    "colour.palette",
    "structure.jitter",
    "structure.melted",
)
JUDGED = (0.55, 0.7, 0.85, 1.0)  # shares of the run


def main() -> None:
    """Train the panel until the time is over."""
    given = _arguments()
    started = time.monotonic()
    torch.set_num_threads(given.threads)
    torch.backends.cudnn.allow_tf32 = False  # measures subtract squares; the tower has --half
    device = torch.device(given.device)
    photographs, artworks, held = map(batches.load, pristine.pictures(given.pristine))
    given.out.mkdir(parents=True, exist_ok=True)
    heldout = HeldOut(held, given.workers)
    sides = tuple(given.sides)
    data = batches.Batches(photographs, artworks, given.seed, given.ladders, sides)
    naturalness = fit_naturalness(data, device)
    runs = {}
    for name, recipe in RECIPES.items():
        for unseen in (False, True):
            torch.manual_seed(given.seed)
            label = f"{name}-unseen" if unseen else name
            runs[label] = Run(given.out / label, device, given.rate, given.half, recipe)
    print(f"ready after {time.monotonic() - started:.0f} s", flush=True)
    steps, seconds = (given.steps, None) if given.steps else (0, given.seconds)
    size = given.ladders * batches.LADDER + batches.GARBAGE
    begun, due = time.monotonic(), list(JUDGED)
    waited, last = 0.0, time.monotonic()
    for batch, share in stream(data, 0, given.workers, steps, seconds):
        waited += time.monotonic() - last
        placed = batch.to(device)
        everything = objective.measure(placed, naturalness)
        fewer, rows = placed.without(UNSEEN)
        some = objective.Measured(*(values[rows] for values in everything))
        for label, run in runs.items():
            rate = given.rate * schedule(run.step, share)
            part = (fewer, some) if label.endswith("-unseen") else (placed, everything)
            parts = run.learn(*part, rate)
            if run.step % 250 == 0:
                means = dict(zip(objective.Loss._fields, parts.tolist(), strict=True))
                print(label, run.step, {k: round(v, 4) for k, v in means.items()}, flush=True)
        step = runs["natural"].step
        if step % 100 == 0:
            gone = time.monotonic() - begun
            speed = step * size / gone
            print(
                f"{step} steps, {speed:.0f} crops/s, waited {waited:.0f} of {gone:.0f} s",
                flush=True,
            )
        while due and share >= due[0]:
            at = due.pop(0)
            for label, run in runs.items():
                _keep(given.out, label, run, at, heldout, step * size)
        last = time.monotonic()


def _keep(out: Path, label: str, run: Run, share: float, heldout: HeldOut, crops: int) -> None:
    """Write the averaged weights, and how they do: on all kinds, on the unseen ones."""
    suffix = "" if share == 1 else f"-{share:.2f}"
    if share == 1 or not label.endswith("-unseen"):
        export.save(copy.deepcopy(run.average).cpu(), out / f"{label}{suffix}.safetensors")
    line: dict[str, Any] = {"run": label, "share": share, "crops": crops}
    for name, kinds in (("all", tuple(KINDS)), ("unseen", UNSEEN)):
        found = heldout.judge(run.average, run.device, run.half, kinds)
        line |= {f"{name}_{part}": value for part, value in found.items()}
    with (out / "panel.jsonl").open("a") as log:
        log.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pristine", type=Path, help="folder of pictures, a folder 'kodak' in it")
    parser.add_argument("--out", type=Path, default=Path(".cache/panel"))
    parser.add_argument("--seconds", type=float, default=285, help="of training")
    parser.add_argument("--steps", type=int, help="so many instead, the same on every machine")
    parser.add_argument("--ladders", type=int, default=64, help="ladders a batch")
    parser.add_argument(
        "--sides", type=int, nargs="+", default=[96, 128, 160, 224], help="of crops"
    )
    parser.add_argument("--rate", type=float, default=1.5e-3, help="learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=15)
    parser.add_argument("--half", action="store_true", help="bfloat16 in the tower")
    return parser.parse_args()


if __name__ == "__main__":
    main()
