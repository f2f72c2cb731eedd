"""How much there is to see in a view: detail, colour and contrast, whatever was done to it later.

An assumption, not a finding: people like a picture with fine detail in focus, colour and contrast
better than a plain one that is no more damaged. Known faults alone teach that a bare wall is as
good a picture as a forest.
"""

from __future__ import annotations

import torch
from torch import Tensor

DETAIL = 0.6  # of richness; colour and contrast share the rest
STEEP = 1.7  # a logistic of this slope is nearly the normal distribution's rank


class Richness:
    """The detail of pristine views; windows and thumbnails apart, for they differ."""

    def __init__(self, sharpness: Tensor, small: Tensor) -> None:
        """Of the sharpness (N,) of pristine views and which are thumbnails (N,)."""
        detail = _detail(sharpness)
        self._models = [
            (detail[small == kind].mean(), detail[small == kind].std()) for kind in (False, True)
        ]

    def __call__(self, sharpness: Tensor, attributes: Tensor, small: Tensor) -> Tensor:
        """(N,), 0..1, of views' sharpness, attributes (N, 3) of `targets`, which are thumbnails."""
        detail = _detail(sharpness)
        ranks = [torch.sigmoid(STEEP * (detail - mean) / std) for mean, std in self._models]
        rank = torch.where(small, ranks[1], ranks[0])
        found: Tensor = DETAIL * rank + (1 - DETAIL) * attributes[:, 1:].mean(dim=1)
        return found


def _detail(sharpness: Tensor) -> Tensor:
    return torch.log(sharpness + 1e-3)
