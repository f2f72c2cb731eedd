"""`MeanMagnitudeAwareCLIP`: MA-CLIP as a metric of torchmetrics, for training loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from magiqa.errors import MissingExtra
from magiqa.torch import MagnitudeAwareCLIP

# isort: split
# below, for where there is no torch the import above says what to install
import torch
from torch import Tensor

try:
    from torchmetrics import Metric
except ModuleNotFoundError:
    raise MissingExtra("metric - torchmetrics is not there - pip install torchmetrics") from None


class MeanMagnitudeAwareCLIP(Metric):
    """The mean score of all pictures seen; higher is better.

    >>> import torch
    >>> metric = MeanMagnitudeAwareCLIP(MagnitudeAwareCLIP(weights=checkpoint))
    >>> metric.update(torch.rand(2, 3, 260, 300))
    >>> metric.compute().shape
    torch.Size([])
    """

    is_differentiable = True
    higher_is_better = True
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, quality: MagnitudeAwareCLIP | None = None, **options: Any) -> None:
        """`quality` scores the pictures (None: the default backbone); `options` are Metric's."""
        super().__init__(**options)
        self.quality = quality or MagnitudeAwareCLIP()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, pictures: Tensor | Sequence[Tensor]) -> None:
        """Take in pictures as `MagnitudeAwareCLIP` does; raises PictureError."""
        scores = self.quality(pictures)
        self.total = self.total + scores.sum()
        self.count = self.count + len(scores)

    def compute(self) -> Tensor:
        """The mean so far, NaN before the first picture."""
        return self.total / self.count
