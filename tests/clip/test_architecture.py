from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

import recipe
from magiqa import WeightsError
from magiqa.clip.architecture import Shape, read_architecture

Shapes = dict[str, Shape]


@pytest.mark.parametrize("name", recipe.ARCHITECTURES)
def test_sizes_are_read_off_the_shapes(name: str) -> None:
    architecture = recipe.ARCHITECTURES[name]
    shapes = architecture.parameters()
    assert read_architecture(shapes, "it") == architecture
    assert architecture.backbone == name or name.startswith("tiny")


def test_what_openai_keeps_beside_the_parameters_is_passed_over() -> None:
    shapes = recipe.ARCHITECTURES["tiny-resnet"].parameters()
    extra = {"input_resolution": (), "context_length": (), "vocab_size": ()}
    extra["visual.bn1.num_batches_tracked"] = ()
    assert read_architecture(shapes | extra, "it") == recipe.ARCHITECTURES["tiny-resnet"]


def drop(name: str) -> Callable[[Shapes], object]:
    return lambda shapes: shapes.pop(name)


def put(name: str, shape: Shape) -> Callable[[Shapes], object]:
    return lambda shapes: shapes.update({name: shape})


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (drop("text_projection"), r"it - not a CLIP checkpoint: parameter text_projection is miss"),
        (drop("visual.conv1.weight"), r"parameter visual.conv1.weight is missing"),
        (drop("visual.bn2.running_mean"), r"parameter visual.bn2.running_mean is missing"),
        (drop("logit_scale"), r"read as resnet-1-1-1-1x8: parameter logit_scale is missing"),
        (put("visual.head.weight", (3,)), r"parameter visual.head.weight is not CLIP's"),
        (put("ln_final.bias", (63,)), r"ln_final.bias has shape \(63,\), expected \(64,\)"),
        (put("text_projection", (64,)), r"text_projection has shape \(64,\), expected 2 dim"),
        (put("visual.attnpool.positional_embedding", (0, 256)), r"\(0, 256\), .* none of them 0"),
        (put("token_embedding.weight", (99, 64)), r"expected \(49408, 64\)"),
        (lambda shapes: shapes.clear(), r"not a CLIP checkpoint"),
        (
            lambda shapes: (
                [shapes.pop(f"visual.bn{n}.bias") for n in (1, 2, 3)]
                + [shapes.pop("ln_final.bias")]
            ),
            r"\(and 1 more\) - give a complete CLIP checkpoint",
        ),
    ],
)
def test_the_offending_parameter_is_named(change: Callable[[Shapes], object], text: str) -> None:
    shapes = recipe.ARCHITECTURES["tiny-resnet"].parameters()
    change(shapes)
    with pytest.raises(WeightsError, match=text):
        read_architecture(shapes, "it")


def test_wider_vision_transformers_are_refused_for_their_heads() -> None:
    huge = dataclasses.replace(recipe.ARCHITECTURES["ViT-L/14"], vision_width=1280)
    with pytest.raises(WeightsError, match=r"it - a vision transformer of width 1280, none of"):
        read_architecture(huge.parameters(), "it")
