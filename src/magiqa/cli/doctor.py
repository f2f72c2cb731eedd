"""`magiqa doctor`."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

_LIBRARIES = (
    "onnxruntime",
    "onnx",
    "numpy",
    "Pillow",
    "safetensors",
    "huggingface_hub",
    "tokenizers",
    "torch",
)
_PATIENCE = 3  # seconds for the hub
_VARIABLES = (  # named when set; what they hold may be secret
    "HF_ENDPOINT",
    "HF_HUB_OFFLINE",
    "HF_HOME",
    "MAGIQA_CACHE",
    "HTTPS_PROXY",
    "https_proxy",
)


def doctor() -> None:
    """Say what a bug report needs to know.

    Versions, execution providers, cores, cache and hub, as plain text to copy. Nothing secret is in
    it: no tokens, no values of variables, ~ for the home folder.
    """
    home = str(Path.home())
    for name, text in _findings():
        shown = text.replace(home, "~") if len(home) > 1 else text
        typer.echo(f"{name and name + ':':<16} {shown}")


def _findings() -> Iterator[tuple[str, str]]:
    from magiqa import __version__

    yield "magiqa", __version__
    yield "Python", f"{platform.python_version()}, {platform.platform()}"
    for library in _LIBRARIES:
        yield library, _version(library)
    yield "providers", _providers()
    runtimes = _runtimes()
    if len(runtimes) > 1:
        yield (
            "WARNING",
            f"{len(runtimes)} ONNX Runtimes are installed, {' and '.join(runtimes)}, and overwrite "
            f"each other - pip uninstall {' '.join(runtimes)}, then install the one you want",
        )
    yield "cores", _cores()
    yield "environment", ", ".join(name for name in _VARIABLES if os.environ.get(name)) or "-"
    yield from _cache()
    yield "weights", _weights()
    yield "hub", _hub()


def _version(library: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _providers() -> str:
    from magiqa.clip.onnx_engine import runtime

    try:
        onnxruntime = runtime()
    except ImportError as error:
        return f"onnxruntime does not load ({error})"
    return ", ".join(onnxruntime.get_available_providers()) + "; CPU unless told"


def _runtimes() -> list[str]:
    """The distributions that bring a module `onnxruntime`, as onnxruntime-gpu does too."""
    from importlib.metadata import packages_distributions

    return sorted(set(packages_distributions().get("onnxruntime", [])))


def _cores() -> str:
    from magiqa.clip.onnx_engine import available_cores

    return f"{available_cores()} usable of {os.cpu_count()}; unless told, a thread each"


def _cache() -> Iterator[tuple[str, str]]:
    from magiqa.clip.cache import cache_folder

    folder = cache_folder()
    yield "cache", f"{folder}, {_writable(folder)}"
    listed = os.path.isdir(folder) and os.access(folder, os.R_OK | os.X_OK)
    for entry in sorted(folder.iterdir()) if listed else []:
        files = [file for file in [entry, *entry.rglob("*")] if file.is_file()]
        size = sum(file.stat().st_size for file in files) / 1e6
        yield (
            "",
            f"{entry.name}: {len(files)} {'file' if len(files) == 1 else 'files'}, {size:.1f} MB",
        )


def _writable(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return "writable"
    except OSError as error:
        return f"NOT writable ({error.strerror}): set MAGIQA_CACHE to a folder that is"


def _weights() -> str:
    from magiqa.clip.releases import RELEASES
    from magiqa.clip.sources import on_this_machine

    fetched = [name for name, release in RELEASES.items() if on_this_machine(release)]
    return ", ".join(["nano", *fetched])


def _hub() -> str:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    try:
        from huggingface_hub import constants
    except ImportError as error:
        return f"huggingface_hub does not load ({error})"
    try:
        host = urlsplit(constants.ENDPOINT).hostname
    except ValueError:
        host = None
    if host is None:
        return "HF_ENDPOINT is no address of a server - give https:// and its name"
    if constants.HF_HUB_OFFLINE:
        return f"{host} not asked, HF_HUB_OFFLINE is set"
    try:
        with urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=_PATIENCE):
            return f"{host} answers"
    except HTTPError as error:
        error.close()
        return f"{host} answers ({error.code})"
    except (OSError, HTTPException, ValueError) as error:
        return f"{host} does not answer ({getattr(error, 'reason', error)})"
