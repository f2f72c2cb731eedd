"""NIQE (Mittal et al. 2012): how far a picture's statistics are from those of good ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import PictureError, SettingsError
from magiqa.evaluate.rivals.models import NIQE_FEATURES, Statistics, read_niqe
from magiqa.evaluate.rivals.primitives import (
    Values,
    blocks,
    checked,
    gaussian,
    grey,
    inverse,
    mscn,
    mscn_features,
    resized,
)

SIDE = 96  # pixels of a block
SHARP = 0.75  # of a picture's sharpest block: what a fit looks at
WINDOW = gaussian(7, 7 / 6)


class Niqe:
    """NIQE by a model: magiqa's .npz, the authors' modelparameters.mat, or the one shipped."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises SettingsError for a file that is no such model."""
        self._model = read_niqe(path)

    def __call__(self, picture: NDArray[np.uint8]) -> float:
        """NIQE of an RGB picture (H, W, 3), 0 and up, lower is better.

        PictureError: not an (H, W, 3) array of uint8, fewer than two blocks of 96x96, or fewer than
        two in which anything varies.
        """
        found, _ = features(picture)
        whole = found[~np.isnan(found).any(axis=1)]
        if len(whole) < 2:
            raise PictureError(
                f"picture - {len(whole)} of its {len(found)} blocks have texture, NIQE compares at "
                f"least 2 - leave out pictures that are flat"
            )
        covariance = (self._model.covariance + np.cov(whole, rowvar=False)) / 2
        apart = self._model.mean - np.nanmean(found, axis=0)
        return float(np.sqrt(max(apart @ inverse(covariance) @ apart, 0)))


def fit_niqe(sharp: Iterable[Values]) -> Statistics:
    """The model of good pictures, of the sharp features of each.

    SettingsError: fewer than 37 blocks, which have no covariance of full rank.
    """
    rows = np.concatenate([np.empty((0, NIQE_FEATURES)), *sharp])
    whole = rows[~np.isnan(rows).any(axis=1)]
    if len(whole) <= NIQE_FEATURES:
        raise SettingsError(
            f"pictures - {len(whole)} sharp blocks, NIQE's model needs {NIQE_FEATURES + 1} - give "
            f"more pictures"
        )
    return Statistics(np.nanmean(rows, axis=0), np.cov(whole, rowvar=False))


def sharp_features(picture: NDArray[np.uint8]) -> Values:
    """The rows of `features` of a picture's sharp blocks; raises as `features`."""
    found, sharpness = features(picture)
    sharp: Values = found[sharpness > SHARP * sharpness.max()]
    return sharp


def features(picture: NDArray[np.uint8]) -> tuple[Values, Values]:
    """(blocks, 36): 18 at each of two scales, NaN where nothing varies; and sharpness (blocks,).

    PictureError: not an (H, W, 3) array of uint8, or fewer than two blocks of 96x96.
    """
    image = grey(checked(picture))
    rows, columns = image.shape[0] // SIDE, image.shape[1] // SIDE
    if rows * columns < 2:
        raise PictureError(
            f"picture - got {image.shape[1]}x{image.shape[0]} pixels, NIQE compares blocks of "
            f"{SIDE}x{SIDE}, at least two - give a larger picture"
        )
    image = image[: rows * SIDE, : columns * SIDE]
    normalised, sigma = mscn(image, WINDOW)
    large = mscn_features(blocks(normalised, SIDE))
    half = resized(image, image.shape[0] // 2, image.shape[1] // 2)
    small = mscn_features(blocks(mscn(half, WINDOW)[0], SIDE // 2))
    sharpness = blocks(sigma, SIDE).mean(axis=(1, 2))
    return np.concatenate([large, small], axis=1), sharpness
