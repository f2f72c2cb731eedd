"""Writes checkpoints as PyTorch's `.pt` archives, with torch itself."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Tensors = Mapping[str, NDArray[Any] | torch.Tensor]


class _Node(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def as_openai_stores(checkpoint: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[Any]]:
    """The recipe's checkpoint with the types and extra entries of OpenAI's released files.

    Half precision wherever that loses nothing: the recipe rounds what OpenAI stores so.
    """
    stored: dict[str, NDArray[Any]] = {}
    for name, values in checkpoint.items():
        half = values.astype(np.float16)
        stored[name] = half if np.array_equal(half, values) else values
        if name.endswith(".running_var"):
            stored[name.replace("running_var", "num_batches_tracked")] = np.array(0)
    extra = {"input_resolution": 224, "context_length": 77, "vocab_size": 49408}
    return stored | {name: np.array(value) for name, value in extra.items()}


def torchscript_file(tensors: Tensors, path: Path) -> Path:
    """Tensors by dotted name as a TorchScript archive of nested modules."""
    root = _Node()
    for name, values in tensors.items():
        *parents, leaf = name.split(".")
        node: torch.nn.Module = root
        for parent in parents:
            if parent not in dict(node.named_children()):
                node.add_module(parent, _Node())
            node = node.get_submodule(parent)
        tensor = torch.as_tensor(values)
        if tensor.is_floating_point() and not leaf.startswith("running_"):
            node.register_parameter(leaf, torch.nn.Parameter(tensor, requires_grad=False))
        else:
            node.register_buffer(leaf, tensor)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)")
        torch.jit.save(torch.jit.script(root), str(path))
    return path


def state_dict_file(tensors: Tensors, path: Path, **options: Any) -> Path:
    """Tensors by dotted name as torch.save writes a state dict."""
    torch.save({name: torch.as_tensor(values) for name, values in tensors.items()}, path, **options)
    return path
