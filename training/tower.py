"""`Nano`: a narrow CLIP-format image tower with learned anchors, trainable in torch.

Its image tower has CLIP's parameter names and shapes, so magiqa's own towers run the result. The
attention pool is trained without a positional embedding, as it is used.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as nn_f
from torch import Tensor, nn

from magiqa.clip.architecture import HEAD_WIDTH, Architecture
from magiqa.settings import PRESETS

PRESET_NAMES = ("ensemble", "brightness", "noisiness", "colorfulness", "sharpness", "contrast")
ARCHITECTURE = Architecture(
    embedding=128,
    vision_width=16,
    vision_layers=(1, 1, 1, 1),
    patch=None,
    native_side=224,
    text_width=0,  # no text tower: the anchors are learned
    text_layers=0,
    anchors=PRESET_NAMES,
)
PAIRS = tuple(pair for name in PRESET_NAMES for pair in PRESETS[name])
QUALITY_PAIRS = len(PRESETS["ensemble"])
MEAN = (0.48145466, 0.4578275, 0.40821073)  # CLIP's normalisation
STD = (0.26862954, 0.26130258, 0.27577711)


class Bottleneck(nn.Module):
    """One residual block of CLIP's ModifiedResNet."""

    def __init__(self, inputs: int, planes: int, shrink: bool) -> None:
        super().__init__()
        out = planes * 4
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        nn.init.zeros_(self.bn3.weight)  # as CLIP begins: a block is its shortcut at first
        self.pool: nn.Module = nn.AvgPool2d(2) if shrink else nn.Identity()
        self.downsample = nn.Sequential(
            OrderedDict([("0", nn.Conv2d(inputs, out, 1, bias=False)), ("1", nn.BatchNorm2d(out))])
        )

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (N, inputs, H, W) -> (N, 4 planes, H', W')."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(self.pool(y)))
        return torch.relu(y + self.downsample(self.pool(x)))


class AttentionPool(nn.Module):
    """CLIP's pool: the mean token asks, all tokens answer; the positions are never used."""

    def __init__(self, width: int, embedding: int, native_side: int) -> None:
        super().__init__()
        places = (native_side // 32) ** 2 + 1
        self.register_buffer("positional_embedding", torch.zeros(places, width))
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embedding)
        self.heads = width // HEAD_WIDTH
        for project in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(project.weight, std=width**-0.5)
            nn.init.zeros_(project.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps (N, C, H, W) -> embeddings (N, D)."""
        tokens = x.flatten(2).transpose(1, 2)
        first = tokens.mean(dim=1, keepdim=True)
        tokens = torch.cat([first, tokens], dim=1)
        query, keys, values = (
            project(y).unflatten(-1, (self.heads, HEAD_WIDTH)).transpose(1, 2)
            for project, y in ((self.q_proj, first), (self.k_proj, tokens), (self.v_proj, tokens))
        )
        attention = (query @ keys.transpose(-1, -2) / math.sqrt(HEAD_WIDTH)).softmax(dim=-1)
        pooled: Tensor = self.c_proj((attention @ values).flatten(1))
        return pooled


class Tower(nn.Module):
    """CLIP's ModifiedResNet of one block a stage, with its attention pool."""

    def __init__(self, architecture: Architecture = ARCHITECTURE) -> None:
        super().__init__()
        width = architecture.vision_width
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(Bottleneck(width, width, shrink=False))
        self.layer2 = nn.Sequential(Bottleneck(width * 4, width * 2, shrink=True))
        self.layer3 = nn.Sequential(Bottleneck(width * 8, width * 4, shrink=True))
        self.layer4 = nn.Sequential(Bottleneck(width * 16, width * 8, shrink=True))
        self.attnpool = AttentionPool(
            architecture.pool_width, architecture.embedding, architecture.native_side
        )

    def forward(self, views: Tensor) -> Tensor:
        """Views (N, 3, H, W), values 0..255 -> unnormalised embeddings F (N, D)."""
        mean, std = (views.new_tensor(values).view(1, 3, 1, 1) * 255 for values in (MEAN, STD))
        x = (views - mean) / std
        x = x.contiguous(memory_format=torch.channels_last)
        for conv, norm in ((self.conv1, self.bn1), (self.conv2, self.bn2), (self.conv3, self.bn3)):
            x = torch.relu(norm(conv(x)))
        x = nn_f.avg_pool2d(x, 2)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        embeddings: Tensor = self.attnpool(x)
        return embeddings


class Nano(nn.Module):
    """The tower, the anchors of `PAIRS` and the temperature they are compared at."""

    def __init__(self) -> None:
        super().__init__()
        self.visual = Tower()
        self.directions = nn.Parameter(torch.randn(len(PAIRS), 2, ARCHITECTURE.embedding))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(10.0)))

    @property
    def anchors(self) -> Tensor:
        """(pairs, 2, D), L2-normalised, the positive text first."""
        return nn_f.normalize(self.directions, dim=-1)

    def forward(self, views: Tensor) -> Tensor:
        """Views (N, 3, H, W), values 0..255 -> unnormalised embeddings F (N, D)."""
        embeddings: Tensor = self.visual(views)
        return embeddings
