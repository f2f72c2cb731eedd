"""How much there is to see in a view: detail, colour and contrast, whatever was done to it later.

People find a picture with fine detail in focus, colour and contrast better than a plain one that is
no more damaged, and indices of the three go with opinions in every set of photographs (Hosu et al.
2020). Known faults alone teach that a bare wall is as good a picture as a forest.
"""

from __future__ import annotations

import torch
from torch import Tensor

from measures import sharpness

DETAIL = 0.6  # of richness; colour and contrast share the rest
STEEP = 1.7  # a logistic of this slope is nearly the normal distribution's rank


class Richness:
    """The detail of pristine views; windows and thumbnails apart, for they differ."""

    def __init__(self, detail: Tensor, small: Tensor) -> None:
        """Of `detail` (N,) of pristine views and which are thumbnails (N,)."""
        self._models = [
            (detail[small == kind].mean(), detail[small == kind].std()) for kind in (False, True)
        ]

    def __call__(self, detail: Tensor, attributes: Tensor, small: Tensor) -> Tensor:
        """(N,), 0..1, of a view's detail, its attributes (N, 3) of `targets`, is it a thumbnail."""
        ranks = [torch.sigmoid(STEEP * (detail - mean) / std) for mean, std in self._models]
        rank = torch.where(small, ranks[1], ranks[0])
        found: Tensor = DETAIL * rank + (1 - DETAIL) * attributes[:, 1:].mean(dim=1)
        return found


def detail(views: Tensor) -> Tensor:
    """Logarithm of the mean gradient of views (N, 3, H, W) of bytes, (N,)."""
    return torch.log(sharpness(views) + 1e-3)
