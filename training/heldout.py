"""The judge of a run: views of held-out pictures on their ladders, kept in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

import ladders
import pristine
from batches import garbage
from distortions import KINDS
from distortions.pixels import Bytes
from magiqa import equations
from objective import SETTINGS
from tower import QUALITY_PAIRS, Nano

SIDE = 224
PICTURES = 6  # of the held-out ones: every other view is a thumbnail
KINDS_USED = tuple(  # every other kind, all of the aimed families
    name
    for at, (name, kind) in enumerate(KINDS.items())
    if kind.family in ladders.AIMED or at % 2 == 0
)
MICRO = 32


class HeldOut:
    """Ladders of one view a picture: the middle window, or the thumbnail, in turn."""

    def __init__(self, pictures: Sequence[Bytes]) -> None:
        chosen = pictures[:: max(1, len(pictures) // PICTURES)]
        found = list(ladders.degraded([_middle(picture) for picture in chosen], KINDS_USED))
        self.rungs = [rung for rung, _ in found]
        thumb = [rung.picture % 2 == 1 for rung in self.rungs]
        views = [
            pristine.thumbnail(view, SIDE) if small else view[112:336, 112:336]
            for small, (_, view) in zip(thumb, found, strict=True)
        ]
        rng = np.random.default_rng(0)
        views += [garbage(SIDE, rng) for _ in range(40)]
        self.views = np.stack(views)

    def judge(self, nano: Nano, device: torch.device, half: bool = False) -> dict[str, float]:
        """Shares of monotone ladders and rank correlations of all three scores.

        `choice`, by which weights are kept, is the mean over the three scores of the rank
        correlation and the share of monotone ladders in the aimed families, less the share of
        garbage above the pristine views' 5th percentile.
        """
        F = []
        with torch.inference_mode():
            for at in range(0, len(self.views), MICRO):
                views = torch.from_numpy(self.views[at : at + MICRO]).permute(0, 3, 1, 2)
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    F.append(nano(views.to(device, torch.float32)).float())
            scale = float(nano.logit_scale.exp())
            cues = equations.cues(torch.cat(F), nano.anchors[:QUALITY_PAIRS], scale, SETTINGS)
        result = {}
        for name in ("similarity", "magnitude", "score"):
            scores = getattr(cues, name).cpu().numpy()
            on_ladders, off = scores[: len(self.rungs)], scores[len(self.rungs) :]
            shares = ladders.monotone_shares(self.rungs, on_ladders)
            pristine_scores = [
                s for r, s in zip(self.rungs, on_ladders, strict=True) if not r.level
            ]
            result[f"{name}_monotone"] = float(np.mean([shares[f] for f in ladders.AIMED]))
            result[f"{name}_srcc"] = ladders.rank_correlation(self.rungs, on_ladders)
            result[f"{name}_garbage"] = float(np.mean(off >= np.percentile(pristine_scores, 5)))
        signs = {"monotone": 1 / 6, "srcc": 1 / 6, "garbage": -1 / 6}
        result["choice"] = sum(
            signs[name.rsplit("_", 1)[1]] * value for name, value in result.items()
        )
        return {name: round(value, 4) for name, value in result.items()}


def _middle(picture: Bytes) -> Bytes:
    """The middle 448x448 of a picture."""
    top, left = (picture.shape[0] - 2 * SIDE) // 2, (picture.shape[1] - 2 * SIDE) // 2
    return picture[top : top + 2 * SIDE, left : left + 2 * SIDE]
