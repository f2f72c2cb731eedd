from __future__ import annotations

import pytest
import torch

import richness
from richness import Richness


def test_a_usual_view_by_hand() -> None:
    sharpness = torch.tensor([-3.0, -1.0, -2.0, -4.0, -2.0, -3.0]).exp() - 0.001
    small = torch.tensor([False, False, False, True, True, True])
    rich = Richness(sharpness, small)
    attributes = torch.tensor([[0.9, 0.2, 0.4]] * 2)
    found = rich(sharpness[[2, 5]], attributes, torch.tensor([False, True]))
    assert found.tolist() == pytest.approx([0.6 * 0.5 + 0.4 * 0.3] * 2)  # each of its own mean
    finer = rich(sharpness[[1]], attributes[:1], torch.tensor([False]))
    assert finer.item() == pytest.approx(0.6 / (1 + 2.718281828 ** (-richness.STEEP)) + 0.12)


def test_a_view_without_detail_has_a_number() -> None:
    small = torch.tensor([False, False, True, True])
    rich = Richness(torch.tensor([0.1, 0.2, 0.1, 0.2]), small)
    flat = rich(torch.zeros(1), torch.zeros(1, 3), torch.tensor([False]))
    assert flat.item() == pytest.approx(0, abs=1e-6)
