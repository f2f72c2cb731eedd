"""The paper, Eq. 4-15, as pure functions of numpy arrays or torch tensors.

F is the unnormalised image embedding of each view, (views, D); anchors are the L2-normalised text
embeddings, (pairs, 2, D), positive text first. Every function keeps F's dtype and device, and is
differentiable where the array library is.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from array_api_compat import array_namespace

from magiqa.settings import Magnitude, Settings

Array: TypeAlias = Any

EPSILON = 1e-6  # Eq. 8: keeps a constant |F| from dividing by zero


class Cues(NamedTuple):
    """What the equations say of each view."""

    pairs: Array
    """(views, pairs), probability of each pair's positive text, 0..1."""
    similarity: Array
    """(views,), Q_sim, 0..1."""
    magnitude: Array
    """(views,), Q_mag, >= 0; no upper bound of 1."""
    weight: Array
    """(views,), w_sim, 0..1."""
    score: Array
    """(views,), Q, between similarity and magnitude."""


def cues(F: Array, anchors: Array, logit_scale: float, settings: Settings) -> Cues:
    """All cues of each view and their fusion, Eq. 4-15."""
    pairs = pair_probabilities(F, anchors, logit_scale)
    xp = array_namespace(F)
    similarity = xp.mean(pairs, axis=-1)
    magnitude = magnitude_cue(F, settings.magnitude, settings.box_cox_lambda)
    if settings.weight == "adaptive":
        weight = adaptive_weight(
            similarity,
            magnitude,
            settings.alpha,
            settings.base_similarity,
            settings.base_magnitude,
        )
    else:
        weight = xp.full_like(similarity, settings.weight)
    return Cues(pairs, similarity, magnitude, weight, fuse(similarity, magnitude, weight))


def pair_probabilities(F: Array, anchors: Array, logit_scale: float) -> Array:
    """Eq. 4-6: (views, pairs), softmax within each pair of the cosines over tau = 1/logit_scale.

    A view's similarity is the mean over its pairs. An embedding of zeros is as near to both texts:
    one half.
    """
    xp = array_namespace(F)
    norm = xp.sqrt(xp.sum(F * F, axis=-1, keepdims=True))
    direction = F / xp.where(norm > 0, norm, xp.ones_like(norm))
    texts = xp.reshape(anchors, (-1, anchors.shape[-1]))
    # view by view: of many rows at once a BLAS rounds each by their number, and its threads spin
    cosines = xp.reshape(direction[:, None, :] @ texts.T, (-1, *anchors.shape[:2]))
    return _softmax(cosines * logit_scale)[..., 0]


def magnitude_cue(F: Array, kind: Magnitude = "box-cox", box_cox_lambda: float = 0.5) -> Array:
    """Eq. 7-10: (views,), mean over D of the Box-Cox-transformed, scale-free |F|.

    Scale-invariant: it measures the shape of |F|'s distribution. The ablations of Table 4 are
    "l1", mean |F|, and "l2", ||F||; both grow with F's scale.
    """
    xp = array_namespace(F)
    if kind == "l2":
        return xp.sqrt(xp.sum(F * F, axis=-1))
    if kind == "l1":
        return xp.mean(xp.abs(F), axis=-1)
    return xp.mean(box_cox(scale_free(F), box_cox_lambda), axis=-1)


def scale_free(F: Array) -> Array:
    """Eq. 7-8: (views, D), |F| over its standard deviation within the view."""
    xp = array_namespace(F)
    A = xp.abs(F)
    return A / (xp.std(A, axis=-1, correction=1, keepdims=True) + EPSILON)


def box_cox(A: Array, box_cox_lambda: float) -> Array:
    """Eq. 9 with offset 1: ((A + 1)^lambda - 1) / lambda; lambda = 0: log(A + 1)."""
    xp = array_namespace(A)
    if box_cox_lambda == 0.5:  # the paper's: a square root takes a tenth of the time
        return 2 * (xp.sqrt(A + 1) - 1)
    log = xp.log1p(A)
    # expm1(lambda log) is (A + 1)^lambda - 1 without cancellation when lambda is small
    return log if box_cox_lambda == 0 else xp.expm1(box_cox_lambda * log) / box_cox_lambda


def adaptive_weight(
    similarity: Array,
    magnitude: Array,
    alpha: float = 1.0,
    base_similarity: float = 1.0,
    base_magnitude: float = 0.6,
) -> Array:
    """Eq. 11-14: w_sim, (views,): the further similarity lies over magnitude, the larger."""
    xp = array_namespace(similarity)
    delta = similarity - magnitude
    logits = [base_similarity + alpha * delta, base_magnitude - alpha * delta]
    return _softmax(xp.stack(logits, axis=-1))[..., 0]


def fuse(similarity: Array, magnitude: Array, weight: Array) -> Array:
    """Eq. 15: w_sim Q_sim + w_mag Q_mag, with w_mag = 1 - w_sim."""
    return weight * similarity + (1 - weight) * magnitude


def _softmax(logits: Array) -> Array:
    xp = array_namespace(logits)
    exp = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
    return exp / xp.sum(exp, axis=-1, keepdims=True)
