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


def large_pictures() -> dict[str, Path]:
    """12500x8000 pixels, stored upright and turned by EXIF."""
    return {name: FOLDER / f"large-{name}.jpg" for name in ("upright", "turned")}


def small_pictures(count: int) -> Path:
    """A folder of so many JPEG files of 256x256 pixels, crops of a few pictures."""
    folder = FOLDER / f"small-{count}"
    if not folder.exists():
        from PIL import Image

        from recipe import picture

        part = folder.with_suffix(".part")
        part.mkdir(exist_ok=True)
        large = Image.fromarray(picture(1200, 1200, seed=0))
        for number in range(count):
            left, top = 9 * (number % 100), 9 * (number // 100)
            crop = large.crop((left, top, left + 256, top + 256))
            crop.save(part / f"{number:05}.jpg", quality=90)
        part.rename(folder)
    return folder


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
    for name, path in large_pictures().items():
        if not path.exists():
            large = Image.fromarray(picture(1000, 1250, seed=0)).resize((12500, 8000))
            exif = Image.Exif()
            exif[0x0112] = 6 if name == "turned" else 1
            large.save(path, quality=90, exif=exif)


if __name__ == "__main__":
    _make()
