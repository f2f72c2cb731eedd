"""What the network is asked to say of a view, from known severities and measured attributes."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from distortions import KINDS
from distortions.pixels import LUMA, Bytes, Floats, to_unit, to_ycc

FLOOR = 0.03  # no target is quite 0 or 1
SPILL = 0.6  # how much of any fault each quality pair shows: the similarity is their mean
VISIBLE = 0.5  # share of a fault that is read off the view, the rest off the severity

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


def quality(severities: dict[str, float], difference: float) -> Floats:
    """Targets of the five `ensemble` pairs, 0..1, for a mixture of kinds at their severities.

    `difference` (0..1) is how far the view is from its pristine self: a fault that does not show
    in this view, or in its thumbnail, is no fault here.
    """
    kept = np.ones(5)
    for name, severity in severities.items():
        kind = KINDS[name]
        faults = np.array([1.0, *FAULTS[kind.family]])
        kept *= 1 - faults * kind.weight * severity
    bad = 1 - kept
    worst = max((KINDS[name].weight for name in severities), default=1.0)
    overall = VISIBLE * worst * min(difference, 1.0) + (1 - VISIBLE) * bad[0]
    shown = bad * (overall / bad[0] if bad[0] > 0 else 0.0)
    shown = np.maximum(np.minimum(shown, 1), SPILL * overall)
    shown[0] = overall
    return np.asarray(FLOOR + (1 - 2 * FLOOR) * (1 - shown), np.float32)


def difference(pristine: Bytes, view: Bytes) -> float:
    """How far a view is from its pristine self, 0..1: gradients at two scales, luma, chroma."""
    first, second = to_ycc(to_unit(pristine)), to_ycc(to_unit(view))
    far = 0.0
    for step, share in ((1, 0.5), (2, 0.5)):
        a, b = (_slopes(_halved(ycc[..., 0], step)) for ycc in (first, second))
        alike = (2 * a * b + 0.0026) / (a * a + b * b + 0.0026)
        far += share * float(1 - alike.mean())
    tones = np.abs(first - second).mean(axis=(0, 1))
    return float(1 - np.exp(-4 * far - 2 * tones[0] - 3 * (tones[1] + tones[2])))


def attributes(view: Bytes) -> tuple[float, float, float]:
    """Brightness, colourfulness and contrast as targets, 0..1, measured on the view.

    Mean luma about 0.45; deviation of opponent colours about 0.13; deviation of luma about 0.2.
    """
    values = to_unit(view)
    luma = values @ LUMA
    red_green = values[..., 0] - values[..., 1]
    yellow_blue = (values[..., 0] + values[..., 1]) / 2 - values[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    offset = np.hypot(red_green.mean(), yellow_blue.mean())
    return (
        _soft((luma.mean() - 0.45) / 0.1),
        _soft((spread + 0.3 * offset - 0.13) / 0.04),
        _soft((luma.std() - 0.2) / 0.05),
    )


def all_pairs(severities: dict[str, float], far: float, view: Bytes) -> Floats:
    """Targets of `tower.PAIRS`: the quality pairs, then the attribute presets in their order."""
    five = quality(severities, far)
    brightness, colourfulness, contrast = attributes(view)
    sharp, clean = five[1], five[4]
    return np.array([*five, brightness, clean, colourfulness, sharp, contrast], np.float32)


def of_garbage(view: Bytes) -> Floats:
    """Targets of a view that shows nothing: bad in every way, sharp and clean left open."""
    brightness, colourfulness, contrast = attributes(view)
    five = [FLOOR] * 5
    return np.array([*five, brightness, 0.5, colourfulness, 0.5, contrast], np.float32)


def _soft(x: float) -> float:
    return float(FLOOR + (1 - 2 * FLOOR) / (1 + np.exp(-x)))


def _slopes(luma: Floats) -> Floats:
    return np.asarray(np.hypot(np.diff(luma[:-1], axis=1), np.diff(luma[:, :-1], axis=0)))


def _halved(luma: Floats, step: int) -> Floats:
    return luma if step == 1 else np.asarray(ndimage.uniform_filter(luma, 3)[::step, ::step])
