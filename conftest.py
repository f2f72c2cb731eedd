"""Fixtures for the tests, the doctests and the documents' examples."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

import recipe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from magiqa import Scorer

CHECKPOINTS = Path(__file__).parent / ".cache" / "checkpoints"


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache folder of this run's own, and no network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAGIQA_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="session")
def checkpoint() -> Path:
    """A random network, so small that it scores in milliseconds."""
    return recipe.checkpoint_file("tiny-resnet", CHECKPOINTS)


@pytest.fixture(scope="session")
def tiny(checkpoint: Path) -> Scorer:
    """A scorer on it, with default settings."""
    from magiqa import Scorer

    return Scorer(weights=checkpoint)


@pytest.fixture
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG of 300x260 pixels, in a folder of its own."""
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Image.fromarray(recipe.picture(260, 300, seed=11)).save(path, quality=90)
    return path


@pytest.fixture(autouse=True)
def _doctest_names(
    doctest_namespace: dict[str, Any],
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    photo: Path,
) -> None:
    """Doctests find a checkpoint, and photo.jpg in the current folder."""
    doctest_namespace["checkpoint"] = checkpoint
    monkeypatch.chdir(photo.parent)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the repository, for tests marked `data`."""
    return Path(__file__).parents[1] / "shared"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Where CI is set there must be one."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing = "no Chromium here - install the package chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
