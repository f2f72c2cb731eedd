"""What a CLIP checkpoint is, read off its parameters' shapes, and which parameters it must hold."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from magiqa.errors import WeightsError
from magiqa.settings import PRESETS

Shape: TypeAlias = tuple[int, ...]

HEAD_WIDTH = 64  # of every attention in each of OpenAI's CLIPs
WIDEST = 1024  # OpenAI's vision transformers; wider ones have wider heads
VOCABULARY = 49408
CONTEXT = 77  # tokens, start and end included
IGNORED = re.compile(r"input_resolution|context_length|vocab_size|.*\.num_batches_tracked")


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of one CLIP network.

    `patch` is None for a residual image tower, whose `vision_layers` are its four stages' blocks;
    a transformer's are one number. `anchors` names the presets whose anchors are in the file, in
    place of a text tower: such a network reads no prompts.
    """

    embedding: int
    vision_width: int
    vision_layers: tuple[int, ...]
    patch: int | None
    native_side: int
    text_width: int
    text_layers: int
    anchors: tuple[str, ...] = ()

    @property
    def backbone(self) -> str:
        """The known backbone of these sizes, else a name that tells the sizes."""
        vision = (self.patch, self.vision_width, self.vision_layers, self.native_side)
        if vision in _NAMES:
            return _NAMES[vision]
        layers = "-".join(map(str, self.vision_layers))
        family = "resnet" if self.patch is None else f"vit{self.patch}"
        return f"{family}-{layers}x{self.vision_width}"

    @property
    def pool_width(self) -> int:
        """Channels that reach the residual tower's attention pool."""
        return self.vision_width * 32

    def parameters(self) -> dict[str, Shape]:
        """Name and shape of every parameter, as in OpenAI's released state dicts."""
        tower = self._residual() if self.patch is None else self._vision_transformer(self.patch)
        width = self.text_width
        if self.anchors:
            shapes = {name: (len(PRESETS[name]), 2, self.embedding) for name in self.anchors}
            anchors = {f"anchors.{name}": shape for name, shape in shapes.items()}
            return dict(tower) | anchors | {"logit_scale": ()}
        text: dict[str, Shape] = {
            "token_embedding.weight": (VOCABULARY, width),
            "positional_embedding": (CONTEXT, width),
            "ln_final.weight": (width,),
            "ln_final.bias": (width,),
            "text_projection": (width, self.embedding),
            "logit_scale": (),
        }
        return dict(tower) | text | dict(_blocks("transformer", self.text_layers, width))

    def _vision_transformer(self, patch: int) -> Iterator[tuple[str, Shape]]:
        width = self.vision_width
        yield "visual.conv1.weight", (width, 3, patch, patch)
        yield "visual.class_embedding", (width,)
        yield "visual.positional_embedding", ((self.native_side // patch) ** 2 + 1, width)
        for norm in ("ln_pre", "ln_post"):
            yield f"visual.{norm}.weight", (width,)
            yield f"visual.{norm}.bias", (width,)
        yield "visual.proj", (width, self.embedding)
        yield from _blocks("visual.transformer", self.vision_layers[0], width)

    def _residual(self) -> Iterator[tuple[str, Shape]]:
        for name, (out, inputs, kernel) in residual_convolutions(self).items():
            yield f"visual.{name}.weight", (out, inputs, kernel, kernel)
            for part in ("weight", "bias", "running_mean", "running_var"):
                yield f"visual.{norm_of(name)}.{part}", (out,)
        pool, width = "visual.attnpool", self.pool_width
        yield f"{pool}.positional_embedding", ((self.native_side // 32) ** 2 + 1, width)
        for name, out in (("q", width), ("k", width), ("v", width), ("c", self.embedding)):
            yield f"{pool}.{name}_proj.weight", (out, width)
            yield f"{pool}.{name}_proj.bias", (out,)


_NAMES = {
    (None, 16, (1, 1, 1, 1), 224): "nano",
    (None, 64, (3, 4, 6, 3), 224): "RN50",
    (None, 64, (3, 4, 23, 3), 224): "RN101",
    (None, 80, (4, 6, 10, 6), 288): "RN50x4",
    (None, 96, (6, 8, 18, 8), 384): "RN50x16",
    (None, 128, (3, 15, 36, 10), 448): "RN50x64",
    (32, 768, (12,), 224): "ViT-B/32",
    (16, 768, (12,), 224): "ViT-B/16",
    (14, 1024, (24,), 224): "ViT-L/14",
    (14, 1024, (24,), 336): "ViT-L/14@336px",
}


def residual_convolutions(architecture: Architecture) -> dict[str, tuple[int, int, int]]:
    """Name -> (outputs, inputs, kernel) of each convolution of the residual tower, in order."""
    width = architecture.vision_width
    found = {
        "conv1": (width // 2, 3, 3),
        "conv2": (width // 2, width // 2, 3),
        "conv3": (width, width // 2, 3),
    }
    inputs = width
    for stage, blocks in enumerate(architecture.vision_layers, start=1):
        planes = width * 2 ** (stage - 1)
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            found[f"{name}.conv1"] = (planes, inputs, 1)
            found[f"{name}.conv2"] = (planes, planes, 3)
            found[f"{name}.conv3"] = (planes * 4, planes, 1)
            if block == 0:
                found[f"{name}.downsample.0"] = (planes * 4, inputs, 1)
            inputs = planes * 4
    return found


def norm_of(convolution: str) -> str:
    """The batch norm that follows a convolution of the residual tower.

    >>> norm_of("layer1.0.conv2"), norm_of("layer1.0.downsample.0")
    ('layer1.0.bn2', 'layer1.0.downsample.1')
    """
    if convolution.endswith("downsample.0"):
        return convolution[:-1] + "1"
    return convolution.replace("conv", "bn")


def read_architecture(shapes: Mapping[str, Shape], where: str) -> Architecture:
    """The architecture of a checkpoint, every parameter checked by name and shape.

    Raises WeightsError naming the parameters that are missing, extra or of another shape.
    """
    found = {name: tuple(shape) for name, shape in shapes.items() if not IGNORED.fullmatch(name)}

    def shape(name: str, dimensions: int) -> Shape:
        if name not in found:
            raise WeightsError(
                f"{where} - not a CLIP checkpoint: parameter {name} is missing - give one with "
                f"OpenAI's parameter names (open_clip_model.safetensors of the hub's "
                f"timm/*_clip.openai has them)"
            )
        if len(found[name]) != dimensions or 0 in found[name]:
            raise WeightsError(
                f"{where} - parameter {name} has shape {found[name]}, expected {dimensions} "
                f"dimensions, none of them 0 - give an undamaged checkpoint"
            )
        return found[name]

    def layers(pattern: str) -> int:
        return len({match[0] for name in found if (match := re.match(pattern, name))})

    anchors = tuple(name for name in PRESETS if f"anchors.{name}" in found)
    if anchors:
        text_width, embedding = 0, shape(f"anchors.{anchors[0]}", 3)[2]
    else:
        text_width, embedding = shape("text_projection", 2)
    if "visual.proj" in found:
        vision_width, _, patch, _ = shape("visual.conv1.weight", 4)
        vision_layers: tuple[int, ...] = (layers(r"visual\.transformer\.resblocks\.\d+\."),)
        grid = math.isqrt(shape("visual.positional_embedding", 2)[0] - 1)
        side, transformer_patch = grid * patch, patch
        if vision_width > WIDEST:
            raise WeightsError(
                f"{where} - a vision transformer of width {vision_width}, none of OpenAI's, "
                f"with other attention heads - give one of theirs"
            )
    else:
        vision_width = shape("visual.layer1.0.conv1.weight", 4)[0]
        vision_layers = tuple(layers(rf"visual\.layer{stage}\.\d+\.") for stage in range(1, 5))
        grid = math.isqrt(shape("visual.attnpool.positional_embedding", 2)[0] - 1)
        side, transformer_patch = grid * 32, None
    architecture = Architecture(
        embedding=embedding,
        vision_width=vision_width,
        vision_layers=vision_layers,
        patch=transformer_patch,
        native_side=side,
        text_width=text_width,
        text_layers=layers(r"transformer\.resblocks\.\d+\."),
        anchors=anchors,
    )
    _compare(found, architecture, where)
    return architecture


def _compare(found: Mapping[str, Shape], architecture: Architecture, where: str) -> None:
    expected = architecture.parameters()
    complaints = [f"parameter {name} is missing" for name in expected if name not in found]
    complaints += [f"parameter {name} is not CLIP's" for name in found if name not in expected]
    complaints += [
        f"parameter {name} has shape {found[name]}, expected {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    if complaints:
        more = f" (and {len(complaints) - 3} more)" if len(complaints) > 3 else ""
        raise WeightsError(
            f"{where} - read as {architecture.backbone}: {'; '.join(complaints[:3])}{more} - "
            f"give a complete CLIP checkpoint with OpenAI's parameter names"
        )


def _blocks(prefix: str, layers: int, width: int) -> Iterator[tuple[str, Shape]]:
    for layer in range(layers):
        block = f"{prefix}.resblocks.{layer}"
        yield f"{block}.attn.in_proj_weight", (3 * width, width)
        yield f"{block}.attn.in_proj_bias", (3 * width,)
        for name, out, inputs in (
            ("attn.out_proj", width, width),
            ("mlp.c_fc", 4 * width, width),
            ("mlp.c_proj", width, 4 * width),
        ):
            yield f"{block}.{name}.weight", (out, inputs)
            yield f"{block}.{name}.bias", (out,)
        for norm in ("ln_1", "ln_2"):
            yield f"{block}.{norm}.weight", (width,)
            yield f"{block}.{norm}.bias", (width,)
