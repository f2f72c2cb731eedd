"""CLIP's image and text networks, written once as functions of (ops, weights).

`prepare_*` turns a checkpoint's parameters into the arrays a tower applies: batch norms and pixel
scaling folded into convolutions, attention scales into projections, all in float64, kept as
float32. `*_tower` applies them through `Ops`, which one engine turns into ONNX nodes and another
into torch calls; a tensor `T` is whatever that engine passes around.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from magiqa.clip.architecture import HEAD_WIDTH, Architecture, norm_of, residual_convolutions
from magiqa.errors import SettingsError

T = TypeVar("T")
Floats: TypeAlias = NDArray[np.float32]
Read: TypeAlias = Callable[[str], Floats]
"""Parameter name -> its values."""

EPSILON = 1e-5  # of batch norm and layer norm
VIEW_SIDE = 224  # for every backbone, as in the released code
STRIDE = 32  # of a residual tower: a view becomes 7x7 places
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of pixels in 0..1
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


class Ops(Protocol[T]):
    """What a tower asks of an engine. Matrices and softmax act on the last axes."""

    def add(self, a: T, b: T) -> T: ...
    def subtract(self, a: T, b: T) -> T: ...
    def matmul(self, a: T, b: T) -> T: ...
    def quick_gelu(self, x: T) -> T:
        """x * sigmoid(1.702 x), CLIP's own activation."""

    def softmax(self, x: T) -> T: ...
    def layer_norm(self, x: T, weight: T, bias: T) -> T: ...
    def mean(self, x: T, axis: int) -> T:
        """Mean along one axis, which stays with length 1."""

    def conv(self, x: T, weight: T, bias: T | None, stride: int, padding: int) -> T: ...
    def conv_relu(
        self, x: T, weight: T, bias: T, stride: int, padding: int, plus: T | None = None
    ) -> T:
        """relu(conv(...) + plus), which some engines do in one pass over memory."""

    def average_pool(self, x: T, size: int) -> T: ...
    def reshape(self, x: T, shape: Sequence[int]) -> T: ...
    def transpose(self, x: T, axes: Sequence[int]) -> T: ...
    def concat(self, xs: Sequence[T], axis: int) -> T: ...
    def split(self, x: T, parts: int) -> Sequence[T]:
        """Equal parts along the last axis."""

    def first_row(self, x: T) -> T:
        """(N, L, C) -> (N, C)."""

    def prepend_zeros(self, x: T) -> T:
        """(N, L, C) -> (N, 1 + L, C), the new first row all zeros."""


def prepare_image(
    read: Read, architecture: Architecture, positional_embedding: bool
) -> dict[str, Floats]:
    """Arrays for `image_tower`."""
    if architecture.patch is None:
        weights = _prepare_residual(read, architecture, positional_embedding)
    else:
        weights = _prepare_vision(read, architecture, positional_embedding)
    # (x / 255 - mean) / std: the mean is not folded, for conv1 pads with zeros behind it
    scale = 1 / (255 * np.asarray(PIXEL_STD, np.float64))
    weights["conv1.weight"] = _float32(weights["conv1.weight"] * scale[:, None, None])
    weights["mean"] = _float32(255 * np.asarray(PIXEL_MEAN, np.float64))[:, None, None]
    return weights


def image_tower(
    ops: Ops[T], weights: Mapping[str, T], architecture: Architecture, x: T, whole: bool = False
) -> T:
    """Views (N, 3, 224, 224) with values in 0..255 -> unnormalised embeddings (N, D).

    With `whole`, one picture (1, 3, H, W) of any size from 32x32 on, by a residual tower whose
    positional embedding is left out.
    """
    x = ops.subtract(x, weights["mean"])
    if architecture.patch is None:
        return _residual_tower(ops, weights, architecture, x, whole)
    return _vision_tower(ops, weights, architecture, architecture.patch, x)


def check_whole(architecture: Architecture) -> None:
    """Refuse what takes views of 224x224 alone; raises SettingsError."""
    if architecture.patch is not None:
        raise SettingsError(
            f"coverage='whole' - {architecture.backbone} takes 224x224 alone - use a residual "
            f"backbone, such as RN50"
        )


def prepare_text(read: Read, architecture: Architecture, length: int) -> dict[str, Floats]:
    """Arrays for `text_tower` on prompts of `length` tokens."""
    weights = _prepare_blocks(read, "transformer.", architecture.text_layers)
    for name in ("ln_final.weight", "ln_final.bias", "text_projection"):
        weights[name] = read(name)
    causal = np.triu(np.full((length, length), -np.inf, np.float32), k=1)
    return weights | {"causal_mask": causal}


def text_tower(
    ops: Ops[T], weights: Mapping[str, T], architecture: Architecture, length: int, x: T, end: T
) -> T:
    """Token plus positional embeddings (P, L, W) -> text embeddings (P, 1, D).

    `end`, (P, 1, L), is 1 at each prompt's end token and 0 elsewhere. The mask being causal, the
    prompts may be cut to the longest one: exact.
    """
    mask = weights["causal_mask"]
    x = _transformer(
        ops, weights, x, architecture.text_layers, length, architecture.text_width, mask
    )
    x = ops.layer_norm(x, weights["ln_final.weight"], weights["ln_final.bias"])
    return ops.matmul(ops.matmul(end, x), weights["text_projection"])


