"""The judge of a run: views of held-out pictures on their ladders, kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

import ladders
import pristine
from distortions import KINDS
from distortions.pixels import Bytes
from ladders import Rung
from magiqa import equations
from measures import difference
from medley import Medley
from objective import SETTINGS
from tower import QUALITY_PAIRS, Nano

SIDE = 224
PICTURES = 6  # of the held-out ones: every other view is a thumbnail
GARBAGE = 40  # views of no picture
MEDLEY_VIEWS = 3  # of each of its pictures
MICRO = 64


class HeldOut:
    """Ladders of one view a picture, the middle window or the thumbnail; garbage; a medley."""

    def __init__(self, pictures: Sequence[Bytes], medley: Medley, workers: int = 0) -> None:
        chosen = pictures[:: max(1, len(pictures) // PICTURES)]
        jobs = [(picture, index, kind) for index, picture in enumerate(chosen) for kind in KINDS]
        if workers > 1:
            with ProcessPoolExecutor(workers) as pool:
                found = list(pool.map(_ladder, jobs, chunksize=8))
        else:
            found = list(map(_ladder, jobs))
        self.rungs = [rung for rungs, _, _ in found for rung in rungs]
        self.differences = np.concatenate([far for _, _, far in found])
        rng = np.random.default_rng(0)
        empty = [pristine.garbage(SIDE, SIDE, rng) for _ in range(GARBAGE)]
        numbers = range(len(medley.natural))
        self.natural = medley.natural
        others = [medley.view(n, SIDE, rng) for n in numbers for _ in range(MEDLEY_VIEWS)]
        self.views = np.stack([*(view for _, views, _ in found for view in views), *empty, *others])

    def scores(
        self, nano: Nano, device: torch.device, half: bool
    ) -> dict[str, NDArray[np.float64]]:
        """Similarity, magnitude and score of every view: ladders, garbage, the medley."""
        F = []
        with torch.inference_mode():
            for at in range(0, len(self.views), MICRO):
                views = torch.from_numpy(self.views[at : at + MICRO]).permute(0, 3, 1, 2)
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    F.append(nano(views.to(device, torch.float32)).float())
            scale = float(nano.logit_scale.exp())
            cues = equations.cues(torch.cat(F), nano.anchors[:QUALITY_PAIRS], scale, SETTINGS)
        return {
            name: getattr(cues, name).cpu().numpy().astype(np.float64)
            for name in ("similarity", "magnitude", "score")
        }

    def judge(self, nano: Nano, device: torch.device, half: bool = False) -> dict[str, float]:
        """How each score does.

        The share of ladders that fall at every step, the mean over families; the rank correlations
        with severity, with a full-reference measure and, over the medley, with NIQE; the share of
        garbage above the pristine views' 5th percentile. `choice`, by which weights are kept, is
        the mean of the first four over similarity and score, less the garbage of the score.
        """
        result = {}
        ends = np.cumsum([len(self.rungs), GARBAGE])
        pristine_ones = np.array([rung.level == 0 for rung in self.rungs])
        for name, scores in self.scores(nano, device, half).items():
            on_ladders, off, medley = np.split(scores, ends)
            shares = ladders.monotone_shares(self.rungs, on_ladders)
            floor = np.percentile(on_ladders[pristine_ones], 5)
            far = stats.spearmanr(self.differences, on_ladders).statistic
            whole = medley.reshape(-1, MEDLEY_VIEWS).mean(axis=1)
            result[f"{name}_monotone"] = float(np.mean(list(shares.values())))
            result[f"{name}_srcc"] = ladders.rank_correlation(self.rungs, on_ladders)
            result[f"{name}_reference"] = float(-far)
            result[f"{name}_natural"] = float(stats.spearmanr(self.natural, whole).statistic)
            result[f"{name}_garbage"] = float(np.mean(off >= floor))
        parts = [
            result[f"{name}_{part}"]
            for name in ("similarity", "score")
            for part in ("monotone", "srcc", "reference", "natural")
        ]
        result["choice"] = float(np.mean(parts)) - result["score_garbage"]
        return {name: round(value, 4) for name, value in result.items()}


def _ladder(job: tuple[Bytes, int, str]) -> tuple[list[Rung], Bytes, NDArray[np.float32]]:
    """A picture's views under one kind, and how far they are from the first."""
    picture, index, kind = job
    torch.set_num_threads(1)
    rungs, views = [], []
    for rung, view in ladders.degraded([_middle(picture)], [kind]):
        rungs.append(rung._replace(picture=index))
        small = pristine.thumbnail(view, SIDE) if index % 2 else view[112:336, 112:336]
        views.append(small)
    pixels = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
    far = difference(pixels[:1].expand_as(pixels), pixels).numpy()
    return rungs, np.stack(views), far


def _middle(picture: Bytes) -> Bytes:
    """The middle 448x448 of a picture."""
    top, left = (picture.shape[0] - 2 * SIDE) // 2, (picture.shape[1] - 2 * SIDE) // 2
    return picture[top : top + 2 * SIDE, left : left + 2 * SIDE]
