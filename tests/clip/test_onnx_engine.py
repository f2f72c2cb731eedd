from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from magiqa import OutputError, SettingsError, WeightsError
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.weights import Checkpoint

VIEWS = np.random.default_rng(0).uniform(0, 255, (3, 3, 224, 224)).astype(np.float32)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path))
    return tmp_path


def test_the_graph_is_built_once_and_kept(checkpoint: Path, own_cache: Path) -> None:
    first = OnnxEncoder(Checkpoint(checkpoint, ""))
    graphs = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.onnx")}
    again = OnnxEncoder(Checkpoint(checkpoint, ""))
    np.testing.assert_array_equal(first(VIEWS), again(VIEWS))
    assert graphs == {path: path.stat().st_mtime_ns for path in own_cache.rglob("*.onnx")}
    OnnxEncoder(Checkpoint(checkpoint, ""), positional_embedding=True)
    assert len(list(own_cache.rglob("*.onnx"))) == 2


def test_views_do_not_mix(checkpoint: Path) -> None:
    encoder = OnnxEncoder(Checkpoint(checkpoint, ""), threads=1)
    alone = np.concatenate([encoder(view[None]) for view in VIEWS])
    scale = np.abs(alone).max()
    np.testing.assert_allclose(encoder(VIEWS) / scale, alone / scale, atol=1e-6)


def test_a_damaged_graph_is_told_with_its_place(checkpoint: Path, own_cache: Path) -> None:
    OnnxEncoder(Checkpoint(checkpoint, ""))
    [graph] = own_cache.rglob("*.onnx")
    graph.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"tower\.onnx - ONNX Runtime refuses it .* - delete"):
        OnnxEncoder(Checkpoint(checkpoint, ""))


def test_a_cache_that_cannot_be_written_is_told(checkpoint: Path, own_cache: Path) -> None:
    (own_cache / Checkpoint(checkpoint, "").hash[:16]).write_text("a file in the way")
    with pytest.raises(OutputError, match=r"the cache cannot be written \(.*\) - free some space"):
        OnnxEncoder(Checkpoint(checkpoint, ""))


def test_an_unknown_provider_is_told_with_the_ones_there_are(checkpoint: Path) -> None:
    with pytest.raises(SettingsError, match=r"CPUProvider is not available here - did you mean"):
        OnnxEncoder(Checkpoint(checkpoint, ""), provider="CPUProvider")


def test_the_runtime_keeps_no_record_of_its_user(tmp_path: Path, checkpoint: Path) -> None:
    """Builds of ONNX Runtime that send telemetry keep an id in the home folder for it."""
    home = tmp_path / "home"
    home.mkdir()
    program = "import sys; from magiqa import Scorer; Scorer(weights=sys.argv[1])"
    kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    environment |= {"HOME": str(home), "MAGIQA_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", program, str(checkpoint)]
    subprocess.run(command, env=environment, check=True)
    assert not list(home.rglob("*"))
