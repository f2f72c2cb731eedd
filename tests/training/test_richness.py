from __future__ import annotations

import pytest
import torch

import richness
from richness import Richness


def test_a_usual_view_by_hand() -> None:
    detail = torch.tensor([-3.0, -1.0, -2.0, -4.0, -2.0, -3.0])
    small = torch.tensor([False, False, False, True, True, True])
    rich = Richness(detail, small)
    attributes = torch.tensor([[0.9, 0.2, 0.4]] * 2)
    found = rich(torch.tensor([-2.0, -3.0]), attributes, torch.tensor([False, True]))
    assert found.tolist() == pytest.approx([0.6 * 0.5 + 0.4 * 0.3] * 2)  # each of its own mean
    finer = rich(torch.tensor([-1.0]), attributes[:1], torch.tensor([False]))
    assert finer.item() == pytest.approx(0.6 / (1 + 2.718281828 ** (-richness.STEEP)) + 0.12)


def test_detail_is_the_mean_gradient() -> None:
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 255
    assert richness.detail(stripes).item() == pytest.approx(0.001, abs=1e-4)  # ln 1.001
    assert richness.detail(torch.zeros(1, 3, 8, 8)).item() == pytest.approx(-6.9078, abs=1e-3)
