from __future__ import annotations

import pytest
import torch

import objective
import recipe
from batches import GARBAGE, LADDER, Batches
from magiqa import equations
from naturalness import Naturalness, features
from objective import Recipe
from targets import Wanted
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


def test_descent_teaches_all_three_scores() -> None:
    torch.manual_seed(0)
    nano = Nano()
    targets = torch.linspace(0.95, 0.05, LADDER)[:, None].repeat(2, len(PAIRS))
    wanted = Wanted(targets, targets[:, 0])
    known = torch.linspace(0, 1, LADDER).repeat(2, 1)
    F = torch.randn(2 * LADDER, 128, requires_grad=True)
    optimiser = torch.optim.Adam([F, *nano.parameters()], lr=0.03)
    for _ in range(150):
        found = objective.loss(F, nano.anchors, nano.logit_scale.exp(), wanted, known, Recipe())
        optimiser.zero_grad()
        found.total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    scale = float(nano.logit_scale.detach().exp())
    cues = equations.cues(F, nano.anchors[:5], scale, objective.SETTINGS)
    for cue in (cues.similarity, cues.magnitude, cues.score):
        ladders = cue.detach().view(2, LADDER)
        assert (ladders.diff(dim=1) < 0).all()
    low, high = objective.MAGNITUDE_RANGE
    aim = low + (high - low) * targets[:, 0]
    assert cues.magnitude.tolist() == pytest.approx(aim.tolist(), abs=0.08)


def test_scores_are_ranked_where_targets_saturate() -> None:
    torch.manual_seed(0)
    nano = Nano()
    targets = torch.tensor([0.9, 0.5, 0.1, 0.1, 0.1])[:, None].repeat(1, len(PAIRS))
    wanted = Wanted(targets, targets[:, 0])
    anchors, known = nano.anchors.detach(), torch.linspace(0, 1, LADDER)[None]
    F = torch.randn(LADDER, 128)
    score = equations.cues(F, anchors[:5], 10.0, objective.SETTINGS).score
    F = F[score.argsort(descending=True)]
    right, wrong = (
        objective.loss(F[rungs], anchors, 10.0, wanted, known, Recipe()).ranks
        for rungs in ([0, 1, 2, 3, 4], [0, 1, 4, 3, 2])
    )
    assert right < wrong


def test_a_batch_is_measured_once_for_every_recipe() -> None:
    pictures = tuple(recipe.picture(150, 200, seed) for seed in range(2))
    batch = Batches(pictures, (), seed=1, ladders=3, sides=(64,))[0]
    rows = features(torch.rand(200, 3, 32, 32) * 255)
    small = torch.arange(200) % 2 == 0
    measured = objective.measure(batch, Naturalness(rows, small, torch.rand(200)))
    assert measured.difference[: 3 * LADDER : LADDER].tolist() == pytest.approx([0] * 3, abs=1e-6)
    assert (measured.difference[-GARBAGE:] == 1).all()
    assert (measured.natural[-GARBAGE:] == 0).all()

    known = objective.wanted(batch, measured, Recipe(natural=0))
    assert torch.equal(known.magnitude, known.pairs[:, 0])
    assert known.pairs[-GARBAGE:, :5].max() < 0.04
    natural = objective.wanted(batch, measured, Recipe(natural=1))
    assert torch.equal(natural.pairs, known.pairs)
    assert torch.equal(natural.magnitude[batch.photo], measured.natural[batch.photo])
