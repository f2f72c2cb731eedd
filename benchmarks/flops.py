"""Floating-point operations of the residual image tower as CLIP writes it, nothing factored."""

from __future__ import annotations

from magiqa.clip.architecture import Architecture, residual_convolutions
from magiqa.clip.towers import VIEW_SIDE


def residual_flops(architecture: Architecture) -> int:
    """Of one view: convolutions, linear layers and attention; a multiply-add counts as two."""
    width, tokens = architecture.pool_width, (VIEW_SIDE // 32) ** 2 + 1
    adds = width * width * (1 + 2 * tokens)  # one query, all keys and values
    adds += 2 * tokens * width  # logits and their mix of values
    adds += width * architecture.embedding
    for name, (out, inputs, kernel) in residual_convolutions(architecture).items():
        adds += out * inputs * kernel * kernel * _side(name) * _side(name)
    return 2 * adds


def _side(convolution: str) -> int:
    """Side of a convolution's output."""
    stage, _, rest = convolution.partition(".")
    if not rest:
        return VIEW_SIDE // 2  # the stem, before its pool
    side = VIEW_SIDE >> int(stage.removeprefix("layer")) + 1
    # the average pool of a stage's first block comes between its second and third convolution
    before_pool = stage != "layer1" and rest in ("0.conv1", "0.conv2")
    return side * 2 if before_pool else side
