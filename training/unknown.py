"""Agreement with NIQE on pictures of no known history: `unknown.py FOLDER WEIGHTS...`.

No opinion takes part. Small pictures are passed by, large ones cut to their middle.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scipy import stats

import pristine
from distortions.pixels import Bytes
from magiqa import Scorer
from magiqa.errors import PictureError
from magiqa.evaluate.rivals.niqe import Niqe

SMALLEST = 230  # pixels of a side
LARGE, MIDDLE = 800, 640  # pixels: what is longer is cut to so much of its middle


def judged(folder: Path) -> tuple[list[Bytes], list[float]]:
    """Different pictures of a folder and NIQE of each; those without are passed by."""
    niqe = Niqe()
    found: dict[bytes, tuple[Bytes, float]] = {}
    for path in pristine.files(folder):
        try:
            picture = _middle(pristine.read(path))
            if min(picture.shape[:2]) >= SMALLEST and picture.tobytes() not in found:
                found[picture.tobytes()] = (picture, niqe(picture))
        except (OSError, PictureError):  # packages hold broken and flat ones too
            continue
    pictures, values = zip(*found.values(), strict=True)
    return list(pictures), list(values)


def agreement(scorer: Scorer, pictures: list[Bytes], niqe: list[float]) -> dict[str, float]:
    """SRCC of each cue with NIQE, which is lower for the better, turned round: -1..1."""
    scores = list(scorer.score_many(pictures))
    return {
        cue: -float(stats.spearmanr([getattr(score, cue) for score in scores], niqe).statistic)
        for cue in ("score", "similarity", "magnitude")
    }


def _middle(picture: Bytes) -> Bytes:
    if max(picture.shape) <= LARGE:
        return picture
    top, left = (max(0, length - MIDDLE) // 2 for length in picture.shape[:2])
    return picture[top : top + MIDDLE, left : left + MIDDLE].copy()


if __name__ == "__main__":
    known = judged(Path(sys.argv[1]))
    print(f"{len(known[0])} pictures")
    for name in sys.argv[2:]:
        found = agreement(Scorer(weights=Path(name)), *known)
        print(name, *(f"{cue} {value:.3f}" for cue, value in found.items()), flush=True)
