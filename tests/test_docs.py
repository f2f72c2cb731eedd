"""What README and docs show is run, and what they name exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import recipe

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OTHERS = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "training/README.md")


def blocks(language: str) -> list[tuple[str, str]]:
    """(document, code) of each fenced block."""
    return [
        (document.name, block)
        for document in DOCUMENTS
        for block in re.findall(rf"```{language}\n(.*?)```", document.read_text(), re.DOTALL)
    ]


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Path) -> Path:
    """A user's folder; RN50 was "fetched" before, but is the tiny network."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for seed, name in enumerate(("photo.jpg", "other.png", "photos/a.jpg", "photos/b.jpg")):
        Image.fromarray(recipe.picture(260, 360, seed)).save(tmp_path / name)
    rated = ("photo.jpg,1", "other.png,3", "photos/a.jpg,2", "photos/b.jpg,4")
    (tmp_path / "rated.csv").write_text("\n".join(("path,mos", *rated)))
    (tmp_path / "list.csv").write_text("image,label\nphotos/a.jpg,x\n")
    for name, kind in (("shard", "tar"), ("archive", "zip")):
        shutil.make_archive(name, kind, root_dir=tmp_path / "photos")
    shutil.copy(checkpoint, tmp_path / "clip.safetensors")
    memory = tmp_path / "cache" / "backbones" / "RN50"
    memory.parent.mkdir(parents=True)
    memory.write_text(str(checkpoint))
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.mark.usefixtures("user")
def test_python_examples_run() -> None:
    examples = blocks("python")
    assert examples
    for name, code in examples:
        exec(compile(code, name, "exec"), {})


@pytest.mark.usefixtures("user")
def test_command_examples_run() -> None:
    lines = [line[2:] for _, block in blocks("console") for line in block.splitlines() if line]
    commands = [line for line in lines if line != "pip install magiqa"]
    assert len(commands) >= 15
    for command in commands:
        assert "magiqa " in command
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)


def test_links_lead_somewhere() -> None:
    for document in [*DOCUMENTS, *(ROOT / name for name in OTHERS)]:
        for link in re.findall(r"\]\(([^)#]+)", document.read_text()):
            assert link.startswith("https://") or (document.parent / link).exists(), link


def test_architecture_names_every_file() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 90
    source = ROOT / "src" / "magiqa"
    for path in source.rglob("*.py"):
        name = str(path.relative_to(source))
        if path.read_text().count("\n") > 1:  # a package's one-line docstring needs no map
            assert f"`{name}`" in text, name
    for name in re.findall(r"`((?:\w+/)*\w+\.py)`", text):
        assert list(ROOT.rglob(name)), name


def test_the_method_names_functions_that_exist() -> None:
    from magiqa import equations

    table = (ROOT / "docs" / "method.md").read_text()
    for name in re.findall(r"\| `(\w+)` \|", table):
        assert callable(getattr(equations, name))
