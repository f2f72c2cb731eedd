"""`nano.safetensors`: the tower in CLIP's names, the anchors of every preset, half precision."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from magiqa.settings import PRESETS
from tower import ARCHITECTURE, PRESET_NAMES, Nano


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
    save_file(tensors, path, metadata={"format": "pt", "prompts": prompts})


class NanoFile:
    """The file as magiqa's engines want a checkpoint: architecture, hash, cache folder, `read`."""

    def __init__(self, path: Path) -> None:
        self.architecture = ARCHITECTURE
        self.path = path
        self.hash = hashlib.sha256(path.read_bytes()).hexdigest()
        self.cache = path.parent / f"graph-{self.hash[:16]}"
        self._tensors = load_file(path)

    def read(self, name: str) -> NDArray[np.float32]:
        """One tensor, widened to float32."""
        return np.asarray(self._tensors[name], np.float32)

    def anchors(self, preset: str) -> NDArray[np.float32]:
        """(pairs, 2, D), L2-normalised again after the rounding."""
        values = self.read(f"anchors.{preset}")
        return np.asarray(values / np.linalg.norm(values, axis=-1, keepdims=True), np.float32)

    @property
    def logit_scale(self) -> float:
        """1 / tau of Eq. 6."""
        return float(np.exp(self.read("logit_scale")))


def load(path: Path) -> Nano:
    """The model in a file, for training on."""
    file = NanoFile(path)
    nano = Nano()
    state = {
        name: torch.from_numpy(file.read(f"visual.{name}").copy())
        for name in nano.visual.state_dict()
        if not name.endswith("num_batches_tracked")
    }
    nano.visual.load_state_dict(state, strict=False)
    with torch.no_grad():
        nano.directions.copy_(
            torch.from_numpy(np.concatenate([file.anchors(preset) for preset in PRESET_NAMES]))
        )
        nano.logit_scale.copy_(torch.tensor(np.log(file.logit_scale)))
    return nano
