"""The authors' numbers and one hash, whatever format and type a checkpoint is stored in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import CHECKPOINTS
from numpy.typing import NDArray
from safetensors.numpy import save_file

import recipe
from archives import as_openai_stores, state_dict_file, torchscript_file
from magiqa import Scorer
from magiqa.clip.weights import Checkpoint
from test_goldens import GOLDEN, near, settings_of

Tensors = dict[str, NDArray[Any]]


def safetensors_file(tensors: Tensors, path: Path) -> Path:
    save_file(tensors, path)
    return path


FORMATS = [torchscript_file, state_dict_file, safetensors_file]


def check_goldens(architecture: str, weights: Path) -> None:
    for case in GOLDEN[architecture]["cases"]:
        score = Scorer(weights=weights, settings=settings_of(case))(recipe.picture(**case["image"]))
        near(score.score, case["score"])
        near(list(score.pairs.values()), case["pairs"])


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "as OpenAI stores"])
@pytest.mark.parametrize("write", FORMATS, ids=["TorchScript", "state dict", "safetensors"])
@pytest.mark.parametrize("architecture", ["tiny-resnet", "tiny-vit"])
def test_the_goldens_hold_in_every_format(
    architecture: str, write: Any, mixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path / "cache"))  # no graph of another format
    tensors: Tensors = dict(recipe.checkpoint(architecture))
    path = write(
        as_openai_stores(tensors) if mixed else tensors, tmp_path / "no-format-in-the-name"
    )
    usual = Checkpoint(recipe.checkpoint_file(architecture, CHECKPOINTS), "")
    assert Checkpoint(path, "").hash == usual.hash
    check_goldens(architecture, path)


@pytest.mark.slow
def test_the_goldens_hold_for_a_full_size_torchscript_archive(tmp_path: Path) -> None:
    tensors = as_openai_stores(recipe.checkpoint("RN50"))
    path = torchscript_file(tensors, tmp_path / "RN50.pt")
    usual = Checkpoint(recipe.checkpoint_file("RN50", CHECKPOINTS), "")
    assert Checkpoint(path, "").hash == usual.hash
    check_goldens("RN50", path)


def test_bfloat16_and_float64_are_the_same_model_too(tmp_path: Path) -> None:
    rounded = {
        name: torch.as_tensor(values).to(torch.bfloat16)
        for name, values in recipe.checkpoint("tiny-vit").items()
    }
    hashes = set()
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        tensors = {name: values.to(dtype) for name, values in rounded.items()}
        safetensors.torch.save_file(tensors, tmp_path / "a.safetensors")
        hashes.add(Checkpoint(tmp_path / "a.safetensors", "").digest())
        hashes.add(Checkpoint(state_dict_file(tensors, tmp_path / "a.pt"), "").digest())
    assert len(hashes) == 1


def test_bfloat16_is_widened_as_torch_does(tmp_path: Path) -> None:
    values = torch.tensor([[0.0, -0.0, 1.5, -3.25e38], [1e-40, torch.inf, -torch.inf, 7]])
    stored = values.to(torch.bfloat16)
    safetensors.torch.save_file({"a": stored}, tmp_path / "a.safetensors")
    read = Checkpoint(tmp_path / "a.safetensors", "").read("a")
    np.testing.assert_array_equal(read, stored.to(torch.float32).numpy())
    assert read.dtype == np.float32
    assert read.flags.c_contiguous
