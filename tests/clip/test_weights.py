from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import recipe
from magiqa import WeightsError
from magiqa.clip import sources
from magiqa.clip.cache import cache_folder, file_sha256
from magiqa.clip.releases import RELEASES, Release
from magiqa.clip.weights import Checkpoint, open_checkpoint, verify


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


def test_a_note_that_a_crash_emptied_is_no_hash(tmp_path: Path, parameters: dict[str, Any]) -> None:
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    found = Checkpoint(path, "").hash
    for note in (cache_folder() / "hashes").iterdir():
        note.write_text("")
    assert Checkpoint(path, "").hash == found


def test_a_folder_may_be_called_anything(tmp_path: Path, checkpoint: Path) -> None:
    odd = tmp_path / "odd\udce9"
    odd.mkdir()
    shutil.copy(checkpoint, odd)
    assert Checkpoint(odd / checkpoint.name, "").hash == Checkpoint(checkpoint, "").hash


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
def test_what_is_no_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"a\.safetensors - not a (readable|CLIP)"):
        open_checkpoint(None, path)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(WeightsError, match=r"nowhere - there is no such weights file - give"):
        open_checkpoint(None, "nowhere")


def test_every_released_backbone_has_its_addresses() -> None:
    assert len({release.hub_repository for release in RELEASES.values()}) == len(RELEASES) == 9
    for name, release in RELEASES.items():
        assert name == release.backbone
        assert release.hub_repository.startswith("timm/")
        assert re.fullmatch(r"[0-9a-f]{64}", release.sha256)
    assert RELEASES["ViT-L/14@336px"].openai_address == (
        "https://openaipublic.azureedge.net/clip/models/"
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02/ViT-L-14-336px.pt"
    )


def test_offline_with_an_empty_cache_names_the_ways_out() -> None:
    with pytest.raises(
        WeightsError,
        match=r"RN50 - its weights are not on this machine .* - go online once, set HF_ENDPOINT to "
        r"a mirror, give a file with weights=FILE \(--weights FILE\) or take the small backbone "
        r"that comes with magiqa: nano \(--backbone nano\)",
    ):
        open_checkpoint(None, None)


def test_an_unknown_backbone_gets_the_nearest_names() -> None:
    with pytest.raises(WeightsError, match=r"backbone - no 'RN5O' - did you mean RN50"):
        open_checkpoint("RN5O", None)


def test_a_file_of_another_backbone_is_told(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match=r"holds resnet-1-1-1-1x8, not RN50 - leave the backb"):
        open_checkpoint("RN50", checkpoint)


def test_a_users_file_is_verified_by_its_structure_and_values(
    tmp_path: Path, parameters: dict[str, Any], checkpoint: Path
) -> None:
    own = sources.Source(checkpoint, "file")
    told = "structure of resnet-1-1-1-1x8 and finite values; no SHA-256 known"
    assert verify(own) == told
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    _ = Checkpoint(path, "").hash  # remembered, and not to be relied on
    stat = path.stat()
    raw = bytearray(path.read_bytes())
    raw[-4:] = b"\xff" * 4
    path.write_bytes(raw)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    with pytest.raises(WeightsError, match="holds values that are not finite"):
        verify(sources.Source(path, "file"))


def test_a_users_copy_of_openais_file_is_recognised(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release("RN50", 1, "", file_sha256(checkpoint))
    monkeypatch.setitem(RELEASES, "RN50", release)
    assert verify(sources.Source(checkpoint, "file")) == "SHA-256 of OpenAI's RN50.pt"


@pytest.mark.parametrize("cut", [1, 1000])
def test_a_file_that_was_cut_is_told(tmp_path: Path, checkpoint: Path, cut: int) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(checkpoint.read_bytes()[:-cut])
    with pytest.raises(WeightsError, match=r"a\.safetensors - not a readable safetensors file"):
        open_checkpoint(None, path)


def test_a_file_that_shrinks_while_it_is_read_is_told(
    tmp_path: Path, parameters: dict[str, Any]
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    opened = open_checkpoint(None, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"parameter \S+ is not where the header says - give an"):
        opened.digest()


def test_the_cache_folder_is_the_platforms_unless_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAGIQA_CACHE", "/somewhere")
    assert cache_folder() == Path("/somewhere")
    monkeypatch.delenv("MAGIQA_CACHE")
    assert cache_folder().name == "magiqa"
    assert json.dumps(str(cache_folder()))
