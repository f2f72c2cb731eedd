"""What the benchmarks run on, made once: checkpoints and JPEG files of the tests' recipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / ".cache" / "benchmarks"
CHECKPOINTS = FOLDER.with_name("checkpoints")  # the tests' own
WARM_CACHE = FOLDER / "magiqa"
"""A MAGIQA_CACHE that is kept from run to run."""
PICTURES = {"512x384": 100, "1024x768": 2}


def prepare() -> None:
    """Make what is missing, in another process: a child's peak memory begins at its parent's."""
    subprocess.run([sys.executable, __file__], check=True)


def checkpoint(architecture: str) -> Path:
    return CHECKPOINTS / f"{architecture}.safetensors"


def pictures(size: str) -> list[Path]:
    return [FOLDER / f"{size}-{seed:03}.jpg" for seed in range(PICTURES[size])]


def _make() -> None:
    from PIL import Image

    from recipe import checkpoint_file, picture

    for architecture in ("RN50", "tiny-resnet"):
        checkpoint_file(architecture, CHECKPOINTS)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for size in PICTURES:
        width, height = map(int, size.split("x"))
        for seed, path in enumerate(pictures(size)):
            if not path.exists():
                Image.fromarray(picture(height, width, seed)).save(path, quality=90)


if __name__ == "__main__":
    _make()
