"""Released weights over the wire, from a hub and an OpenAI that are on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import recipe
from archives import as_openai_stores, torchscript_file
from clip.hub_server import Server, serving
from magiqa import WeightsError
from magiqa.clip import hub, releases, sources
from magiqa.clip.cache import cache_folder, file_sha256
from magiqa.clip.releases import HUB_FILE, RELEASES, Release
from magiqa.clip.weights import Checkpoint, open_checkpoint, pull, verify

TINY = "resnet-1-1-1-1x8"
REPOSITORY = "timm/tiny_clip.openai"
ROUTE = f"/{REPOSITORY}/resolve/main/{HUB_FILE}"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network as OpenAI would release it."""
    path = tmp_path_factory.mktemp("openai") / "tiny.pt"
    return torchscript_file(as_openai_stores(recipe.checkpoint("tiny-resnet")), path)


class World(SimpleNamespace):
    """A hub with its CDN and OpenAI's server, all of which have the tiny network."""

    hub: Server
    cdn: Server
    openai: Server
    constants: Any
    """Of the hub's library, which reads the environment when it is loaded."""
    release: Release
    cdn_path: str

    @property
    def openai_path(self) -> str:
        return self.release.openai_address.removeprefix(self.openai.address)

    def left(self) -> list[str]:
        """Files of weights under their final or another name, in both caches."""
        folders = Path(self.constants.HF_HUB_CACHE), cache_folder() / "openai"
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        return [
            file.name for file in files if re.search(r"[0-9a-f]{64}$|safetensors$|\.pt$", file.name)
        ]


@pytest.fixture
def world(
    checkpoint: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    from huggingface_hub import constants  # after conftest has told it to stay offline

    release = Release(TINY, 1, REPOSITORY, file_sha256(archive))
    with serving() as of_hub, serving() as cdn, serving() as openai:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path / "magiqa"))
        monkeypatch.setattr("time.sleep", lambda _: None)  # the hub's library is patient
        template = of_hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in (
            ("ENDPOINT", of_hub.address),
            ("HUGGINGFACE_CO_URL_TEMPLATE", template),
            ("HF_HUB_CACHE", str(tmp_path / "hub")),
            ("HF_HUB_OFFLINE", False),
        ):
            monkeypatch.setattr(constants, name, value)
        monkeypatch.setitem(RELEASES, TINY, release)
        monkeypatch.setattr(releases, "OPENAI", openai.address)
        openai.files[release.openai_address.removeprefix(openai.address)] = archive.read_bytes()
        cdn_path = of_hub.add_hub_file(REPOSITORY, HUB_FILE, checkpoint.read_bytes(), cdn)
        servers = {"hub": of_hub, "cdn": cdn, "openai": openai}
        yield World(**servers, constants=constants, release=release, cdn_path=cdn_path)


def test_the_hub_comes_first_and_is_asked_once(world: World, checkpoint: Path) -> None:
    first = pull(TINY)
    assert first.origin == f"{REPOSITORY}/{HUB_FILE}"
    assert first.sha256 == file_sha256(checkpoint)
    assert first.path.read_bytes() == checkpoint.read_bytes()
    asked = len(world.hub.asked)
    assert pull(TINY) == first
    assert open_checkpoint(TINY, None).origin == first.origin
    assert len(world.hub.asked) == asked
    assert not world.openai.asked
    assert verify(first) == f"SHA-256 as told by {REPOSITORY}/{HUB_FILE}"


