"""Where CLIP weights come from, what they are known by, and where derived files are kept."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from magiqa.atomic import replacing
from magiqa.clip.architecture import Architecture, read_architecture
from magiqa.clip.towers import Floats
from magiqa.errors import WeightsError, nearest

HUB_FILE = "open_clip_model.safetensors"


@dataclass(frozen=True, slots=True)
class Release:
    """One of OpenAI's released backbones."""

    backbone: str
    hub_repository: str


RELEASES = {
    release.backbone: release
    for release in (
        Release("RN50", "timm/resnet50_clip.openai"),
        Release("RN101", "timm/resnet101_clip.openai"),
        Release("RN50x4", "timm/resnet50x4_clip.openai"),
        Release("RN50x16", "timm/resnet50x16_clip.openai"),
        Release("RN50x64", "timm/resnet50x64_clip.openai"),
        Release("ViT-B/32", "timm/vit_base_patch32_clip_224.openai"),
        Release("ViT-B/16", "timm/vit_base_patch16_clip_224.openai"),
        Release("ViT-L/14", "timm/vit_large_patch14_clip_224.openai"),
        Release("ViT-L/14@336px", "timm/vit_large_patch14_clip_336.openai"),
    )
}


class Checkpoint:
    """One CLIP checkpoint on disk, read a parameter at a time."""

    def __init__(self, path: Path, origin: str) -> None:
        """`origin` tells where the file is from, for provenance. Raises WeightsError."""
        self.path = path
        self.origin = origin
        if not path.is_file():
            raise WeightsError(
                f"{path} - there is no such weights file - give the path of a CLIP checkpoint in "
                f"safetensors format"
            )

    @cached_property
    def architecture(self) -> Architecture:
        """Its sizes, every parameter checked by name and shape; WeightsError names the offender."""
        with self._open() as file:
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        return read_architecture(shapes, str(self.path))

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the parameters' names, shapes and float32 values in the order of names.

        The same model in another file format or storage type has the same hash. It is remembered
        by the file's path, size and time of change, for it costs a second.
        """
        stat = self.path.stat()
        identity = f"{self.path.resolve()}\n{stat.st_size}\n{stat.st_mtime_ns}"
        memory = cache_folder() / "hashes" / hashlib.sha256(identity.encode()).hexdigest()[:32]
        if memory.exists():
            return memory.read_text()
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
        remember(memory, digest.hexdigest().encode())
        return digest.hexdigest()

    @property
    def cache(self) -> Path:
        """Folder of what was derived from this checkpoint."""
        return cache_folder() / self.hash[:16]

    def read(self, name: str) -> Floats:
        """One parameter, widened or narrowed to float32."""
        # opened anew each time: an open file keeps every page that was ever touched in memory
        with self._open() as file:
            stored = file.get_slice(name).get_dtype()
            if stored not in ("F64", "F32", "F16"):
                raise WeightsError(
                    f"{self.path} - parameter {name} is stored as {stored} - save the checkpoint "
                    f"in float32 or float16"
                )
            values: Floats = file.get_tensor(name).astype(np.float32, copy=False)
        return values

    @contextmanager
    def _open(self) -> Iterator[Any]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="np") as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise WeightsError(
                f"{self.path} - not a readable safetensors file ({error}) - give a CLIP checkpoint "
                f"in safetensors format"
            ) from error


def open_checkpoint(backbone: str | None, file: str | os.PathLike[str] | None) -> Checkpoint:
    """The checkpoint of a file when one is given, else of a released backbone (default RN50).

    A released backbone is taken from where it was found before, else downloaded from its hub
    repository. Raises WeightsError when there is none or the file holds another backbone.
    """
    if file is None:
        return _released(backbone or "RN50")
    checkpoint = Checkpoint(Path(file), "file")
    found = checkpoint.architecture.backbone
    if backbone is not None and backbone != found:
        raise WeightsError(
            f"{file} - holds {found}, not {backbone} - leave the backbone out or name {found}"
        )
    return checkpoint


def cache_folder() -> Path:
    """Where derived files are kept: MAGIQA_CACHE, else the platform's cache folder."""
    chosen = os.environ.get("MAGIQA_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("magiqa", appauthor=False)


def remember(path: Path, content: bytes) -> None:
    """Keep something small in the cache; where that fails it is worked out anew each time."""
    try:
        with replacing(path) as part:
            part.write_bytes(content)
    except OSError:
        pass


def _released(backbone: str) -> Checkpoint:
    if backbone not in RELEASES:
        raise WeightsError(f"backbone - no {backbone!r} - {nearest(backbone, RELEASES)}")
    repository = RELEASES[backbone].hub_repository
    origin = f"{repository}/{HUB_FILE}"
    memory = cache_folder() / "backbones" / backbone.replace("/", "-")
    if memory.exists() and Path(memory.read_text()).is_file():
        return Checkpoint(Path(memory.read_text()), origin)
    from huggingface_hub import hf_hub_download

    try:
        path = hf_hub_download(repository, HUB_FILE)
    except Exception as error:  # the hub's, the network's and the file system's own kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise WeightsError(
            f"{backbone} - its weights are not on this machine and {repository} could not be "
            f"fetched ({reason}) - go online once, set HF_ENDPOINT to a mirror, or give a file "
            f"with weights=FILE (--weights FILE)"
        ) from error
    checkpoint = Checkpoint(Path(path), origin)
    if checkpoint.architecture.backbone != backbone:
        raise WeightsError(
            f"{path} - fetched as {backbone} but holds {checkpoint.architecture.backbone} - delete "
            f"it and check HF_ENDPOINT"
        )
    remember(memory, path.encode())
    return checkpoint
