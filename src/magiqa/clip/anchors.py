"""Prompt pairs -> anchors, their text embeddings: computed once and kept, or the file's own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load, save

from magiqa.clip import onnx_engine
from magiqa.clip.cache import remember
from magiqa.clip.releases import RELEASES
from magiqa.clip.tokenizer import token_ids
from magiqa.clip.towers import Floats
from magiqa.clip.weights import Checkpoint
from magiqa.errors import SettingsError, WeightsError
from magiqa.settings import PRESETS, PromptPair


class Anchors(NamedTuple):
    """What pictures are compared with."""

    embeddings: Floats
    """(pairs, 2, D), L2-normalised, the positive text first."""
    logit_scale: float
    """1 / tau of Eq. 6: the exponential of the checkpoint's parameter."""


def load_anchors(
    checkpoint: Checkpoint,
    pairs: Sequence[PromptPair],
    vocabulary: str | os.PathLike[str] | None = None,
) -> Anchors:
    """The anchors of prompt pairs, from the cache or from the checkpoint's text tower.

    `vocabulary` is needed for own texts alone, and for those of a released backbone it comes from
    the hub when it is None (clip/tokenizer.py). Raises SettingsError for texts that cannot be
    prompts, or that a checkpoint with anchors of its own has none for; WeightsError for a
    checkpoint whose text embeddings are not finite.
    """
    if checkpoint.architecture.anchors:
        return _stored(checkpoint, tuple(pairs))
    release = RELEASES.get(checkpoint.architecture.backbone)
    ids = token_ids([text for pair in pairs for text in pair], vocabulary, release)
    for pair, positive, negative in zip(pairs, ids[::2], ids[1::2], strict=True):
        if positive == negative:
            raise SettingsError(
                f"prompt pair - {pair[0]!r} and {pair[1]!r} are the same text to CLIP - give two "
                f"that differ"
            )
    name = hashlib.sha256(repr(ids).encode()).hexdigest()[:16]
    kept = checkpoint.cache / f"anchors-{name}-v{onnx_engine.GRAPH_VERSION}.safetensors"
    if kept.exists():
        stored = load(kept.read_bytes())
        return Anchors(stored["embeddings"], float(stored["logit_scale"]))
    embeddings = onnx_engine.encode_text(checkpoint, ids).reshape(len(pairs), 2, -1)
    directions = _directions(embeddings, f"{checkpoint.path} - its text tower gives")
    logit_scale = _logit_scale(checkpoint)
    remember(kept, save({"embeddings": directions, "logit_scale": np.asarray(logit_scale)}))
    return Anchors(directions, logit_scale)


def _stored(checkpoint: Checkpoint, pairs: tuple[PromptPair, ...]) -> Anchors:
    """The anchors that a checkpoint without a text tower holds for a preset."""
    architecture = checkpoint.architecture
    for preset in architecture.anchors:
        if PRESETS[preset] == pairs:
            embeddings = checkpoint.read(f"anchors.{preset}")
            directions = _directions(embeddings, f"{checkpoint.path} - anchors.{preset} holds")
            return Anchors(directions, _logit_scale(checkpoint))
    raise SettingsError(
        f"prompts - got {pairs[0]!r}{', ...' if len(pairs) > 1 else ''} - {architecture.backbone} "
        f"reads no texts, it learned what good means: choose from "
        f"{', '.join(architecture.anchors)}, or another backbone"
    )


def _directions(embeddings: Floats, where: str) -> Floats:
    """Embeddings at length 1."""
    wide = embeddings.astype(np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not (np.isfinite(norms).all() and norms.all()):
        raise WeightsError(
            f"{where} embeddings that are zero or not finite - give an undamaged checkpoint"
        )
    directions: Floats = (wide / norms).astype(np.float32)
    return directions


def _logit_scale(checkpoint: Checkpoint) -> float:
    return float(np.exp(checkpoint.read("logit_scale").astype(np.float64)))
