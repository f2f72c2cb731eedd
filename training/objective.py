"""What is minimised: the pairs' cross-entropy, ranks along ladders, and NIQE by the magnitude."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from batches import GARBAGE, LADDER, Batch
from magiqa import equations
from magiqa.settings import Settings
from tower import QUALITY_PAIRS

SETTINGS = Settings()  # the paper's fusion constants
MAGNITUDE_RANGE = (0.25, 1.0)  # the magnitude cue's targets: it is fused with a similarity in 0..1
SOFTNESS = 0.05  # of a rank: this much difference between two scores is clear
APART = 0.01  # of a step: two targets or severities nearer than this have no order
SIMILAR = 0.5  # weight of the medley's order by NIQE in the similarity, the magnitude's is 1
WEIGHTS = {
    "attributes": 2.0,
    "ranks": 1.0,
    "agreement": 0.5,
    "magnitude": 4.0,
    "order": 1.0,
    "garbage": 0.2,
}


class Loss(NamedTuple):
    """The sum that is minimised and its parts, unweighted."""

    total: Tensor
    quality: Tensor
    attributes: Tensor
    ranks: Tensor
    agreement: Tensor
    magnitude: Tensor
    order: Tensor
    garbage: Tensor


def loss(F: Tensor, medley: Tensor, anchors: Tensor, logit_scale: Any, batch: Batch) -> Loss:
    """Of embeddings F (N, D) of a batch's ladders and garbage and (M, D) of its medley.

    The similarity is asked for known faults, and for NIQE's order of the medley; the magnitude for
    how natural NIQE finds it;
    along a ladder both, and their fusion, are ranked by the known severities, which go on where
    targets saturate.
    """
    pairs = equations.pair_probabilities(F, anchors, logit_scale)
    cross = nn_f.binary_cross_entropy(pairs, batch.pairs, reduction="none")
    entropy = nn_f.binary_cross_entropy(batch.pairs, batch.pairs, reduction="none")
    cross = (cross - entropy).mean(dim=0)  # zero where the network says what it is asked
    quality, attributes = cross[:QUALITY_PAIRS].mean(), cross[QUALITY_PAIRS:].mean()
    cues = equations.cues(F, anchors[:QUALITY_PAIRS], logit_scale, SETTINGS)
    agreement = 1 - correlation(cues.similarity, batch.pairs[:, 0])

    ladders, known = len(batch.severities), -batch.severities.flatten()
    three = (cues.similarity, cues.magnitude, cues.score)
    ranks = sum((ladder_ranks(cue, known, ladders) for cue in three), F.new_zeros(())) / 3
    columns = range(QUALITY_PAIRS, pairs.shape[1])
    own = (ladder_ranks(pairs[:, at], batch.pairs[:, at], ladders) for at in columns)
    ranks = ranks + sum(own, F.new_zeros(())) / len(columns) / 3

    others = equations.cues(medley, anchors[:QUALITY_PAIRS], logit_scale, SETTINGS)
    low, high = MAGNITUDE_RANGE
    aim = low + (high - low) * batch.natural
    magnitude = nn_f.smooth_l1_loss(others.magnitude, aim, beta=0.1)
    nothing = cues.magnitude[-GARBAGE:]
    empty = nn_f.smooth_l1_loss(nothing, torch.full_like(nothing, low), beta=0.1)
    order = 1 - correlation(others.magnitude, batch.natural)
    order = order + SIMILAR * (1 - correlation(others.similarity, batch.natural))
    total = (
        quality
        + WEIGHTS["attributes"] * attributes
        + WEIGHTS["ranks"] * ranks
        + WEIGHTS["agreement"] * agreement
        + WEIGHTS["magnitude"] * magnitude
        + WEIGHTS["order"] * order
        + WEIGHTS["garbage"] * empty
    )
    return Loss(total, quality, attributes, ranks, agreement, magnitude, order, empty)


def ladder_ranks(scores: Tensor, wanted: Tensor, ladders: int) -> Tensor:
    """Mean over all ordered pairs of rungs of how far the worse view is from scoring less."""
    rungs, aims = (x[: ladders * LADDER].view(ladders, LADDER) for x in (scores, wanted))
    better, worse = torch.triu_indices(LADDER, LADDER, offset=1, device=scores.device)
    clear = (aims[:, better] - aims[:, worse] > APART).to(scores.dtype)
    rise = rungs[:, worse] - rungs[:, better]
    return (nn_f.softplus(rise / SOFTNESS) * clear).sum() / clear.sum().clamp(min=1)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of two vectors, -1..1."""
    first, second = first - first.mean(), second - second.mean()
    norms = torch.linalg.vector_norm(first) * torch.linalg.vector_norm(second)
    found: Tensor = (first * second).sum() / norms.clamp(min=1e-6)
    return found
