"""How far a view is from its pristine self: a full-reference measure, no opinion in it."""

from __future__ import annotations

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from distortions.pixels import TO_YCC

FAINT = 0.0026  # of squared gradients: those under 0.05 hardly show
SCALES = 3


def _ycc(views: Tensor) -> Tensor:
    """Views (N, 3, H, W) of bytes -> luma in 0..1 and two chroma planes about 0."""
    matrix = torch.from_numpy(TO_YCC).to(views.device) / 255
    found: Tensor = matrix @ views.to(torch.float32).flatten(2)
    return found.view(-1, 3, *views.shape[2:])


def difference(pristine: Tensor, views: Tensor) -> Tensor:
    """How far views (N, 3, H, W) are from their pristine selves, (N,) in 0..1.

    Similarity of gradients at three scales, its mean and its deviation (Xue et al. 2014: a fault in
    some place is worse than the same all over); luma and chroma.
    """
    first, second = _ycc(pristine), _ycc(views)
    tones = (first - second).abs().mean(dim=(2, 3))
    far = torch.zeros_like(tones[:, 0])
    a, b = first[:, :1], second[:, :1]
    for _ in range(SCALES):
        alike = _alike(_slopes(a), _slopes(b)).flatten(1)
        far = far + (1 - alike.mean(dim=1) + alike.std(dim=1)) / (2 * SCALES)
        a, b = nn_f.avg_pool2d(a, 2), nn_f.avg_pool2d(b, 2)
    return 1 - torch.exp(-4 * far - 2 * tones[:, 0] - 3 * (tones[:, 1] + tones[:, 2]))


def _alike(a: Tensor, b: Tensor) -> Tensor:
    return (2 * a * b + FAINT) / (a * a + b * b + FAINT)


def _slopes(values: Tensor) -> Tensor:
    across = values[..., :-1, 1:] - values[..., :-1, :-1]
    down = values[..., 1:, :-1] - values[..., :-1, :-1]
    return torch.hypot(across, down)
