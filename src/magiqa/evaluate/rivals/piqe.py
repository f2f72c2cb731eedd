"""PIQE (Venkatanath et al. 2015): how much of a picture's busy blocks is distorted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from magiqa.evaluate.rivals.primitives import Values, blocks, checked, gaussian, grey, mscn

SIDE = 16  # pixels of a block
BUSY = 0.1  # variance over which a block is looked at
STILL = 0.1  # standard deviation under which a stretch of an edge is an artefact
STRETCH = 6  # pixels of an edge


def piqe(picture: NDArray[np.uint8]) -> float:
    """PIQE of an RGB picture (H, W, 3) of any size, in 0..100, lower is better; as MATLAB's piqe.

    What does not fill a block of 16x16 is mirrored. A picture with nothing in it, which has no busy
    block, scores 100. PictureError: not an (H, W, 3) array of uint8.
    """
    image = grey(checked(picture))
    image = np.floor(image * 255 / max(image.max(), 1) + 0.5)
    height, width = image.shape
    image = np.pad(image, ((0, -height % SIDE), (0, -width % SIDE)), mode="symmetric")
    cells = blocks(mscn(image, gaussian(7, 7 / 6))[0], SIDE)
    variance = cells.var(axis=(1, 2), ddof=1)
    busy = variance > BUSY
    cells, variance = cells[busy], variance[busy]
    lost = np.sum((1 - variance)[_blocky(cells)]) + np.sum(variance[_noisy(cells, variance)])
    return float(100 * (lost + 1) / (len(cells) + 1))


def _blocky(cells: Values) -> NDArray[np.bool_]:
    """Whether an edge of a block has a stretch in which nothing happens."""
    edges = np.stack([cells[:, 0], cells[:, :, -1], cells[:, -1], cells[:, :, 0]], axis=1)
    stretches = np.lib.stride_tricks.sliding_window_view(edges, STRETCH, axis=2)
    still: NDArray[np.bool_] = (stretches.std(axis=3, ddof=1) < STILL).any(axis=(1, 2))
    return still


def _noisy(cells: Values, variance: Values) -> NDArray[np.bool_]:
    """Whether the middle of a block is as busy as the whole.

    MATLAB takes columns 8 and 9 for the middle, but 8 and 10 out of the rest (10 is the 9th when 8
    is gone). So do we: the published values follow from it.
    """
    middle = cells[:, :, 7:9].std(axis=(1, 2), ddof=1)
    rest = np.delete(cells, (7, 9), axis=2).std(axis=(1, 2), ddof=1)
    deviation = np.sqrt(variance)
    with np.errstate(all="ignore"):  # a block with nothing beside its middle is not noisy
        ratio = np.nan_to_num(middle / rest, nan=0.0, posinf=np.inf)
        beta = np.abs(deviation - ratio) / np.maximum(deviation, ratio)
        noisy: NDArray[np.bool_] = deviation > 2 * beta
    return noisy
