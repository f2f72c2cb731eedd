from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import recipe
from magiqa import WeightsError
from magiqa.clip import weights
from magiqa.clip.weights import Checkpoint, open_checkpoint


@pytest.fixture
def parameters() -> dict[str, Any]:
    return dict(recipe.checkpoint("tiny-resnet"))


def test_the_hash_is_of_the_model_not_of_the_file(
    tmp_path: Path, parameters: dict[str, Any], checkpoint: Path
) -> None:
    shuffled = tmp_path / "shuffled.safetensors"
    save_file(dict(reversed(parameters.items())), shuffled, metadata={"by": "another tool"})
    half = tmp_path / "half.safetensors"
    stored = {name: values.astype(np.float16) for name, values in parameters.items()}
    save_file(stored, half)
    widened = tmp_path / "widened.safetensors"
    save_file({name: values.astype(np.float32) for name, values in stored.items()}, widened)
    assert Checkpoint(shuffled, "").hash == Checkpoint(checkpoint, "").hash
    assert Checkpoint(half, "").hash == Checkpoint(widened, "").hash
    assert Checkpoint(half, "").hash != Checkpoint(checkpoint, "").hash


def test_the_hash_is_remembered_until_the_file_changes(
    tmp_path: Path, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    first = Checkpoint(path, "").hash
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "read", lambda *_: pytest.fail("read again"))
        assert Checkpoint(path, "").hash == first
    parameters["ln_final.bias"][0] += 1
    save_file(parameters, path)
    assert Checkpoint(path, "").hash != first


def test_a_value_that_is_not_finite_is_named(tmp_path: Path, parameters: dict[str, Any]) -> None:
    parameters["visual.bn1.bias"][3] = np.nan
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    with pytest.raises(WeightsError, match=r"visual\.bn1\.bias holds values that are not finite"):
        _ = Checkpoint(path, "").hash


def test_integers_are_refused_by_name(tmp_path: Path, parameters: dict[str, Any]) -> None:
    parameters["ln_final.bias"] = parameters["ln_final.bias"].astype(np.int32)
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    with pytest.raises(WeightsError, match=r"ln_final\.bias is stored as I32 - save the check"):
        _ = Checkpoint(path, "").hash


def test_a_missing_parameter_is_named(tmp_path: Path, parameters: dict[str, Any]) -> None:
    del parameters["visual.layer2.0.bn3.weight"]
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    with pytest.raises(WeightsError, match=r"visual\.layer2\.0\.bn3\.weight is missing"):
        open_checkpoint(None, path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 100, b"\x02\0\0\0\0\0\0\0{}"])
def test_what_is_no_safetensors_file_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.safetensors - not a (readable|CLIP)"):
        open_checkpoint(None, path)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(WeightsError, match=r"nowhere - there is no such weights file - give"):
        open_checkpoint(None, "nowhere")


def test_every_released_backbone_has_a_repository() -> None:
    assert next(iter(weights.RELEASES)) == "RN50"
    assert all(name == release.backbone for name, release in weights.RELEASES.items())


def test_offline_with_an_empty_cache_names_the_ways_out() -> None:
    with pytest.raises(WeightsError, match=r"RN50 - its weights are not on this mach.*--weights"):
        open_checkpoint(None, None)


@pytest.mark.slow
def test_a_fetched_backbone_is_found_again_without_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    from conftest import CHECKPOINTS

    file = recipe.checkpoint_file("RN50", CHECKPOINTS)
    asked: list[tuple[str, str]] = []

    def fetch(repository: str, name: str) -> str:
        asked.append((repository, name))
        return str(file)

    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    first = open_checkpoint(None, None)
    again = open_checkpoint("RN50", None)
    assert first.path == again.path == file
    assert asked == [("timm/resnet50_clip.openai", "open_clip_model.safetensors")]
    assert again.origin == "timm/resnet50_clip.openai/open_clip_model.safetensors"


def test_a_hub_that_sends_another_model_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path
) -> None:
    import huggingface_hub

    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_: str(checkpoint))
    with pytest.raises(WeightsError, match=r"fetched as RN50 but holds resnet-1-1-1-1x8 - delete"):
        open_checkpoint("RN50", None)


def test_the_cache_folder_is_the_platforms_unless_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIQA_CACHE", "/somewhere")
    assert weights.cache_folder() == Path("/somewhere")
    monkeypatch.delenv("MAGIQA_CACHE")
    assert weights.cache_folder().name == "magiqa"
    assert json.dumps(str(weights.cache_folder()))
