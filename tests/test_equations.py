"""Laws of the equations, and one case of each that can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from magiqa import Settings, equations
from magiqa.settings import Magnitude

NUMBERS = st.floats(-50, 50, width=32)
EMBEDDINGS = arrays(np.float64, (3, 6), elements=NUMBERS)


def unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = values + 0.01
    unit_values: NDArray[np.float64] = values / np.linalg.norm(values, axis=-1, keepdims=True)
    return unit_values


ANCHORS = arrays(np.float64, (2, 2, 6), elements=st.floats(0, 10, width=32)).map(unit)


def test_similarity_by_hand() -> None:
    # F along x; the positive text is x, the negative y: cosines 1 and 0, softmax of (ln 3, 0)
    anchors = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    probabilities = equations.pair_probabilities(np.array([[5.0, 0.0]]), anchors, math.log(3))
    assert probabilities == pytest.approx(np.array([[0.75]]))


def test_magnitude_by_hand() -> None:
    # |F| = 3, 8: sample deviation sqrt(12.5); sqrt transform 2 (sqrt(A + 1) - 1)
    sigma = math.sqrt(12.5)
    wanted = (2 * math.sqrt(3 / sigma + 1) - 2 + 2 * math.sqrt(8 / sigma + 1) - 2) / 2
    assert equations.magnitude_cue(np.array([[3.0, -8.0]])) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("kind", "wanted"), [("l1", 3.5), ("l2", 5.0)])
def test_l1_is_a_mean_and_l2_a_norm(kind: Magnitude, wanted: float) -> None:
    assert equations.magnitude_cue(np.array([[3.0, -4.0]]), kind) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("box_cox_lambda", "wanted"), [(0, math.log(4)), (0.5, 2), (1, 3), (2, 7.5), (-1, 0.75)]
)
def test_box_cox_of_three(box_cox_lambda: float, wanted: float) -> None:
    assert equations.box_cox(np.array(3.0), box_cox_lambda) == pytest.approx(wanted)


def test_box_cox_meets_the_logarithm_near_zero() -> None:
    values = np.linspace(0, 100, 50)
    np.testing.assert_allclose(equations.box_cox(values, 1e-12), np.log1p(values), rtol=1e-9)


def test_epsilon_bounds_a_constant_magnitude() -> None:
    # sigma = 0: A~ = 2 / 1e-6, lambda 1 leaves it as it is
    constant = np.array([[2.0, -2.0, 2.0, -2.0]])
    assert equations.magnitude_cue(constant, box_cox_lambda=1.0) == pytest.approx(2e6)


def test_weight_by_hand() -> None:
    # similarity 0.5, magnitude 0.3: logits 1.2 and 0.4
    weight = equations.adaptive_weight(np.array([0.5]), np.array([0.3]))
    assert weight == pytest.approx(1 / (1 + math.exp(-0.8)))


def test_fusion_by_hand() -> None:
    assert equations.fuse(np.array(0.5), np.array(0.3), np.array(0.25)) == pytest.approx(0.35)


def test_an_embedding_of_zeros_sides_with_no_text() -> None:
    anchors = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    cues = equations.cues(np.zeros((1, 2)), anchors, 100.0, Settings())
    assert cues.similarity == pytest.approx(0.5)
    assert cues.magnitude == pytest.approx(0)


@given(EMBEDDINGS, ANCHORS)
def test_a_views_score_lies_between_its_cues(
    F: NDArray[np.float64], anchors: NDArray[np.float64]
) -> None:
    cues = equations.cues(F, anchors, 100.0, Settings())
    low = np.minimum(cues.similarity, cues.magnitude)
    high = np.maximum(cues.similarity, cues.magnitude)
    assert (low - 1e-9 * (1 + high) <= cues.score).all()
    assert (cues.score <= high + 1e-9 * (1 + high)).all()


@given(EMBEDDINGS, ANCHORS)
def test_swapping_the_texts_of_the_pairs_gives_one_minus_similarity(
    F: NDArray[np.float64], anchors: NDArray[np.float64]
) -> None:
    there = equations.pair_probabilities(F, anchors, 100.0)
    back = equations.pair_probabilities(F, anchors[:, ::-1], 100.0)
    np.testing.assert_allclose(there + back, 1, atol=1e-9)


@given(arrays(np.float64, (3, 6), elements=st.floats(0.5, 50)), st.floats(1.5, 1000))
def test_magnitude_has_no_scale(F: NDArray[np.float64], factor: float) -> None:
    F[:, 0] += 60  # away from a constant |F|, where epsilon rules
    once = equations.magnitude_cue(F)
    np.testing.assert_allclose(equations.magnitude_cue(F * factor), once, rtol=1e-4)


@given(EMBEDDINGS, ANCHORS, st.permutations(range(3)))
def test_each_view_is_its_own(
    F: NDArray[np.float64], anchors: NDArray[np.float64], order: list[int]
) -> None:
    straight = equations.cues(F, anchors, 100.0, Settings())
    shuffled = equations.cues(F[order], anchors, 100.0, Settings())
    np.testing.assert_allclose(shuffled.score, straight.score[order], rtol=1e-9)


@pytest.mark.parametrize(("weight", "cue"), [(1, "similarity"), (0, "magnitude")])
def test_one_cue_alone_is_a_fixed_weight(weight: float, cue: str) -> None:
    F = np.random.default_rng(0).normal(size=(4, 6))
    cues = equations.cues(F, unit(F[None, :2]), 100.0, Settings(weight=weight))
    np.testing.assert_array_equal(cues.score, getattr(cues, cue))


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(box_cox_lambda=0),
        Settings(weight=0.2),
        Settings(weight=0, magnitude="l1"),
        Settings(weight=0, magnitude="l2"),
    ],
)
def test_torch_gives_numpys_numbers_and_gradients(settings: Settings) -> None:
    rng = np.random.default_rng(1)
    F, anchors = rng.normal(size=(3, 8)), unit(rng.normal(size=(2, 2, 8)))
    tensor = torch.tensor(F, requires_grad=True)
    ours = equations.cues(tensor, torch.tensor(anchors), 100.0, settings)
    for got, wanted in zip(ours, equations.cues(F, anchors, 100.0, settings), strict=True):
        np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=1e-9)
    ours.score.sum().backward()
    assert tensor.grad is not None
    assert tensor.grad.isfinite().all()
    assert tensor.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(box_cox_lambda=0),
        Settings(weight=0.3, alpha=2),
        Settings(weight=0, magnitude="l1"),
        Settings(weight=0, magnitude="l2"),
    ],
)
def test_gradients_are_those_of_the_function(settings: Settings) -> None:
    generator = torch.Generator().manual_seed(0)
    F = torch.randn((3, 8), generator=generator, dtype=torch.float64)
    texts = torch.randn((2, 2, 8), generator=generator, dtype=torch.float64)
    texts = texts / texts.norm(dim=-1, keepdim=True)

    def every_cue(F: torch.Tensor) -> tuple[torch.Tensor, ...]:
        cues = equations.cues(F, texts, 5.0, settings)
        return tuple(each for each in cues if each.requires_grad)  # a fixed weight has none

    assert torch.autograd.gradcheck(every_cue, F.requires_grad_())
