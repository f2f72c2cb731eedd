"""How natural a view's statistics are, whatever its fault: a one-class measure of pristine views.

NIQE's features (Mittal et al. 2012: contrast-normalised luma and products of its neighbours, at two
scales), of a whole view, and their distance to those of pristine views. No score, no severity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nn_f
from torch import Tensor

from measures import luma

FEATURES = 36
WINDOW = 7  # pixels, sigma a sixth of it
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
RIDGE = 0.02  # of each feature's variance, added to it: a few thousand views fit 36x36 numbers


class Naturalness:
    """The statistics of pristine views; windows and thumbnails apart, for they differ."""

    def __init__(self, pristine: Tensor, small: Tensor, sharpness: Tensor) -> None:
        """Of features (N, 36) of pristine views, which are thumbnails, how sharp they are: (N,).

        As NIQE's, the model is of what is sharp, here the sharper half of each.
        """
        self._models = []
        for kind in (False, True):
            rows, sharp = pristine[small == kind], sharpness[small == kind]
            self._models.append(_model(rows[sharp >= sharp.median()]))

    def __call__(self, features: Tensor, small: Tensor) -> Tensor:
        """(N,), 0 (nothing natural) to 1; one half at twice the pristine views' median distance."""
        found = features.new_zeros(len(features))
        for kind, (mean, inverse, median) in enumerate(self._models):
            apart = features - mean
            distance = ((apart @ inverse) * apart).sum(dim=1).clamp(min=0).sqrt()
            found = torch.where(
                small == bool(kind), 1 / (1 + (distance / (2 * median)) ** 2), found
            )
        return found


def features(views: Tensor) -> Tensor:
    """(N, 36) of views (N, 3, H, W) of bytes: 18 at each of two scales."""
    grey = 255 * luma(views)
    return torch.cat([_of_scale(grey), _of_scale(nn_f.avg_pool2d(grey, 2))], dim=1)


def _model(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean, covariance = rows.mean(dim=0), torch.cov(rows.T)
    covariance = covariance + RIDGE * torch.diag(covariance.diagonal() + 1e-6)
    inverse = torch.linalg.inv(covariance)
    apart = rows - mean
    return mean, inverse, ((apart @ inverse) * apart).sum(dim=1).clamp(min=0).sqrt().median()


def _of_scale(grey: Tensor) -> Tensor:
    """(N, 1, H, W) -> (N, 18)."""
    mean = _smoothed(grey)
    deviation = (_smoothed(grey * grey) - mean * mean).abs().sqrt()
    normalised = ((grey - mean) / (deviation + 1))[:, 0]
    alpha, left, right, _ = _fitted(normalised)
    columns = [alpha, (left + right) / 2]
    for shift in SHIFTS:
        alpha, left, right, middle = _fitted(normalised * normalised.roll(shift, dims=(1, 2)))
        columns += [alpha, middle, left, right]
    return torch.stack(columns, dim=1)


def _smoothed(grey: Tensor) -> Tensor:
    at = torch.arange(WINDOW, device=grey.device) - WINDOW // 2
    weights = torch.exp(-(at**2) / (2 * (WINDOW / 6) ** 2))
    weights = (weights / weights.sum()).to(grey.dtype)
    half = WINDOW // 2
    padded = nn_f.pad(grey, (half, half, half, half), mode="replicate")
    height, width = grey.shape[2:]
    across = sum(
        (padded[..., n : n + width] * w for n, w in enumerate(weights)), padded.new_zeros(())
    )
    return sum(
        (across[..., n : n + height, :] * w for n, w in enumerate(weights)), padded.new_zeros(())
    )


def _fitted(values: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Asymmetric generalised Gaussians of (N, H, W): shape, left and right scale, mean; (N,) each.

    By moments (Lasmar et al. 2009); where nothing varies the shape is the least and scales are 0.
    """
    flat = values.flatten(1)
    above, below = flat.clamp(min=0), (-flat).clamp(min=0)
    left, right = (
        (part.square().sum(dim=1) / (part > 0).sum(dim=1).clamp(min=1)).sqrt()
        for part in (below, above)
    )
    square = flat.square().mean(dim=1)
    skew = left / right.clamp(min=1e-6)
    ratio = flat.abs().mean(dim=1) ** 2 / square.clamp(min=1e-9)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    alphas = torch.linspace(0.2, 10, 2000, device=flat.device)
    one, two, three = (torch.lgamma(order / alphas) for order in (1, 2, 3))
    at = torch.searchsorted(torch.exp(2 * two - one - three), ratio.nan_to_num(0.0))
    at = at.clamp(max=len(alphas) - 1)
    spread, middle = torch.exp((one - three) / 2)[at], torch.exp(two - one)[at]
    left, right = left * spread, right * spread
    return alphas[at], left, right, (right - left) * middle
