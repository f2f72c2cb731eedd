from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import magiqa


def test_every_public_name_is_there_and_from_where_it_is_said_to_be() -> None:
    assert sorted(magiqa.__all__) == sorted(magiqa._HOME)
    for name, home in magiqa._HOME.items():
        assert getattr(magiqa, name) is getattr(importlib.import_module(f"magiqa.{home}"), name)
        assert name in dir(magiqa)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'magiqa' has no attribute 'Scorerr'"):
        magiqa.Scorerr  # noqa: B018


@pytest.mark.parametrize("command", ["import magiqa", "from magiqa.cli import app"])
def test_import_and_help_load_nothing_heavy(command: str) -> None:
    heavy = ["numpy", "onnxruntime", "torch", "PIL", "onnx", "huggingface_hub", "array_api_compat"]
    probe = f"import sys; {command}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
