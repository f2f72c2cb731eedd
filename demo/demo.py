"""`make demo`: score photographs as they are and step by step worse, and write the report.

`make demo PICTURES=DIR` scores a folder of your own instead. The backbone is `nano`, which comes
with magiqa: nothing is downloaded.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

FOLDER = Path(".cache", "demo")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
STEPS = {"blur": (1.0, 2.0, 4.0), "noise": (8.0, 20.0, 45.0), "JPEG": (50, 20, 7)}

NOTICE = """
Backbone nano: small, trained by magiqa without opinions, a rough guide (docs/nano.md).
The default of `magiqa score` is the paper's RN50, a download of 408 MB.
"""


def photographs() -> Iterator[tuple[str, Image.Image]]:
    """Photographs of scikit-image's wheel, and each at three steps of blur, noise and JPEG.

    Public domain: astronaut (NASA), rocket (SpaceX). CC0: chelsea (Stefan van der Walt), coffee
    (Rachel Michetti).
    """
    for name in PHOTOGRAPHS:
        photograph = Image.fromarray(getattr(skimage.data, name)())
        yield name, photograph
        for kind, strengths in STEPS.items():
            for step, strength in enumerate(strengths, start=1):
                yield f"{name}-{kind}-{step}", degraded(photograph, kind, strength)


def degraded(photograph: Image.Image, kind: str, strength: float) -> Image.Image:
    """Blurred by so many pixels, under noise of such a deviation, or JPEG of such a quality."""
    if kind == "blur":
        return photograph.filter(ImageFilter.GaussianBlur(strength))
    if kind == "noise":
        pixels = np.asarray(photograph)
        noise = np.random.default_rng(0).normal(0, strength, pixels.shape)
        return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))
    file = BytesIO()
    photograph.save(file, "JPEG", quality=round(strength))
    return Image.open(file)


def table(scores: Path) -> str:
    """A row a photograph: its score as it is, then at every step of every kind."""
    with scores.open(newline="") as file:
        by_name = {Path(row["source"]).stem: float(row["score"]) for row in csv.DictReader(file)}
    lines = ["".join([" " * 10, "as is", *(f"    {kind + ' 1, 2, 3':<17}" for kind in STEPS)])]
    for name in PHOTOGRAPHS:
        cells = [f"{name:10}{by_name[name]:.3f} "]
        for kind, strengths in STEPS.items():
            steps = range(1, len(strengths) + 1)
            cells.append(" ".join(f" {by_name[f'{name}-{kind}-{step}']:.3f}" for step in steps))
        lines.append("  ".join(cells))
    return "\n".join(line.rstrip() for line in lines)


def main() -> None:
    """Score, print, write the report; exit as the command does."""
    own = os.environ.get("PICTURES")
    shutil.rmtree(FOLDER, ignore_errors=True)
    pictures = Path(own) if own else FOLDER / "pictures"
    FOLDER.mkdir(parents=True)
    if not own:
        pictures.mkdir()
        for name, picture in photographs():
            picture.save(pictures / f"{name}.png")
    report, scores = FOLDER / "report.html", FOLDER / "scores.csv"
    command = ["magiqa", "score", str(pictures), "--backbone", "nano", "--report", str(report)]
    command += [] if own else ["-o", str(scores)]
    print("$", *command, flush=True)
    rows = None if own else subprocess.DEVNULL  # the table below says it better
    code = subprocess.run([sys.executable, "-m", *command], check=False, stdout=rows).returncode
    if code <= 1 and not own:
        print(f"\n{table(scores)}")
    print(f"{NOTICE}The report: {report.resolve()}")
    sys.exit(code)


if __name__ == "__main__":
    main()
