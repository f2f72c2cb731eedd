from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archives import as_openai_stores, torchscript_file
from clip.hub_server import Server, serving
from magiqa import WeightsError
from magiqa.cli import app
from magiqa.cli.weights import downloading
from magiqa.clip import hub, releases
from magiqa.clip.cache import file_sha256
from magiqa.clip.releases import HUB_FILE, RELEASES, Release
from recipe import checkpoint as parameters

TINY = "resnet-1-1-1-1x8"


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
    """The one released backbone: the tiny network, on OpenAI's server alone."""
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path / "cache"))
    path = torchscript_file(as_openai_stores(parameters("tiny-resnet")), tmp_path / "tiny.pt")
    release = Release(TINY, 12, "timm/tiny_clip.openai", file_sha256(path))
    for name in list(RELEASES):
        monkeypatch.delitem(RELEASES, name)
    monkeypatch.setitem(RELEASES, TINY, release)
    return release


@pytest.fixture
def fetched(release: Release, checkpoint: Path) -> Path:
    """It was fetched from the hub before."""
    hub.keep(release, HUB_FILE, hub.HubFile(checkpoint, file_sha256(checkpoint)))
    return checkpoint


def magiqa(*arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["weights", *map(str, arguments)])
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == exit_code, result.output
    return result.stdout


def test_list_shows_every_backbone_within_80_columns() -> None:
    shown = magiqa("list")
    assert max(map(len, shown.splitlines())) <= 80
    for name, release in RELEASES.items():
        size = f"{release.megabytes} MB"
        assert re.search(rf"^{name} +{size}  -  +{release.hub_repository}$", shown, re.M)
    assert re.search(r"^nano +\d\.\d MB  magiqa  - ", shown, re.M)
    assert "Licence: MIT" in shown


@pytest.mark.usefixtures("fetched")
def test_list_shows_what_is_on_this_machine() -> None:
    assert f"{TINY}   12 MB  hub     timm/tiny_clip.openai\n" in magiqa("list")


def test_pull_fetches_and_says_from_where(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(hub, "offline", lambda: False)
    with serving() as server:
        monkeypatch.setattr(releases, "OPENAI", server.address)
        whole = (tmp_path / "tiny.pt").read_bytes()
        server.files[release.openai_address.removeprefix(server.address)] = whole
        path = tmp_path / "cache" / "openai" / f"{TINY}.pt"
        for _ in range(2):
            assert magiqa("pull", TINY) == f"{TINY}: {path}\n    from {release.openai_address}\n"
        assert_asked_once(server)
        assert path.read_bytes() == whole
        assert f"{TINY}   12 MB  OpenAI" in magiqa("list")


def assert_asked_once(server: Server) -> None:
    assert [request.method for request in server.asked] == ["GET"]


def test_pull_knows_all_names_before_it_starts(fetched: Path) -> None:
    with pytest.raises(WeightsError, match=rf"no 'resnet-1' - did you mean {TINY}\?"):
        magiqa("pull", TINY, "resnet-1")
    assert magiqa("pull", TINY).startswith(f"{TINY}: {fetched}\n")


def test_verify_says_what_was_checked_against_what(fetched: Path, tmp_path: Path) -> None:
    by_the_hub = f"right: {fetched}\n    SHA-256 as told by timm/tiny_clip.openai/{HUB_FILE}\n"
    assert magiqa("verify", TINY) == by_the_hub
    assert magiqa("verify") == by_the_hub + magiqa("verify", "nano")
    assert "nano.safetensors\n    SHA-256 as told by magiqa\n" in magiqa("verify", "nano")
    shown = magiqa("verify", fetched, tmp_path / "tiny.pt")
    assert f"right: {fetched}\n    structure of {TINY} and finite values; no SHA-256 known" in shown
    assert f"right: {tmp_path / 'tiny.pt'}\n    SHA-256 of OpenAI's {TINY}.pt" in shown


def test_verify_goes_on_behind_what_is_wrong(fetched: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pt"
    wrong.write_text("nonsense")
    shown = magiqa("verify", wrong, fetched, exit_code=1)
    assert f"wrong: {wrong} - not a readable safetensors file" in shown
    assert f"right: {fetched}\n" in shown


def test_verify_finds_a_changed_download(
    release: Release, checkpoint: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(checkpoint.read_bytes()[:-1] + b"!")
    hub.keep(release, HUB_FILE, hub.HubFile(copy, file_sha256(checkpoint)))
    assert re.match(r"wrong: .*copy - its SHA-256 is \w+, not", magiqa("verify", exit_code=1))


@pytest.mark.usefixtures("release")
def test_verify_says_what_is_not_there() -> None:
    with pytest.raises(WeightsError, match=f"{TINY} - not on this machine - magiqa weights pull"):
        magiqa("verify", TINY)
    with pytest.raises(WeightsError, match=r"nowhere\.pt - neither a file nor a backbone - choose"):
        magiqa("verify", "nowhere.pt")


def test_a_bar_follows_a_download_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        patch.setenv("TERM", "xterm")
        with downloading("RN50") as progress:
            assert progress
            assert not terminal.getvalue()
            progress(100_000_000, 244_000_000)
            progress(244_000_000, 244_000_000)
    assert "RN50" in terminal.getvalue()
    assert "244.0/244.0 MB" in terminal.getvalue()


def test_in_a_pipe_there_is_no_bar() -> None:
    with downloading("RN50") as progress:
        assert progress is None
