"""What is minimised: the pairs' cross-entropy, ranks along ladders and across, the magnitude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from batches import GARBAGE, LADDER, Batch
from magiqa import equations
from magiqa.settings import Settings
from measures import difference
from naturalness import Naturalness, features
from targets import Wanted, all_pairs
from tower import QUALITY_PAIRS

SETTINGS = Settings()  # the paper's fusion constants
MAGNITUDE_RANGE = (0.25, 1.0)  # the magnitude cue's targets: it is fused with a similarity in 0..1
SOFTNESS = 0.05  # of a rank: this much difference between two scores is clear
APART = 0.01  # of a step: two targets or severities nearer than this have no order


@dataclass(frozen=True, slots=True)
class Recipe:
    """What targets are made of and what each part of the loss weighs."""

    visible: float = 0.65
    """Share of a fault that is read off the view, the rest off the severity."""
    natural: float = 0.5
    """Share of the magnitude's target that is how natural the view is, the rest how good."""
    attributes: float = 2.0
    ranks: float = 2.0
    agreement: float = 0.5
    magnitude: float = 2.0


class Measured(NamedTuple):
    """What is measured of the views of a batch, once for all networks that learn from it."""

    difference: Tensor
    """(N,), 0..1: how far a view is from its pristine self; 1 for garbage."""
    natural: Tensor
    """(N,), 0..1, of photographs; 0 for garbage."""


class Loss(NamedTuple):
    """The sum that is minimised and its parts, unweighted."""

    total: Tensor
    quality: Tensor
    attributes: Tensor
    ranks: Tensor
    agreement: Tensor
    magnitude: Tensor


def measure(batch: Batch, naturalness: Naturalness) -> Measured:
    """Measure a batch, where its tensors are."""
    views = batch.views.to(torch.float32)
    ladders = len(batch.severities)
    firsts = torch.arange(ladders, device=views.device).repeat_interleave(LADDER) * LADDER
    far = difference(views[firsts], views[: ladders * LADDER])
    natural = naturalness(features(views), batch.small)
    natural[ladders * LADDER :] = 0
    return Measured(torch.cat([far, far.new_ones(GARBAGE)]), natural)


def wanted(batch: Batch, measured: Measured, recipe: Recipe) -> Wanted:
    """The targets of a measured batch."""
    pairs = all_pairs(batch.faults, measured.difference, batch.attributes, recipe.visible)
    pairs[-GARBAGE:, [QUALITY_PAIRS + 1, QUALITY_PAIRS + 3]] = 0.5  # is noise clean, is black sharp
    good = pairs[:, 0]
    blend = recipe.natural * measured.natural + (1 - recipe.natural) * good
    drawn = ~batch.photo
    drawn[-GARBAGE:] = False
    return Wanted(pairs, torch.where(drawn, good, blend))  # a clean drawing is not natural


def loss(
    F: Tensor, anchors: Tensor, logit_scale: Any, wanted: Wanted, severities: Tensor, recipe: Recipe
) -> Loss:
    """Of embeddings F (N, D), ladder by ladder and garbage last, and their targets.

    `severities` (ladders, LADDER) are the known order: it goes on where targets saturate.
    """
    pairs = equations.pair_probabilities(F, anchors, logit_scale)
    cross = nn_f.binary_cross_entropy(pairs, wanted.pairs, reduction="none")
    entropy = nn_f.binary_cross_entropy(wanted.pairs, wanted.pairs, reduction="none")
    cross = (cross - entropy).mean(dim=0)  # zero where the network says what it is asked
    quality, attributes = cross[:QUALITY_PAIRS].mean(), cross[QUALITY_PAIRS:].mean()
    cues = equations.cues(F, anchors[:QUALITY_PAIRS], logit_scale, SETTINGS)
    good = wanted.pairs[:, 0]
    both = (
        (cues.similarity, good),
        (cues.magnitude, wanted.magnitude),
        (cues.score, (good + wanted.magnitude) / 2),
    )
    agreement = sum((1 - correlation(*each) for each in both), F.new_zeros(())) / 3
    ladders, known = len(severities), -severities.flatten()
    ranks = sum((ladder_ranks(cue, known, ladders) for cue, _ in both), F.new_zeros(())) / 3
    columns = range(QUALITY_PAIRS, pairs.shape[1])
    own = (ladder_ranks(pairs[:, at], wanted.pairs[:, at], ladders) for at in columns)
    ranks = ranks + sum(own, F.new_zeros(())) / len(columns) / 3
    low, high = MAGNITUDE_RANGE
    aim = low + (high - low) * wanted.magnitude
    magnitude = nn_f.smooth_l1_loss(cues.magnitude, aim, beta=0.1)
    total = (
        quality
        + recipe.attributes * attributes
        + recipe.ranks * ranks
        + recipe.agreement * agreement
        + recipe.magnitude * magnitude
    )
    return Loss(total, quality, attributes, ranks, agreement, magnitude)


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
