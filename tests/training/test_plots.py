from __future__ import annotations

from pathlib import Path

from PIL import Image

import plots


def test_a_panel_a_family(tmp_path: Path) -> None:
    falling = [0.9, 0.8, 0.6, 0.5, 0.4, 0.3]
    means = {"blur.gaussian": falling, "blur.motion": falling, "noise.white": falling}
    monotone = {"blur": 1.0, "noise": 0.5}
    plots.plot({"score": {"means": means, "monotone": monotone}}, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as drawn:
        assert drawn.size == (960, 288)  # one row of three places
        assert len(drawn.convert("RGB").getcolors(1 << 20) or []) > 20
