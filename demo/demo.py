"""`make demo`: score public photographs as they are and degraded, and print the table.

There is no pretrained model in the repository yet, so this runs the random network of the golden
tests: everything is real but the numbers.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

import recipe

CHECKPOINTS = Path(__file__).parents[1] / ".cache" / "checkpoints"

NOTICE = """
These numbers come from a RANDOM network (the golden tests' tiny-resnet). They show that
magiqa runs on this machine, and say nothing about the pictures. With CLIP's released
weights, `magiqa score` downloads RN50 on first use and the numbers mean quality.
"""


def photographs() -> dict[str, Image.Image]:
    """Photographs from scikit-image's wheel: public domain (NASA, SpaceX) and CC0."""
    names = ("astronaut", "chelsea", "coffee", "rocket")
    return {name: Image.fromarray(getattr(skimage.data, name)()) for name in names}


def degraded(photograph: Image.Image) -> dict[str, Image.Image]:
    """The photograph blurred and noisy."""
    pixels = np.asarray(photograph)
    noise = np.random.default_rng(0).normal(0, 25, pixels.shape)
    return {
        "blurred": photograph.filter(ImageFilter.GaussianBlur(4)),
        "noisy": Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8)),
    }


def main() -> None:
    """Score the photographs and their degraded copies; exit as the command does."""
    weights = recipe.checkpoint_file("tiny-resnet", CHECKPOINTS)
    with tempfile.TemporaryDirectory() as folder:
        for name, photograph in photographs().items():
            photograph.save(Path(folder, f"{name}.png"))
            for kind, picture in degraded(photograph).items():
                picture.save(Path(folder, f"{name}-{kind}.png"))
        command = [sys.executable, "-m", "magiqa", "score", ".", "--weights", str(weights)]
        print("$ magiqa score . --weights tiny-resnet.safetensors", flush=True)
        code = subprocess.run(command, cwd=folder, check=False).returncode
    print(NOTICE)
    sys.exit(code)


if __name__ == "__main__":
    main()
