"""CLIP checkpoints: opened from a file or by a backbone's name, and what they are known by."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path

import numpy as np

from magiqa.clip import sources
from magiqa.clip.architecture import Architecture, read_architecture
from magiqa.clip.archive import Archive, is_archive
from magiqa.clip.cache import cache_folder, file_sha256, remember
from magiqa.clip.download import Progress
from magiqa.clip.releases import RELEASES, release_of
from magiqa.clip.safetensors_file import SafetensorsFile
from magiqa.clip.sources import Source
from magiqa.clip.towers import Floats
from magiqa.errors import WeightsError


class Checkpoint:
    """One CLIP checkpoint on disk, of safetensors or `.pt` format, read a parameter at a time."""

    def __init__(self, path: Path, origin: str) -> None:
        """`origin` tells where the file is from, for provenance. Raises WeightsError."""
        self.path = path
        self.origin = origin
        if not path.is_file():
            raise WeightsError(
                f"{path} - there is no such weights file - give the path of a CLIP checkpoint: "
                f"safetensors or .pt"
            )

    @cached_property
    def architecture(self) -> Architecture:
        """Its sizes, every parameter checked by name and shape; WeightsError names the offender."""
        return read_architecture(self._file.shapes(), str(self.path))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the parameters' names, shapes and float32 values in the order of names.

        The same model in another file format or storage type has the same hash. It is remembered
        by the file's path, size and time of change, for it costs a second.
        """
        stat = self.path.stat()
        identity = f"{self.path.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}"
        memory = cache_folder() / "hashes" / hashlib.sha256(os.fsencode(identity)).hexdigest()[:32]
        with suppress(OSError):
            if len(known := memory.read_text()) == 64:
                return known
        found = self.digest()
        remember(memory, found.encode())
        return found

    def digest(self) -> str:
        """`hash`, worked out anew; WeightsError names a parameter that is not finite."""
        digest = hashlib.sha256()
        for name, shape in sorted(self.architecture.parameters().items()):
            values = self.read(name)
            if not np.isfinite(values).all():
                raise WeightsError(
                    f"{self.path} - parameter {name} holds values that are not finite - give an "
                    f"undamaged checkpoint"
                )
            digest.update(f"{name}{shape}".encode())
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()

    @property
    def cache(self) -> Path:
        """Folder of what was derived from this checkpoint."""
        return cache_folder() / self.hash[:16]

    def read(self, name: str) -> Floats:
        """One parameter, widened or narrowed to float32."""
        return self._file.read(name)

    @cached_property
    def _file(self) -> Archive | SafetensorsFile:
        return Archive(self.path) if is_archive(self.path) else SafetensorsFile(self.path)


def open_checkpoint(backbone: str | None, file: str | os.PathLike[str] | None) -> Checkpoint:
    """The checkpoint of a file when one is given, else of a backbone by name (default RN50).

    Raises WeightsError when there is none or the file holds another backbone.
    """
    if file is None:
        source = pull(backbone or "RN50")
        return Checkpoint(source.path, source.origin)
    checkpoint = Checkpoint(Path(file), "file")
    found = checkpoint.architecture.backbone
    if backbone is not None and backbone != found:
        raise WeightsError(
            f"{file} - holds {found}, not {backbone} - leave the backbone out or name {found}"
        )
    return checkpoint


def pull(backbone: str, progress: Progress | None = None) -> Source:
    """A backbone's weights: magiqa's own, or from where they were found before, else fetched.

    `progress` follows a download from OpenAI; the hub's library shows its own. Raises WeightsError.
    """
    if backbone == sources.NANO:
        return sources.packaged()
    release = release_of(backbone)
    if found := sources.on_this_machine(release):
        return found[0]
    source = sources.fetch(release, progress)
    architecture = Checkpoint(source.path, source.origin).architecture
    if architecture.backbone != backbone:
        raise WeightsError(
            f"{source.path} - fetched as {backbone} but holds {architecture.backbone} - delete it "
            f"and check HF_ENDPOINT"
        )
    sources.keep(release, source)
    return source


def verify(source: Source) -> str:
    """Read a file of weights anew and tell what it was compared with; WeightsError if it is wrong.

    Without a SHA-256 to compare with, its structure is checked and that its values are finite.
    """
    checkpoint = Checkpoint(source.path, source.origin)
    got = file_sha256(source.path)
    if source.sha256:
        if got != source.sha256:
            raise WeightsError(
                f"{source.path} - its SHA-256 is {got}, not {source.sha256} as {source.origin} "
                f"tells - delete it and pull it again"
            )
        return f"SHA-256 as told by {source.origin}"
    for release in RELEASES.values():
        if got == release.sha256:
            return f"SHA-256 of OpenAI's {release.openai_file}"
    checkpoint.digest()
    return f"structure of {checkpoint.architecture.backbone} and finite values; no SHA-256 known"
