from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import export
import recipe
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.weights import Checkpoint
from magiqa.settings import PRESETS
from tower import ARCHITECTURE, PAIRS, QUALITY_PAIRS, Nano


@pytest.fixture(scope="module")
def nano() -> Nano:
    """A random network whose batch norms have seen something."""
    torch.manual_seed(0)
    nano = Nano()
    nano.train()
    nano(torch.randint(0, 256, (8, 3, 96, 96), dtype=torch.float32))
    return nano.eval()


@pytest.fixture(scope="module")
def file(nano: Nano, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nano") / "nano.safetensors"
    export.save(nano, path)
    return path


def test_its_parameters_are_clips(nano: Nano) -> None:
    expected = {
        name: shape
        for name, shape in ARCHITECTURE.parameters().items()
        if name.startswith("visual.")
    }
    found = {
        f"visual.{name}": tuple(values.shape)
        for name, values in nano.visual.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert found == expected


def test_anchors_are_directions_for_every_preset(nano: Nano) -> None:
    assert nano.anchors.shape == (len(PAIRS), 2, ARCHITECTURE.embedding)
    norms = nano.anchors.detach().norm(dim=-1).numpy()
    assert norms == pytest.approx(np.ones((len(PAIRS), 2)), abs=1e-6)
    assert PAIRS[:QUALITY_PAIRS] == PRESETS["ensemble"]


def test_magiqas_engine_runs_it(nano: Nano, file: Path) -> None:
    encoder = OnnxEncoder(Checkpoint(file, "file"), threads=1)
    pixels = np.stack([recipe.picture(224, 224, seed) for seed in (1, 2)])
    batch = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    with torch.inference_mode():
        expected = export.load(file).eval()(torch.from_numpy(batch)).numpy()
        unrounded = nano(torch.from_numpy(batch)).numpy()
    largest = float(np.abs(expected).max())
    assert encoder(batch) == pytest.approx(expected, abs=1e-4 * largest)
    assert expected == pytest.approx(unrounded, abs=0.02 * largest)


def test_the_file_is_small_and_says_its_prompts(file: Path) -> None:
    from safetensors import safe_open

    assert file.stat().st_size < 4_000_000
    with safe_open(file, "numpy") as opened:
        assert '"sharpness": [["Sharp photo.", "Blurry photo."]]' in opened.metadata()["prompts"]
        assert opened.get_tensor("anchors.ensemble").shape == (5, 2, 128)


def test_magiqa_reads_it_as_it_was_written(nano: Nano, file: Path) -> None:
    architecture = Checkpoint(file, "file").architecture
    assert architecture == ARCHITECTURE
    assert architecture.backbone == "nano"
    loaded = export.load(file)
    np.testing.assert_allclose(loaded.anchors.detach(), nano.anchors.detach(), atol=1e-3)
    assert loaded.logit_scale.item() == pytest.approx(nano.logit_scale.item())
