"""A run to report on, and a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import Scorer, Settings
from magiqa.runs.pipeline import Run

if TYPE_CHECKING:
    pass

HOSTILE = "<img src=x onerror=alert(1)>.png"
SIZES = {
    "a.png": (300, 260),
    "b.png": (700, 500),
    "c.png": (240, 320),
    "deep/d.jpg": (256, 256),
    "small.png": (120, 90),
    HOSTILE: (280, 240),
    "x</script><script>alert(2)/e.png": (226, 230),
    "photo\u202egnp.exe.png": (224, 224),
}
"""Name -> width and height."""


def make_pictures(folder: Path) -> None:
    """Pictures of many sizes and names, some that earn warnings, and three that are none."""
    for seed, (name, (width, height)) in enumerate(SIZES.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(recipe.picture(height, width, seed)).save(path)
    Image.new("RGB", (320, 240), (40, 90, 160)).save(folder / "flat.png")
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "noise.png")
    (folder / "text.png").write_text("a text")
    (folder / "empty.png").touch()
    (folder / "cut.png").write_bytes((folder / "b.png").read_bytes()[:20_000])


def score(scorer: Scorer, output: Path, *sources: Path) -> Path:
    with Run(sources, scorer, output, restart=True) as run:
        for _ in run:
            pass
        run.finish()
    return output


@pytest.fixture(scope="session")
def covered(checkpoint: Path) -> Scorer:
    """A scorer whose windows reach the edges."""
    return Scorer(weights=checkpoint, settings=Settings(coverage="full"))


@pytest.fixture(scope="session")
def output(covered: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run, with its journal, beside the pictures."""
    folder = tmp_path_factory.mktemp("run")
    make_pictures(folder / "pictures")
    return score(covered, folder / "out.jsonl", folder / "pictures")
