"""What is minimised: the pairs' cross-entropy, ranks along ladders and across, the magnitude."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from batches import LADDER
from magiqa import equations
from magiqa.settings import Settings
from tower import QUALITY_PAIRS

SETTINGS = Settings()  # the paper's fusion constants
MAGNITUDE_RANGE = (0.25, 1.0)  # the magnitude cue's targets: it is fused with a similarity in 0..1
SOFTNESS = 0.05  # of a rank: this much difference between two scores is clear
APART = 0.03  # of a step: two targets nearer than this have no order
ATTRIBUTES, RANKS, AGREEMENT, MAGNITUDE = 2.0, 1.0, 0.5, 2.0  # weights of the parts


class Loss(NamedTuple):
    """The sum that is minimised and its parts, unweighted."""

    total: Tensor
    quality: Tensor
    attributes: Tensor
    ranks: Tensor
    agreement: Tensor
    magnitude: Tensor


def loss(F: Tensor, anchors: Tensor, logit_scale: Any, targets: Tensor, ladders: int) -> Loss:
    """Of embeddings F (N, D), ladder by ladder and garbage last, and targets (N, pairs), 0..1."""
    pairs = equations.pair_probabilities(F, anchors, logit_scale)
    cross = nn_f.binary_cross_entropy(pairs, targets, reduction="none")
    entropy = nn_f.binary_cross_entropy(targets, targets, reduction="none")
    cross = (cross - entropy).mean(dim=0)  # zero where the network says what it is asked
    quality, attributes = cross[:QUALITY_PAIRS].mean(), cross[QUALITY_PAIRS:].mean()
    cues = equations.cues(F, anchors[:QUALITY_PAIRS], logit_scale, SETTINGS)
    scores = (cues.similarity, cues.magnitude, cues.score)
    wanted = targets[:, 0]
    ranks = sum(((ladder_ranks(score, wanted, ladders)) for score in scores), F.new_zeros(()))
    agreement = sum((1 - correlation(score, wanted) for score in scores), F.new_zeros(()))
    low, high = MAGNITUDE_RANGE
    aim = low + (high - low) * wanted
    magnitude = nn_f.smooth_l1_loss(cues.magnitude, aim, beta=0.1)
    total = (
        quality
        + ATTRIBUTES * attributes
        + RANKS * ranks / 3
        + AGREEMENT * agreement / 3
        + MAGNITUDE * magnitude
    )
    return Loss(total, quality, attributes, ranks / 3, agreement / 3, magnitude)


def ladder_ranks(scores: Tensor, wanted: Tensor, ladders: int) -> Tensor:
    """Mean over all ordered pairs of rungs of how far the worse view is from scoring less."""
    rungs, aims = (x[: ladders * LADDER].view(ladders, LADDER) for x in (scores, wanted))
    better, worse = torch.triu_indices(LADDER, LADDER, offset=1)
    clear = (aims[:, better] - aims[:, worse] > APART).to(scores.dtype)
    rise = rungs[:, worse] - rungs[:, better]
    return (nn_f.softplus(rise / SOFTNESS) * clear).sum() / clear.sum().clamp(min=1)


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's correlation of two vectors, -1..1."""
    first, second = first - first.mean(), second - second.mean()
    norms = torch.linalg.vector_norm(first) * torch.linalg.vector_norm(second)
    found: Tensor = (first * second).sum() / norms.clamp(min=1e-6)
    return found
