"""Where a backbone's weights come from: the package, this machine, the hub, OpenAI."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from magiqa.clip import hub
from magiqa.clip.cache import cache_folder
from magiqa.clip.download import Progress, download
from magiqa.clip.releases import HUB_FILE, Release
from magiqa.errors import WeightsError

NANO = "nano"
NANO_SHA256 = "168499367be770849611945baed24a643ec6eedbe257b7c92e6b493993e56e57"


class Source(NamedTuple):
    """A file of weights on this machine, and what is known of it."""

    path: Path
    origin: str
    """Where it is from, for provenance."""
    sha256: str = ""
    """Of the file, as told by where it is from; empty where nobody told."""


def packaged() -> Source:
    """`nano`, the small backbone that comes with magiqa (training/ made it)."""
    return Source(Path(__file__).with_name("nano.safetensors"), "magiqa", NANO_SHA256)


def on_this_machine(release: Release) -> list[Source]:
    """What was fetched before, best first."""
    file = hub.recall(release, HUB_FILE)
    own = _openai_path(release)
    found = [_of_hub(release, file)] if file else []
    return found + ([_of_openai(release)] if own.is_file() else [])


def fetch(release: Release, progress: Progress | None = None) -> Source:
    """The weights from the hub, else OpenAI's own file, checked by their SHA-256.

    Raises WeightsError with both reasons and the ways out.
    """
    try:
        return _of_hub(release, hub.fetch(release, HUB_FILE))
    except OSError as error:
        of_the_hub = error
    try:
        if hub.offline():
            raise OSError("not asked, HF_HUB_OFFLINE is set")
        download(release.openai_address, release.sha256, _openai_path(release), progress)
    except OSError as error:
        raise WeightsError(
            f"{release.backbone} - its weights are not on this machine and could not be fetched, "
            f"from {release.hub_repository} ({of_the_hub}) or from OpenAI ({error}) - go online "
            f"once, set HF_ENDPOINT to a mirror, give a file with weights=FILE (--weights FILE) or "
            f"take the small backbone that comes with magiqa: {NANO} (--backbone {NANO})"
        ) from error
    return _of_openai(release)


def keep(release: Release, source: Source) -> None:
    """Have `on_this_machine` find what was fetched."""
    if source.path != _openai_path(release):
        hub.keep(release, HUB_FILE, hub.HubFile(source.path, source.sha256))


def _openai_path(release: Release) -> Path:
    return cache_folder() / "openai" / release.openai_file


def _of_hub(release: Release, file: hub.HubFile) -> Source:
    return Source(file.path, f"{release.hub_repository}/{HUB_FILE}", file.sha256)


def _of_openai(release: Release) -> Source:
    return Source(_openai_path(release), release.openai_address, release.sha256)
