"""`nano.safetensors`: the tower in CLIP's names, the anchors of every preset, half precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save as to_bytes

from magiqa.clip.anchors import load_anchors
from magiqa.clip.weights import Checkpoint
from magiqa.settings import PRESETS
from tower import PRESET_NAMES, Nano


def save(nano: Nano, path: Path) -> None:
    """Write the tower as `visual.*`, each preset as `anchors.PRESET` (pairs, 2, D), `logit_scale`.

    float16, but for `logit_scale`, float32; the anchors are L2-normalised before they are rounded.
    The metadata `prompts` maps each preset to its pairs of texts.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name, values in nano.visual.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors[f"visual.{name}"] = values.numpy().astype(np.float16)
    anchors = nano.anchors.detach().numpy()
    at = 0
    for preset in PRESET_NAMES:
        count = len(PRESETS[preset])
        tensors[f"anchors.{preset}"] = anchors[at : at + count].astype(np.float16)
        at += count
    tensors["logit_scale"] = nano.logit_scale.detach().numpy().astype(np.float32)
    prompts = json.dumps({preset: PRESETS[preset] for preset in PRESET_NAMES})
    # save_file would let nobody but its owner read it
    path.write_bytes(to_bytes(tensors, metadata={"format": "pt", "prompts": prompts}))


def load(path: Path) -> Nano:
    """The model in a file, for training on."""
    file = Checkpoint(path, "file")
    anchors = [load_anchors(file, PRESETS[preset]) for preset in PRESET_NAMES]
    nano = Nano()
    state = {
        name: torch.from_numpy(file.read(f"visual.{name}").copy())
        for name in nano.visual.state_dict()
        if not name.endswith("num_batches_tracked")
    }
    nano.visual.load_state_dict(state, strict=False)
    with torch.no_grad():
        directions = np.concatenate([each.embeddings for each in anchors])
        nano.directions.copy_(torch.from_numpy(directions))
        nano.logit_scale.copy_(torch.tensor(np.log(anchors[0].logit_scale)))
    return nano
