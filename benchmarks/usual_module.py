"""CLIP's residual image tower as it is usually written, exported by PyTorch: what ours is up to.

`python usual_module.py CHECKPOINT.safetensors OUT.onnx` (needs torch).
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from magiqa.clip.architecture import HEAD_WIDTH, Architecture, norm_of, read_architecture
from magiqa.clip.towers import PIXEL_MEAN, PIXEL_STD, VIEW_SIDE


class UsualTower(nn.Module):
    """CLIP's ModifiedResNet in eval mode, pixel normalisation included.

    The attention pool goes without its positional embedding, as in MA-CLIP.
    """

    def __init__(self, architecture: Architecture, parameters: dict[str, Tensor]) -> None:
        super().__init__()
        self.blocks = architecture.vision_layers
        for name, values in parameters.items():
            self.register_buffer(name.replace(".", "/"), values)
        for name, pixel in (("mean", PIXEL_MEAN), ("std", PIXEL_STD)):
            self.register_buffer(name, torch.tensor(pixel)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        """Views (N, 3, 224, 224), values 0..255 -> embeddings (N, D)."""
        x = (x / 255 - self["mean"]) / self["std"]
        x = functional.relu(self._conv(x, "conv1", stride=2, padding=1))
        x = functional.relu(self._conv(x, "conv2", padding=1))
        x = functional.relu(self._conv(x, "conv3", padding=1))
        x = functional.avg_pool2d(x, 2)
        for stage, blocks in enumerate(self.blocks, start=1):
            for block in range(blocks):
                x = self._bottleneck(x, f"layer{stage}.{block}", stage > 1 and block == 0)
        return self._attention_pool(x, "attnpool")

    def __getitem__(self, name: str) -> Tensor:
        return self.get_buffer(name.replace(".", "/"))

    def _conv(self, x: Tensor, name: str, stride: int = 1, padding: int = 0) -> Tensor:
        x = functional.conv2d(x, self[f"{name}.weight"], stride=stride, padding=padding)
        norm = norm_of(name)
        mean, variance = self[f"{norm}.running_mean"], self[f"{norm}.running_var"]
        return functional.batch_norm(
            x, mean, variance, self[f"{norm}.weight"], self[f"{norm}.bias"]
        )

    def _bottleneck(self, x: Tensor, name: str, shrink: bool) -> Tensor:
        y = functional.relu(self._conv(x, f"{name}.conv1"))
        y = functional.relu(self._conv(y, f"{name}.conv2", padding=1))
        y = self._conv(functional.avg_pool2d(y, 2) if shrink else y, f"{name}.conv3")
        if name.endswith(".0"):
            x = functional.avg_pool2d(x, 2) if shrink else x
            x = self._conv(x, f"{name}.downsample.0")
        return functional.relu(y + x)

    def _attention_pool(self, x: Tensor, name: str) -> Tensor:
        x = x.flatten(start_dim=2).permute(2, 0, 1)
        x = torch.cat([x.mean(dim=0, keepdim=True), x])
        pooled, _ = functional.multi_head_attention_forward(
            query=x[:1],
            key=x,
            value=x,
            embed_dim_to_check=x.shape[-1],
            num_heads=x.shape[-1] // HEAD_WIDTH,
            in_proj_weight=None,
            in_proj_bias=torch.cat([self[f"{name}.{part}_proj.bias"] for part in "qkv"]),
            bias_k=None,
            bias_v=None,
            add_zero_attn=False,
            dropout_p=0.0,
            out_proj_weight=self[f"{name}.c_proj.weight"],
            out_proj_bias=self[f"{name}.c_proj.bias"],
            training=False,
            need_weights=False,
            use_separate_proj_weight=True,
            q_proj_weight=self[f"{name}.q_proj.weight"],
            k_proj_weight=self[f"{name}.k_proj.weight"],
            v_proj_weight=self[f"{name}.v_proj.weight"],
        )
        return pooled[0]


def export(checkpoint: Path, graph: Path) -> None:
    """Write the usual tower of a checkpoint as an ONNX graph with any number of views."""
    parameters = load_file(checkpoint)
    shapes = {name: tuple(values.shape) for name, values in parameters.items()}
    visual = {
        name.removeprefix("visual."): values
        for name, values in parameters.items()
        if name.startswith("visual.")
    }
    torch.onnx.export(
        UsualTower(read_architecture(shapes, str(checkpoint)), visual).eval(),
        (torch.zeros(2, 3, VIEW_SIDE, VIEW_SIDE),),
        graph,
        input_names=["views"],
        dynamic_axes={"views": {0: "N"}},
        dynamo=False,
    )


if __name__ == "__main__":
    export(Path(sys.argv[1]), Path(sys.argv[2]))
