from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models

import recipe
from magiqa import PRESETS, SettingsError, WeightsError
from magiqa.clip import onnx_engine
from magiqa.clip.anchors import load_anchors
from magiqa.clip.tokenizer import END, START, token_ids
from magiqa.clip.weights import Checkpoint


def test_texts_are_encoded_once_and_found_on_disk_again(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAGIQA_CACHE", str(tmp_path))
    first = load_anchors(Checkpoint(checkpoint, ""), PRESETS["contrast"])
    monkeypatch.setattr(onnx_engine, "encode_text", lambda *_: pytest.fail("encoded again"))
    again = load_anchors(Checkpoint(checkpoint, ""), PRESETS["contrast"])
    np.testing.assert_array_equal(first.embeddings, again.embeddings)
    assert first.logit_scale == again.logit_scale == pytest.approx(100, rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(first.embeddings, axis=-1), 1, atol=1e-6)


def test_a_text_has_one_embedding_whatever_texts_are_beside_it(checkpoint: Path) -> None:
    # prompts of unlike lengths share a padded batch: the causal mask makes that exact
    short, long = "Good image", "Noise-free image"
    model = Checkpoint(checkpoint, "")
    together = onnx_engine.encode_text(model, token_ids([short, long]))
    alone = onnx_engine.encode_text(model, token_ids([short]))
    np.testing.assert_allclose(together[:1], alone, atol=1e-6)


def test_texts_that_are_the_same_to_clip_are_no_pair(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    vocabulary = {"good photo": 1, "<|startoftext|>": START, "<|endoftext|>": END}
    Tokenizer(models.WordLevel(vocabulary)).save(str(path))
    with pytest.raises(
        SettingsError, match=r"prompt pair - 'Good  photo' and 'good photo' are the same text to CL"
    ):
        load_anchors(Checkpoint(checkpoint, ""), [("Good  photo", "good photo")], path)


def test_a_text_tower_without_a_direction_is_told(tmp_path: Path) -> None:
    parameters = dict(recipe.checkpoint("tiny-resnet"))
    parameters["text_projection"] = np.zeros_like(parameters["text_projection"])
    path = tmp_path / "a.safetensors"
    save_file(parameters, path)
    with pytest.raises(WeightsError, match=r"its text tower gives embeddings that are zero or not"):
        load_anchors(Checkpoint(path, ""), PRESETS["clip-iqa"])
