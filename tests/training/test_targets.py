from __future__ import annotations

import numpy as np
import pytest
import torch

import targets
from distortions import KINDS
from tower import PAIRS


def pairs(severities: dict[str, float], difference: float) -> list[float]:
    faults = torch.from_numpy(targets.faults(severities))[None]
    attributes = torch.tensor([[0.2, 0.3, 0.4]])
    found = targets.pairs(faults, torch.tensor([difference]), attributes)
    return [float(value) for value in found[0]]


def test_every_family_has_its_faults() -> None:
    assert set(targets.FAULTS) == {kind.family for kind in KINDS.values()}


def test_a_pristine_view_is_good_in_every_way() -> None:
    found = pairs({}, 0.0)
    assert len(found) == len(PAIRS)
    assert found[:5] == pytest.approx([0.97] * 5)
    assert found[5:] == pytest.approx([0.2, 0.97, 0.3, 0.97, 0.4])  # measured, clean, sharp


def test_a_ruined_view_by_hand() -> None:
    # overall 1; resolution .8; noise-free shows 0.6 of the whole; 0.97 - 0.94 * fault
    found = pairs({"blur.gaussian": 1.0}, 1.0)
    assert found[:5] == pytest.approx([0.03, 0.03, 0.03, 0.218, 0.406], abs=1e-6)
    assert (found[6], found[8]) == pytest.approx((0.97, 0.03))  # blurred, but no noise


def test_a_fault_that_does_not_show_counts_by_its_severity_alone() -> None:
    assert pairs({"blur.gaussian": 0.5}, 0.0)[0] == pytest.approx(0.97 - 0.94 * 0.35 * 0.5)


def test_a_mixture_is_worse_than_its_part() -> None:
    one, two = (
        pairs({"noise.white": 0.5}, 0.5),
        pairs({"blur.gaussian": 0.5, "noise.white": 0.5}, 0.5),
    )
    assert all(b < a for a, b in zip(one[:4], two[:4], strict=True))
    assert two[0] == pytest.approx(0.97 - 0.94 * (0.65 * 0.5 + 0.35 * 0.75))


def test_attributes_follow_what_is_measured() -> None:
    black, white = (np.full((8, 8, 3), value, np.uint8) for value in (0, 255))
    assert targets.attributes(black)[0] < 0.05
    assert targets.attributes(white)[0] > 0.95
    assert targets.attributes(black)[1] < 0.1  # no colour
    colours = np.zeros((8, 8, 3), np.uint8)
    colours[:4, :, 0], colours[4:, :, 2] = 255, 255
    assert targets.attributes(colours)[1] > 0.95
    halves = np.zeros((8, 8, 3), np.uint8)
    halves[:4] = 255
    assert targets.attributes(halves)[2] > 0.95
    assert targets.attributes(black)[2] < 0.05