def test_the_hubs_own_cache_serves_offline(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pull(TINY)
    monkeypatch.setenv("MAGIQA_CACHE", str(cache_folder() / "another"))
    monkeypatch.setattr(world.constants, "HF_HUB_OFFLINE", True)
    asked = len(world.hub.asked)
    assert pull(TINY) == first
    assert len(world.hub.asked) == asked


def test_without_links_the_hub_is_asked_for_its_checksum(
    world: World, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world.constants, "HF_HUB_DISABLE_SYMLINKS", True)
    monkeypatch.setattr("huggingface_hub.file_download._are_symlinks_supported_in_dir", {})
    source = pull(TINY)
    assert not source.path.is_symlink()
    assert source.sha256 == file_sha256(checkpoint)
    monkeypatch.setenv("MAGIQA_CACHE", str(cache_folder() / "another"))
    world.hub.status[ROUTE] = 503
    assert pull(TINY).sha256 == ""


def test_a_cut_connection_to_the_hub_is_taken_up_again(world: World, checkpoint: Path) -> None:
    block = world.constants.DOWNLOAD_CHUNK_SIZE
    world.cdn.cut[world.cdn_path] = block + 100_000
    assert pull(TINY).path.read_bytes() == checkpoint.read_bytes()
    assert world.cdn.gets() == [None, f"bytes={block}-"]


@pytest.mark.parametrize("failure", [404, 503, "another file", "a shorter file"])
def test_openai_steps_in_for_the_hub(world: World, failure: int | str, checkpoint: Path) -> None:
    content = world.cdn.files[world.cdn_path]
    if isinstance(failure, int):
        world.hub.status[ROUTE] = failure
    else:
        world.cdn.files[world.cdn_path] = content[:9999] if "short" in failure else content[::-1]
    told: list[int] = []
    source = pull(TINY, lambda there, _: told.append(there))
    assert source.path == cache_folder() / "openai" / f"{TINY}.pt"
    assert source.origin == world.release.openai_address
    assert told[-1] == source.path.stat().st_size
    assert world.left() == [f"{TINY}.pt"]
    opened = open_checkpoint(TINY, None)
    assert opened.origin == source.origin
    assert opened.hash == Checkpoint(checkpoint, "").hash
    assert verify(source) == f"SHA-256 as told by {source.origin}"
    assert len(world.openai.asked) == 1


def test_when_both_fail_both_reasons_and_the_ways_out_are_told(world: World) -> None:
    world.cdn.files[world.cdn_path] = b"#" * len(world.cdn.files[world.cdn_path])
    world.openai.cut[world.openai_path] = 1000
    with pytest.raises(
        WeightsError,
        match=rf"{TINY} - its weights are not on this machine and could not be fetched, from "
        rf"{REPOSITORY} \(SHA-256 expected \w+, got \w+\) or from OpenAI \(cut after 1000 of "
        r"\d+ bytes, the next try goes on from there\) - go online once, set HF_ENDPOINT to a "
        r"mirror, give a file with weights=FILE \(--weights FILE\) or take the small backbone that "
        r"comes with magiqa: nano \(--backbone nano\)",
    ):
        pull(TINY)
    assert world.left() == []
    assert not sources.on_this_machine(world.release)


@pytest.mark.parametrize(("hub_says", "reason"), [(404, "404"), (503, "503")])
def test_the_reason_is_one_short_line(world: World, hub_says: int, reason: str) -> None:
    world.hub.status[ROUTE] = hub_says
    world.openai.status[world.openai_path] = 503
    with pytest.raises(WeightsError, match=rf"{reason}.*HTTP Error 503") as caught:
        pull(TINY)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_hub_that_sends_another_model_is_told(world: World, tmp_path: Path) -> None:
    other = recipe.checkpoint_file("tiny-vit", tmp_path / "other").read_bytes()
    world.hub.add_hub_file(REPOSITORY, HUB_FILE, other, world.cdn)
    with pytest.raises(WeightsError, match=rf"fetched as {TINY} but holds vit32-2x64 - delete it"):
        pull(TINY)
    assert not sources.on_this_machine(world.release)


def test_offline_openai_is_not_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=r"offline mode.*OpenAI \(not asked, HF_HUB_OFFLINE is"):
        pull(TINY)
    assert not world.hub.asked
    assert not world.openai.asked


def test_a_file_that_was_deleted_is_fetched_again(world: World) -> None:
    first = pull(TINY)
    first.path.resolve().unlink()
    assert not sources.on_this_machine(world.release)
    assert pull(TINY) == first


@pytest.mark.usefixtures("world")
def test_a_file_that_changed_is_found_out() -> None:
    source = pull(TINY)
    content = bytearray(source.path.read_bytes())
    content[-1] ^= 1
    source.path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"its SHA-256 is \w+, not \w+ as timm/tiny.* - delete"):
        verify(source)


def test_the_tokenizer_is_fetched_once(world: World) -> None:
    world.hub.add_hub_file(REPOSITORY, hub.TOKENIZER_FILE, b"{}", world.cdn)
    file = hub.fetch(world.release, hub.TOKENIZER_FILE)
    hub.keep(world.release, hub.TOKENIZER_FILE, file)
    assert hub.recall(world.release, hub.TOKENIZER_FILE) == file
    assert file.path.read_bytes() == b"{}"
    assert hub.recall(world.release, HUB_FILE) is None