def _prepare_residual(
    read: Read, architecture: Architecture, positional_embedding: bool
) -> dict[str, Floats]:
    weights = {}
    for name in residual_convolutions(architecture):
        norm = f"visual.{norm_of(name)}"
        variance = read(f"{norm}.running_var").astype(np.float64)
        scale = read(f"{norm}.weight") / np.sqrt(variance + EPSILON)
        kernel = read(f"visual.{name}.weight") * scale[:, None, None, None]
        weights[f"{name}.weight"] = _float32(kernel)
        weights[f"{name}.bias"] = _float32(
            read(f"{norm}.bias") - read(f"{norm}.running_mean") * scale
        )
    pool, width = "visual.attnpool", architecture.pool_width
    heads = width // HEAD_WIDTH
    for name in ("q", "k", "v", "c"):
        weights[f"{name}.weight"] = read(f"{pool}.{name}_proj.weight")
        weights[f"{name}.bias"] = read(f"{pool}.{name}_proj.bias")
    query_scale = np.float32(1 / math.sqrt(HEAD_WIDTH))
    weights["q.weight"] = np.ascontiguousarray(weights["q.weight"].T * query_scale)
    weights["q.bias"] = weights["q.bias"] * query_scale
    # The pool's only query is the mean token, so (q, W_k x) = (W_k' q, x): keys and values are
    # projected behind the pooling, once a view instead of once a token. The key bias adds the same
    # to every token's logit and cancels in the softmax; the value bias is added after pooling.
    del weights["k.bias"]
    by_head = (heads, HEAD_WIDTH, width)
    weights["k.weight"] = weights["k.weight"].reshape(by_head)
    weights["v.weight"] = np.ascontiguousarray(
        weights["v.weight"].reshape(by_head).transpose(0, 2, 1)
    )
    weights["c.weight"] = np.ascontiguousarray(weights["c.weight"].T)
    if positional_embedding:
        weights["positional_embedding"] = read(f"{pool}.positional_embedding")
    return weights


