"""IL-NIQE (Zhang et al. 2015): NIQE's question, asked of richer statistics, block by block."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import PictureError, SettingsError
from magiqa.evaluate.rivals.ilniqe_features import features
from magiqa.evaluate.rivals.models import ILNIQE_FEATURES, Template, read_ilniqe
from magiqa.evaluate.rivals.primitives import Values, inverse

SHARP = 0.78  # of a picture's sharpest block: what a fit looks at
KEPT = 430  # principal components
LARGEST = 10_000.0  # of a feature


class IlNiqe:
    """IL-NIQE by a model: magiqa's .npz, the authors' templateModel.mat, or the one shipped."""

    def __init__(self, path: Path | None = None) -> None:
        """Raises SettingsError for a file that is no such model."""
        self._model = read_ilniqe(path)

    def __call__(self, picture: NDArray[np.uint8]) -> float:
        """IL-NIQE of an RGB picture (H, W, 3) of any size, 0 and up, lower is better.

        Every picture is first resized to 524x524, as its authors do. PictureError: not an (H, W, 3)
        array of uint8, or fewer than two of the 36 blocks have anything varying in them.
        """
        model = self._model
        found, _ = features(picture)
        seen = (np.minimum(found, LARGEST) - model.origin) @ model.components
        whole = seen[~np.isnan(seen).any(axis=1)]
        if len(whole) < 2:
            raise PictureError(
                f"picture - {len(whole)} of its {len(seen)} blocks have texture, IL-NIQE compares "
                f"at least 2 - leave out pictures that are flat or tiny"
            )
        seen = np.where(np.isnan(seen), whole.mean(axis=0), seen)
        apart = seen - model.mean
        weights = inverse((model.covariance + np.cov(whole, rowvar=False)) / 2)
        squares = np.einsum("ij,ij->i", apart @ weights, apart)
        return float(np.sqrt(np.maximum(squares, 0)).mean())


def fit_ilniqe(sharp: Iterable[Values]) -> Template:
    """The model of good pictures, of the sharp features of each.

    The components are rounded to the float32 they are kept in before anything is seen along them.
    SettingsError: fewer than 469 blocks, which have no covariance of full rank.
    """
    rows = np.concatenate([np.empty((0, ILNIQE_FEATURES)), *sharp])
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows) <= ILNIQE_FEATURES:
        raise SettingsError(
            f"pictures - {len(rows)} sharp blocks, IL-NIQE's model needs {ILNIQE_FEATURES + 1} - "
            f"give more pictures"
        )
    origin = rows.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov(rows, rowvar=False))
    components = vectors[:, : -KEPT - 1 : -1].astype(np.float32).astype(np.float64)
    seen = (rows - origin) @ components
    return Template(seen.mean(axis=0), np.cov(seen, rowvar=False), origin, components)


def sharp_features(picture: NDArray[np.uint8]) -> Values:
    """The rows of `features` of a picture's sharp blocks; PictureError as `features`."""
    found, sharpness = features(picture)
    sharpness[np.isinf(found).any(axis=1)] = 0
    sharp: Values = found[sharpness > SHARP * sharpness.max()]
    return sharp
