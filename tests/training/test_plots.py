from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageChops

import plots


def test_a_panel_a_family(tmp_path: Path) -> None:
    falling = [0.9, 0.8, 0.6, 0.5, 0.4, 0.3]
    means = {"blur.gaussian": falling, "blur.motion": falling, "noise.white": falling}
    monotone = {"blur": 1.0, "noise": 0.5}
    plots.plot({"score": {"means": means, "monotone": monotone}}, tmp_path / "a.png")
    means = {**means, "noise.white": falling[:1] * 6}
    plots.plot({"score": {"means": means, "monotone": monotone}}, tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as drawn, Image.open(tmp_path / "b.png") as other:
        assert drawn.size == other.size == (960, 288)  # one row of three places
        box = ImageChops.difference(drawn.convert("L"), other.convert("L")).getbbox()
    assert box is not None
    assert 320 < box[0] < box[2] < 640  # the second panel, where noise is
