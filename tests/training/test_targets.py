from __future__ import annotations

import numpy as np
import pytest
from skimage import data

import targets
from distortions import KINDS, distort
from tower import PAIRS

PHOTO = data.astronaut()[40:168, 160:320]  # type: ignore[no-untyped-call]


def test_every_family_has_its_faults() -> None:
    assert set(targets.FAULTS) == {kind.family for kind in KINDS.values()}


def test_a_pristine_view_is_good_in_every_way() -> None:
    assert targets.quality({}, 0.0) == pytest.approx([0.97] * 5)


def test_a_ruined_view_by_hand() -> None:
    # overall 1; resolution .8; noise-free shows 0.6 of the whole; 0.97 - 0.94 * fault
    got = targets.quality({"blur.gaussian": 1.0}, 1.0)
    assert got == pytest.approx([0.03, 0.03, 0.03, 0.218, 0.406], abs=1e-6)


def test_a_fault_that_does_not_show_counts_half() -> None:
    got = targets.quality({"blur.gaussian": 0.5}, 0.0)  # overall (0 + 0.5) / 2
    assert got[0] == pytest.approx(0.97 - 0.94 * 0.25)


def test_a_mixture_is_worse_than_its_part() -> None:
    one = targets.quality({"noise.white": 0.5}, 0.5)
    two = targets.quality({"blur.gaussian": 0.5, "noise.white": 0.5}, 0.5)
    assert (two[:4] < one[:4]).all()  # what is seen of both is shared out: noise-free may rise
    assert two[0] == pytest.approx(0.97 - 0.94 * (0.25 + 0.5 * 0.75))


def test_a_view_does_not_differ_from_itself() -> None:
    assert targets.difference(PHOTO, PHOTO) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "kind", ["blur.gaussian", "noise.white", "tone.haze", "colour.less_colour"]
)
def test_difference_grows_with_severity(kind: str) -> None:
    far = [targets.difference(PHOTO, distort(PHOTO, kind, level, 0)) for level in (0.3, 0.6, 1.0)]
    assert 0 < far[0] < far[1] < far[2] < 1


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


def test_there_is_a_target_for_every_pair() -> None:
    assert targets.all_pairs({}, 0.0, PHOTO).shape == (len(PAIRS),)
    garbage = targets.of_garbage(PHOTO)
    assert garbage.shape == (len(PAIRS),)
    assert (garbage[:5] == np.float32(targets.FLOOR)).all()
