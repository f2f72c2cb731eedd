"""`make check-data`: both engines on real pictures, from ../shared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import CHECKPOINTS

import recipe
from magiqa import Scorer, Settings

pytestmark = pytest.mark.data


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [
        ("tiny-resnet", Settings()),  # as they are
        ("RN50", Settings(resize=(256, 256))),  # a window and the thumbnail: minutes, not hours
    ],
)
def test_both_engines_agree_on_200_real_pictures(
    shared: Path, architecture: str, settings: Settings
) -> None:
    paths = sorted(path for path in (shared / "data").rglob("*") if path.suffix in (".jpg", ".png"))
    paths = paths[:: len(paths) // 200][:200]
    assert len(paths) == 200
    weights = recipe.checkpoint_file(architecture, CHECKPOINTS)
    there = Scorer(weights=weights, settings=settings).score_many(paths)
    here = Scorer(weights=weights, settings=settings, engine="torch").score_many(paths)
    for ours, theirs in zip(here, there, strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-5), ours.source
        for name in ("similarity", "magnitude", "weight", "score"):
            got, wanted = (
                np.asarray([getattr(view, name) for view in score.views])
                for score in (ours, theirs)
            )
            np.testing.assert_allclose(got, wanted, rtol=0, atol=5e-5, err_msg=ours.source)
