"""What the network is asked to say of views, from known severities and what is measured of them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from distortions import KINDS
from distortions.pixels import LUMA, Bytes, Floats, to_unit
from tower import QUALITY_PAIRS

FLOOR = 0.03  # no target is quite 0 or 1
VISIBLE = 0.65  # share of a fault that is read off the view, the rest off the severity
SPILL = 0.6  # how much of any fault each quality pair shows: the similarity is their mean

# What each family does to sharp image, sharp edges, high resolution, noise-free (the pairs after
# "Good image" of the ensemble).
FAULTS: dict[str, tuple[float, float, float, float]] = {
    "blur": (1.0, 1.0, 0.8, 0.0),
    "noise": (0.0, 0.2, 0.2, 1.0),
    "compression": (0.5, 0.6, 0.8, 0.6),
    "rescaling": (0.9, 0.9, 1.0, 0.1),
    "camera": (0.5, 0.5, 0.5, 0.9),
    "ringing": (0.1, 0.5, 0.5, 0.5),
    "tone": (0.1, 0.1, 0.1, 0.1),
    "colour": (0.0, 0.1, 0.1, 0.1),
    "structure": (0.3, 0.6, 0.5, 0.4),
}

UNASKED = (QUALITY_PAIRS + 1, QUALITY_PAIRS + 3)  # of garbage: is noise clean, is black sharp


def faults(severities: dict[str, float]) -> Floats:
    """(6,): how bad kinds at their severities make each quality pair, 0..1; the worst's weight."""
    kept = np.ones(5)
    for name, severity in severities.items():
        kind = KINDS[name]
        kept *= 1 - np.array([1.0, *FAULTS[kind.family]]) * kind.weight * severity
    worst = max((KINDS[name].weight for name in severities), default=1.0)
    return np.array([*(1 - kept), worst], np.float32)


def attributes(view: Bytes) -> Floats:
    """Brightness, colourfulness and contrast as targets (3,), 0..1, measured on the view.

    Mean luma about 0.45; deviation of opponent colours about 0.13; deviation of luma about 0.2.
    """
    values = to_unit(view)
    luma = values @ LUMA
    red_green = values[..., 0] - values[..., 1]
    yellow_blue = (values[..., 0] + values[..., 1]) / 2 - values[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    measured = (
        (luma.mean() - 0.45) / 0.1,
        (spread + 0.3 * offset - 0.13) / 0.04,
        (luma.std() - 0.2) / 0.05,
    )
    return np.asarray(FLOOR + (1 - 2 * FLOOR) / (1 + np.exp(-np.array(measured))), np.float32)


def pairs(faults: Tensor, difference: Tensor, attributes: Tensor) -> Tensor:
    """Targets (N, pairs): the quality pairs, then the attribute presets in their order.

    Of `faults` (N, 6), how far the views are from their pristine selves (N,), 0..1, and
    `attributes` (N, 3). A fault that does not show in this view, or in its thumbnail, is little of
    a fault here.
    """
    bad, worst = faults[:, :5], faults[:, 5]
    overall = VISIBLE * worst * difference + (1 - VISIBLE) * bad[:, 0]
    shown = bad * (overall / bad[:, 0].clamp(min=1e-6))[:, None]
    spilt = torch.maximum(shown.clamp(max=1), SPILL * overall[:, None])
    quality = 1 - torch.cat([overall[:, None], spilt[:, 1:]], dim=1)
    clean, sharp = (1 - shown[:, at].clamp(max=1) for at in (4, 1))
    own = FLOOR + (1 - 2 * FLOOR) * torch.stack([clean, sharp], dim=1)
    brightness, colourfulness, contrast = attributes.unbind(dim=1)
    columns = [brightness, own[:, 0], colourfulness, own[:, 1], contrast]
    return torch.cat([FLOOR + (1 - 2 * FLOOR) * quality, torch.stack(columns, dim=1)], dim=1)
