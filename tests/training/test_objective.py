from __future__ import annotations

import pytest
import torch
from torch import Tensor

import objective
from batches import GARBAGE, LADDER, Batch
from magiqa import equations
from tower import PAIRS, Nano


def test_correlation_by_hand() -> None:
    first = torch.tensor([1.0, 2.0, 3.0])
    assert objective.correlation(first, 5 * first - 2).item() == pytest.approx(1)
    assert objective.correlation(first, torch.tensor([1.0, 3.0, 2.0])).item() == pytest.approx(0.5)


def test_ladder_ranks_by_hand() -> None:
    wanted = torch.tensor([0.9, 0.7, 0.5, 0.3, 0.1])
    flat = objective.ladder_ranks(torch.zeros(LADDER), wanted, 1)
    assert flat.item() == pytest.approx(0.693147, abs=1e-5)  # ln 2: no order at all
    right = objective.ladder_ranks(wanted, wanted, 1)
    assert right.item() < 0.01
    assert objective.ladder_ranks(-wanted, wanted, 1).item() > 4


def test_equal_targets_have_no_order() -> None:
    wanted = torch.full((LADDER,), 0.9)
    assert objective.ladder_ranks(torch.rand(LADDER), wanted, 1).item() == 0


def test_only_the_ladders_are_ranked() -> None:
    scores = torch.tensor([5.0, 4.0, 3.0, 2.0, 1.0, 99.0])  # the last is garbage
    assert objective.ladder_ranks(scores, torch.tensor([0.9, 0.7, 0.5, 0.3, 0.1, 0.03]), 1) < 0.01


def batch(good: Tensor, ladders: int, natural: Tensor) -> Batch:
    empty = torch.full((GARBAGE,), 0.03)
    pairs = torch.cat([good.repeat(ladders), empty])[:, None].repeat(1, len(PAIRS))
    nothing = torch.empty(0)
    severities = torch.linspace(0, 1, LADDER).repeat(ladders, 1)
    return Batch(nothing, pairs, severities, nothing, natural)


def test_descent_teaches_every_cue_its_own() -> None:
    torch.manual_seed(0)
    nano = Nano()
    known = batch(torch.linspace(0.95, 0.05, LADDER), 2, torch.tensor([0.9, 0.2, 0.6]))
    F = torch.randn(2 * LADDER + GARBAGE, 128, requires_grad=True)
    medley = torch.randn(3, 128, requires_grad=True)
    optimiser = torch.optim.Adam([F, medley, *nano.parameters()], lr=0.03)
    for _ in range(200):
        found = objective.loss(F, medley, nano.anchors, nano.logit_scale.exp(), known)
        optimiser.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    scale = float(nano.logit_scale.detach().exp())
    cues = equations.cues(F.detach(), nano.anchors[:5], scale, objective.SETTINGS)
    for cue in (cues.similarity, cues.magnitude, cues.score):
        ladders = cue[: 2 * LADDER].view(2, LADDER)
        assert (ladders.diff(dim=1) < 0).all()
    low, high = objective.MAGNITUDE_RANGE
    aim = low + (high - low) * known.natural
    others = equations.cues(medley.detach(), nano.anchors[:5].detach(), scale, objective.SETTINGS)
    assert others.magnitude.tolist() == pytest.approx(aim.tolist(), abs=0.05)
    assert others.similarity.argsort().tolist() == known.natural.argsort().tolist()
    assert cues.magnitude[-GARBAGE:].tolist() == pytest.approx([low] * GARBAGE, abs=0.05)


def test_scores_are_ranked_where_targets_saturate() -> None:
    torch.manual_seed(0)
    anchors = Nano().anchors.detach()
    known = batch(torch.tensor([0.9, 0.5, 0.1, 0.1, 0.1]), 1, torch.rand(2))
    F, medley = torch.randn(LADDER + GARBAGE, 128), torch.randn(2, 128)
    score = equations.cues(F[:LADDER], anchors[:5], 10.0, objective.SETTINGS).score
    falling = score.argsort(descending=True).tolist()
    right, wrong = (
        objective.loss(F[[*rungs, 5, 6]], medley, anchors, 10.0, known).ranks
        for rungs in (falling, [falling[at] for at in (0, 1, 4, 3, 2)])
    )
    assert wrong - right > 0.01
