from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import unknown
from distortions import distort
from magiqa import Scorer
from magiqa.evaluate.rivals.niqe import Niqe


def test_pictures_are_judged_once_and_what_cannot_be_is_passed_by(tmp_path: Path) -> None:
    photo = data.astronaut()  # type: ignore[no-untyped-call]
    kinds = {"same": photo, "again": photo, "small": photo[:200], "flat": np.zeros_like(photo)}
    for name, pixels in kinds.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    Image.fromarray(photo).resize((1024, 768)).save(tmp_path / "large.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")

    pictures, niqe = unknown.judged(tmp_path)
    assert [picture.shape for picture in pictures] == [(512, 512, 3), (640, 640, 3)]
    assert niqe == [Niqe()(picture) for picture in pictures]


def test_agreement_turns_niqe_round() -> None:
    photo = data.astronaut()  # type: ignore[no-untyped-call]
    levels = (0.0, 0.3, 0.6, 1.0)
    blurred = [distort(photo, "blur.gaussian", level, 0) if level else photo for level in levels]
    found = unknown.agreement(Scorer("nano"), blurred, [3.0, 5.0, 7.0, 9.0])
    assert found == pytest.approx({"score": 1, "similarity": 1, "magnitude": 1})