def _residual_tower(
    ops: Ops[T], weights: Mapping[str, T], architecture: Architecture, x: T, whole: bool
) -> T:
    def conv(x: T, name: str, stride: int = 1, padding: int = 0, plus: T | None = None) -> T:
        kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return ops.conv_relu(x, kernel, bias, stride, padding, plus)

    x = conv(x, "conv1", stride=2, padding=1)
    x = conv(x, "conv2", padding=1)
    x = conv(x, "conv3", padding=1)
    x = ops.average_pool(x, 2)
    for stage, blocks in enumerate(architecture.vision_layers, start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shrink = stage > 1 and block == 0
            y = conv(x, f"{name}.conv1")
            y = conv(y, f"{name}.conv2", padding=1)
            if shrink:
                x, y = ops.average_pool(x, 2), ops.average_pool(y, 2)
            if block == 0:
                shortcut = f"{name}.downsample.0"
                x = ops.conv(x, weights[f"{shortcut}.weight"], weights[f"{shortcut}.bias"], 1, 0)
            x = conv(y, f"{name}.conv3", plus=x)
    width = architecture.pool_width
    shape = (1, width, -1) if whole else (-1, width, (VIEW_SIDE // STRIDE) ** 2)
    return _attention_pool(ops, weights, width, ops.reshape(x, shape))


def _attention_pool(ops: Ops[T], weights: Mapping[str, T], width: int, x: T) -> T:
    """Feature maps (N, C, places) -> (N, D): attention of the mean token to all tokens."""
    heads = width // HEAD_WIDTH
    tokens = ops.transpose(x, (0, 2, 1))
    tokens = ops.concat([ops.mean(tokens, axis=1), tokens], axis=1)
    if "positional_embedding" in weights:
        tokens = ops.add(tokens, weights["positional_embedding"])
    first = ops.first_row(tokens)
    # a shift of all tokens shifts all logits alike and cancels in the softmax: without the common
    # part, most of a token, the sums over C channels keep their digits
    tokens = ops.subtract(tokens, ops.reshape(first, (-1, 1, width)))
    # heads come first where weights are applied, so that each matrix is read once for all views
    query = ops.add(ops.matmul(first, weights["q.weight"]), weights["q.bias"])
    query = ops.transpose(ops.reshape(query, (-1, heads, HEAD_WIDTH)), (1, 0, 2))
    query = ops.transpose(ops.matmul(query, weights["k.weight"]), (1, 0, 2))
    attention = ops.softmax(ops.matmul(query, ops.transpose(tokens, (0, 2, 1))))
    pooled = ops.add(ops.matmul(attention, tokens), ops.reshape(first, (-1, 1, width)))
    pooled = ops.transpose(pooled, (1, 0, 2))
    value = ops.transpose(ops.matmul(pooled, weights["v.weight"]), (1, 0, 2))
    value = ops.add(ops.reshape(value, (-1, width)), weights["v.bias"])
    return ops.add(ops.matmul(value, weights["c.weight"]), weights["c.bias"])


def _prepare_vision(
    read: Read, architecture: Architecture, positional_embedding: bool
) -> dict[str, Floats]:
    weights = _prepare_blocks(read, "visual.transformer.", architecture.vision_layers[0])
    for name in ("conv1.weight", "ln_pre.weight", "ln_pre.bias", "ln_post.weight", "ln_post.bias"):
        weights[name] = read(f"visual.{name}")
    weights["proj"] = read("visual.proj")
    if positional_embedding:
        rows = read("visual.positional_embedding").copy()
        rows[0] += read("visual.class_embedding")
    else:
        rows = read("visual.class_embedding")[None, :]
        tokens = (VIEW_SIDE // weights["conv1.weight"].shape[-1]) ** 2
        rows = np.concatenate([rows, np.zeros((tokens, rows.shape[1]), np.float32)])
    weights["class_and_positions"] = rows
    return weights


def _vision_tower(
    ops: Ops[T], weights: Mapping[str, T], architecture: Architecture, patch: int, x: T
) -> T:
    width, tokens = architecture.vision_width, (VIEW_SIDE // patch) ** 2
    x = ops.conv(x, weights["conv1.weight"], None, stride=patch, padding=0)
    x = ops.transpose(ops.reshape(x, (-1, width, tokens)), (0, 2, 1))
    x = ops.add(ops.prepend_zeros(x), weights["class_and_positions"])
    x = ops.layer_norm(x, weights["ln_pre.weight"], weights["ln_pre.bias"])
    x = _transformer(ops, weights, x, architecture.vision_layers[0], tokens + 1, width, None)
    x = ops.layer_norm(ops.first_row(x), weights["ln_post.weight"], weights["ln_post.bias"])
    return ops.matmul(x, weights["proj"])


def _prepare_blocks(read: Read, prefix: str, layers: int) -> dict[str, Floats]:
    weights = {}
    for layer in range(layers):
        name, block = f"{prefix}resblocks.{layer}", f"block{layer}"
        for norm in ("ln_1", "ln_2"):
            weights[f"{block}.{norm}.weight"] = read(f"{name}.{norm}.weight")
            weights[f"{block}.{norm}.bias"] = read(f"{name}.{norm}.bias")
        weight, bias = read(f"{name}.attn.in_proj_weight"), read(f"{name}.attn.in_proj_bias")
        # the attention's 1/sqrt(head width) goes into the queries, the first third of the rows
        scale = np.ones((len(weight), 1), np.float32)
        scale[: len(weight) // 3] = 1 / math.sqrt(HEAD_WIDTH)
        weights[f"{block}.qkv.weight"] = np.ascontiguousarray((weight * scale).T)
        weights[f"{block}.qkv.bias"] = bias * scale[:, 0]
        for short, long in (("out", "attn.out_proj"), ("fc", "mlp.c_fc"), ("proj", "mlp.c_proj")):
            weights[f"{block}.{short}.weight"] = np.ascontiguousarray(
                read(f"{name}.{long}.weight").T
            )
            weights[f"{block}.{short}.bias"] = read(f"{name}.{long}.bias")
    return weights


def _transformer(
    ops: Ops[T],
    weights: Mapping[str, T],
    x: T,
    layers: int,
    length: int,
    width: int,
    mask: T | None,
) -> T:
    """Pre-norm blocks on tokens (N, length, width)."""
    heads = width // HEAD_WIDTH

    def linear(x: T, name: str) -> T:
        return ops.add(ops.matmul(x, weights[f"{name}.weight"]), weights[f"{name}.bias"])

    def norm(x: T, name: str) -> T:
        return ops.layer_norm(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def by_head(x: T, axes: Sequence[int]) -> T:
        return ops.transpose(ops.reshape(x, (-1, length, heads, HEAD_WIDTH)), axes)

    for layer in range(layers):
        block = f"block{layer}"
        q, k, v = ops.split(linear(norm(x, f"{block}.ln_1"), f"{block}.qkv"), 3)
        logits = ops.matmul(by_head(q, (0, 2, 1, 3)), by_head(k, (0, 2, 3, 1)))
        attention = ops.softmax(logits if mask is None else ops.add(logits, mask))
        mixed = ops.transpose(ops.matmul(attention, by_head(v, (0, 2, 1, 3))), (0, 2, 1, 3))
        x = ops.add(x, linear(ops.reshape(mixed, (-1, length, width)), f"{block}.out"))
        hidden = ops.quick_gelu(linear(norm(x, f"{block}.ln_2"), f"{block}.fc"))
        x = ops.add(x, linear(hidden, f"{block}.proj"))
    return x


def _float32(values: NDArray[np.float64]) -> Floats:
    return values.astype(np.float32)
