"""Files of Hugging Face hub repositories: fetched by its own library, checked, and remembered."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from magiqa.clip.cache import cache_folder, file_sha256, remember
from magiqa.clip.releases import HUB_FILE, Release

TOKENIZER_FILE = "tokenizer.json"
_NOTES = {HUB_FILE: "backbones", TOKENIZER_FILE: "tokenizers"}


class HubFile(NamedTuple):
    """A file of a release's repository, on this machine."""

    path: Path
    sha256: str
    """As the hub tells it; empty where it does not."""


def recall(release: Release, name: str) -> HubFile | None:
    """The file where `keep` noted it, without the hub's library, for that takes long to load."""
    note = _note(release, name)
    if not note.exists():
        return None
    path, _, sha256 = note.read_text("utf-8").partition("\n")
    return HubFile(Path(path), sha256) if Path(path).is_file() else None


def keep(release: Release, name: str, file: HubFile) -> None:
    """Note where a file is."""
    remember(_note(release, name), f"{file.path}\n{file.sha256}".encode())


def fetch(release: Release, name: str) -> HubFile:
    """The file out of the hub's own cache or from the hub, as HF_HOME, HF_ENDPOINT and so on say.

    Its SHA-256 is compared with the hub's. Raises OSError that says what went wrong.
    """
    from huggingface_hub import hf_hub_download

    try:
        path = Path(hf_hub_download(release.hub_repository, name))
    except Exception as error:  # the hub's, the network's and the file system's own kinds
        raise OSError(_reason(error)) from error
    sha256 = _sha256_told(path, release, name)
    if sha256 and (got := file_sha256(path)) != sha256:
        for file in (path.resolve(), path):
            file.unlink(missing_ok=True)
        raise OSError(f"SHA-256 expected {sha256}, got {got}")
    return HubFile(path, sha256)


def offline() -> bool:
    """Whether HF_HUB_OFFLINE is set."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _note(release: Release, name: str) -> Path:
    return cache_folder() / _NOTES[name] / release.backbone.replace("/", "-")


def _sha256_told(path: Path, release: Release, name: str) -> str:
    """The hub names large files by their SHA-256, and its cache's links point to that name."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    told = path.readlink().name if path.is_symlink() else ""
    if not told:  # a file system without links
        try:
            told = get_hf_file_metadata(hf_hub_url(release.hub_repository, name)).etag or ""
        except Exception:  # as above; the file was there before, and the hub is not
            return ""
    return told if re.fullmatch("[0-9a-f]{64}", told) else ""


def _reason(error: BaseException) -> str:
    """The first line of what stands at the root of the hub's own errors."""
    while error.__cause__ and str(error.__cause__).strip():
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0] if lines else repr(error)
