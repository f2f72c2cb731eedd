"""Pictures and checkpoints anyone can regenerate: the golden numbers were taken on these.

All random draws are NumPy's PCG64; pictures are integer arithmetic, bit-exact everywhere. The
checkpoints are random networks in the shape of OpenAI's: their scores mean nothing.
"""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray
from safetensors.numpy import save_file

from magiqa.clip.architecture import Architecture, Shape

ARCHITECTURES = {
    name: Architecture(
        embedding=embedding,
        vision_width=vision_width,
        vision_layers=layers,
        patch=patch,
        native_side=224,
        text_width=text_width,
        text_layers=text_layers,
    )
    for name, embedding, vision_width, layers, patch, text_width, text_layers in (
        ("tiny-resnet", 64, 8, (1, 1, 1, 1), None, 64, 2),
        ("tiny-vit", 64, 64, (2,), 32, 64, 2),
        ("RN50", 1024, 64, (3, 4, 6, 3), None, 512, 12),
        ("RN101", 512, 64, (3, 4, 23, 3), None, 512, 12),
        ("ViT-B/32", 512, 768, (12,), 32, 512, 12),
        ("ViT-L/14", 768, 1024, (24,), 14, 768, 12),
    )
}

_KEPT_FLOAT32 = re.compile(
    r".*(bn\d|downsample\.1|ln_\w+)\.\w+|token_embedding\.weight|.*positional_embedding"
    r"|.*class_embedding|logit_scale"
)


def picture(height: int, width: int, seed: int) -> NDArray[np.uint8]:
    """A smooth random walk in three colours, (height, width, 3)."""
    walk = Generator(PCG64(seed)).integers(-6, 7, size=(height, width, 3))
    walk = walk.cumsum(axis=0).cumsum(axis=1) // 8
    return np.abs(walk % 510 - 255).astype(np.uint8)


def parameter(name: str, shape: Shape) -> NDArray[np.float32]:
    """One parameter of a checkpoint, drawn from its name alone."""
    n = Generator(PCG64(zlib.crc32(name.encode()))).standard_normal(shape, dtype=np.float32)
    values = np.asarray(_scaled(name, n), dtype=np.float32)
    return values if _KEPT_FLOAT32.fullmatch(name) else values.astype(np.float16).astype(np.float32)


def _scaled(name: str, n: NDArray[np.float32]) -> Any:
    leaf = name.rsplit(".", 1)[-1]
    if name == "logit_scale":
        return math.log(100)
    if leaf == "running_var":
        return np.exp(0.2 * n)
    if leaf in ("running_mean", "bias", "in_proj_bias"):
        return 0.1 * n
    if leaf == "weight" and n.ndim == 1:
        return (1 + 0.1 * n) * (0.5 if "layer" in name and ".bn3" in name else 1.0)
    if name == "token_embedding.weight":
        return 0.2 * n
    if leaf in ("positional_embedding", "class_embedding"):
        return (0.5 if name.startswith("visual.") else 0.05) * n
    if name == "visual.attnpool.c_proj.weight":
        r = Generator(PCG64(7)).standard_normal((n.shape[0], 1), dtype=np.float32)
        return n * np.exp(0.7 * r) / math.sqrt(n.shape[1])
    if n.ndim == 4:
        return n * math.sqrt(2 / math.prod(n.shape[1:]))
    return n / math.sqrt(n.shape[0 if name in ("text_projection", "visual.proj") else 1])


def checkpoint(architecture: str) -> dict[str, NDArray[np.float32]]:
    """A whole checkpoint: parameter name -> float32 values."""
    shapes = ARCHITECTURES[architecture].parameters()
    return {name: parameter(name, shape) for name, shape in shapes.items()}


def checkpoint_file(architecture: str, folder: Path) -> Path:
    """The checkpoint as a safetensors file in a folder, written once."""
    path = folder / f"{architecture.replace('/', '-')}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        whole = path.with_suffix(".part")
        save_file(checkpoint(architecture), whole)
        whole.replace(path)
    return path
