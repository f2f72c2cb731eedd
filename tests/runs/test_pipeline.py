from __future__ import annotations

from pathlib import Path

from PIL import Image

import recipe
from magiqa import Failure, Score, Scorer, score_paths


def test_folders_and_files_give_rows_in_order(tiny: Scorer, tmp_path: Path) -> None:
    Image.fromarray(recipe.picture(230, 240, seed=1)).save(tmp_path / "b.png")
    (tmp_path / "a.jpg").write_text("a text")
    rows = list(score_paths([tmp_path, "gone", tmp_path / "b.png"], tiny))
    assert [Path(row.source).name for row in rows] == ["a.jpg", "b.png", "gone", "b.png"]
    broken, scored, gone, again = rows
    assert isinstance(broken, Failure)
    assert "not a picture in a format Pillow knows" in broken.text
    assert isinstance(gone, Failure)
    assert isinstance(scored, Score)
    assert scored == again
    assert scored.score == tiny(tmp_path / "b.png").score
