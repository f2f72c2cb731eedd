from __future__ import annotations

import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clip.hub_server import serving
from magiqa import __version__
from magiqa.cli import app
from magiqa.clip import hub
from magiqa.clip.releases import HUB_FILE, RELEASES


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home" / "cache"
    monkeypatch.setenv("MAGIQA_CACHE", str(folder))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return folder


def doctor() -> dict[str, str]:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    return {line[:16].rstrip(" :"): line[17:] for line in lines} | {"all": result.stdout}


@pytest.fixture
def constants(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The hub's library, online."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(urllib.request, "_opener", None)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return constants


@pytest.mark.usefixtures("cache")
def test_versions_providers_and_cores_are_told() -> None:
    found = doctor()
    assert found["magiqa"] == __version__
    assert found["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    for library in ("onnxruntime", "onnx", "numpy", "Pillow", "huggingface_hub"):
        assert found[library][0].isdigit()
    assert "CPUExecutionProvider" in found["providers"]
    assert "usable of" in found["cores"]
    assert "WARNING" not in found
    assert "huggingface.co not asked, HF_HUB_OFFLINE is set" in found["hub"]


def test_the_cache_and_what_is_in_it_are_told_without_the_home_folder(
    cache: Path, checkpoint: Path
) -> None:
    (cache / "openai").mkdir(parents=True)
    (cache / "openai" / "RN50.pt.part").write_bytes(bytes(1_500_000))
    hub.keep(RELEASES["RN101"], HUB_FILE, hub.HubFile(checkpoint, ""))
    found = doctor()
    assert found["cache"].replace("\\", "/") == "~/cache, writable"
    assert "openai: 1 file, 1.5 MB" in found["all"]
    assert found["weights"] == "nano, RN101"
    assert str(cache.parent) not in found["all"]


def test_a_cache_that_cannot_be_written_is_told(cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in the way")
    assert "NOT writable (File exists): set MAGIQA_CACHE to a folder that is" in doctor()["cache"]


@pytest.mark.usefixtures("cache")
def test_two_runtimes_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "onnxruntime_gpu-1.20.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.20\n")
    (other / "top_level.txt").write_text("onnxruntime\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    warning = doctor()["WARNING"]
    assert warning.startswith("2 ONNX Runtimes are installed, onnxruntime and onnxruntime-gpu, and")
    assert "pip uninstall onnxruntime onnxruntime-gpu" in warning


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("module", ["onnxruntime", "huggingface_hub"])
def test_a_library_that_does_not_load_is_a_finding(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert f"{module} does not load" in doctor()["all"]


@pytest.mark.usefixtures("cache")
def test_a_hub_that_answers_is_told_without_its_password(
    constants: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        server.files[""] = server.files["/"] = b"hello"
        assert doctor()["hub"] == "127.0.0.1 answers"
        server.files.clear()
        assert doctor()["hub"] == "127.0.0.1 answers (404)"
    assert "127.0.0.1 does not answer" in doctor()["hub"]
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:secret@127.0.0.1:1")
    monkeypatch.setenv("HF_ENDPOINT", "http://me:secret@127.0.0.1:1")
    monkeypatch.setenv("HF_TOKEN", "secret")
    found = doctor()
    assert "secret" not in found["all"]
    assert "HF_ENDPOINT" in found["environment"]
    for broken in ("mirror.example/secret", "http://[secret"):
        monkeypatch.setattr(constants, "ENDPOINT", broken)
        assert doctor()["hub"].startswith("HF_ENDPOINT is no address of a server - give https://")
