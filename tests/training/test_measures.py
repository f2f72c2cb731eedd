from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

import measures
from distortions import distort
from distortions.pixels import Bytes

PHOTO = data.astronaut()[40:168, 160:320]  # type: ignore[no-untyped-call]


def tensor(*views: Bytes) -> Tensor:
    return torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2)


def test_a_view_does_not_differ_from_itself() -> None:
    assert float(measures.difference(tensor(PHOTO), tensor(PHOTO))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "kind", ["blur.gaussian", "noise.white", "tone.haze", "colour.less_colour"]
)
def test_difference_grows_with_severity(kind: str) -> None:
    views = tensor(*(distort(PHOTO, kind, level, 0) for level in (0.3, 0.6, 1.0)))
    far = measures.difference(tensor(PHOTO).expand_as(views), views).tolist()
    assert 0 < far[0] < far[1] < far[2] < 1


def test_a_shift_of_all_tones_by_hand() -> None:
    # no gradients: 1 - exp(-2 * 51 / 255)
    first, second = (np.full((16, 16, 3), value, np.uint8) for value in (100, 151))
    far = float(measures.difference(tensor(first), tensor(second)))
    assert far == pytest.approx(1 - np.exp(-0.4), abs=1e-6)
