from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

import naturalness
from distortions import distort
from magiqa.evaluate.rivals import niqe
from naturalness import FEATURES, Naturalness


def crops(kind: str | None = None) -> Tensor:
    photo = data.astronaut()  # type: ignore[no-untyped-call]
    places = [(top, left) for top in range(0, 400, 32) for left in range(0, 400, 32)]
    found = [photo[top : top + 96, left : left + 96] for top, left in places]
    if kind:
        found = [distort(crop, kind, 0.8, 0) for crop in found[::10]]
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).to(torch.float32)


def test_features_are_niqes() -> None:
    photo = data.astronaut()[:192, 160:352]  # type: ignore[no-untyped-call]
    expected, _ = niqe.features(photo)
    views = [photo[y : y + 96, x : x + 96] for y in (0, 96) for x in (0, 96)]
    batch = torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)
    found = naturalness.features(batch.to(torch.float32)).numpy()
    assert found.shape == (4, FEATURES)
    # of the first scale; the window is cut at the view's edge, which NIQE's is not
    assert found[:, :18] == pytest.approx(expected[:, :18], abs=0.12)


def test_worse_views_are_less_natural() -> None:
    rows = naturalness.features(crops())
    windows = torch.zeros(len(rows), dtype=torch.bool)
    small = windows.clone()
    small[::2] = True
    natural = Naturalness(rows, small, torch.rand(len(rows), generator=torch.manual_seed(0)))
    usual = natural(rows, small).median()
    assert 0.6 < usual < 0.95
    for kind in ("blur.gaussian", "noise.white", "noise.lines", "rescaling.pixelate"):
        worse = naturalness.features(crops(kind))
        assert natural(worse, torch.zeros(len(worse), dtype=torch.bool)).median() < 0.6 * usual


def test_a_flat_view_has_a_number() -> None:
    flat = torch.full((1, 3, 64, 64), 128.0)
    assert torch.isfinite(naturalness.features(flat)).all()
