from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kept import anchors_of, keep, pictures
from magiqa import Failure, Scorer, Settings
from magiqa.evaluate import embeddings
from magiqa.evaluate.embeddings import AnchorsOf, folder_for, scores, thumbnails
from magiqa.evaluate.layouts import Rated
from magiqa.evaluate.methods import METHODS, PAPER, settings_of
from magiqa.evaluate.reproduction import Question, grid
from magiqa.runs.embeddings import load_embeddings
from magiqa.settings import Coverage

NAMES = [f"{number}.png" for number in range(8)]


@pytest.fixture(scope="module")
def scorer(checkpoint: Path) -> Scorer:
    return Scorer(weights=checkpoint, settings=PAPER)


@pytest.fixture(scope="module")
def anchors(checkpoint: Path) -> AnchorsOf:
    return anchors_of(checkpoint)


@pytest.fixture(scope="module")
def folder(scorer: Scorer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures, the third of which is none."""
    place = tmp_path_factory.mktemp("set")
    rated = pictures(place, NAMES)
    rated[2].path.write_text("no picture")
    return keep(rated, scorer, place / "kept")


@pytest.mark.parametrize("views", [1, 7, 256])
def test_every_method_is_what_the_scorer_makes_of_each_picture(
    folder: Path,
    anchors: AnchorsOf,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    views: int,
) -> None:
    monkeypatch.setattr(embeddings, "VIEWS", views)
    names = [*METHODS, "fixed-0.2"]
    settings: dict[Question, Settings] = {name: settings_of(name) for name in names}
    settings |= grid()
    assert len(settings) == 7 + 48
    found = scores({"paper": folder}, settings, anchors)
    assert list(found.scores) == list(settings)
    # 48 scorers for the grid would take long: its corners
    some: list[Question] = [*names, (-2.0, 0.0), (0.0, 2.0), (3.0, 1.0)]
    for name in some:
        own = Scorer(weights=checkpoint, settings=settings[name])
        for got, entry in zip(found.scores[name], load_embeddings(folder), strict=True):
            if isinstance(entry, Failure):
                assert np.isnan(got)
            else:
                assert got == pytest.approx(own.score_embedded(entry).score, abs=1e-12)
    assert [Path(each.source).name for each in found.failures] == ["2.png"]


def test_the_papers_point_of_the_grid_is_ma_clip(folder: Path, anchors: AnchorsOf) -> None:
    settings = {"ma-clip": PAPER, "grid": grid()[0.5, 1.0]}
    found = scores({"paper": folder}, settings, anchors).scores
    np.testing.assert_array_equal(found["ma-clip"], found["grid"])


def test_view_policies_have_folders_of_their_own(
    folder: Path, checkpoint: Path, anchors: AnchorsOf, tmp_path: Path
) -> None:
    whole = Scorer(weights=checkpoint, settings=settings_of("clip-iqa-whole"))
    rated = pictures(tmp_path, NAMES)
    folders: dict[Coverage, Path] = {"paper": folder}
    folders["whole"] = keep(rated, whole, tmp_path / "kept")
    settings = {name: settings_of(name) for name in ("clip-iqa-whole", "ma-clip")}
    found = scores(folders, settings, anchors)
    assert list(found.scores) == list(settings)
    wanted = [each.score for each in whole.score_many([each.path for each in rated])]
    np.testing.assert_allclose(found.scores["clip-iqa-whole"], wanted, atol=1e-6)


def test_thumbnails_are_each_pictures_last_view(folder: Path) -> None:
    found = thumbnails(folder)
    assert found.shape == (8, 64)
    for row, entry in zip(found, load_embeddings(folder), strict=True):
        if isinstance(entry, Failure):
            assert np.isnan(row).all()
        else:
            np.testing.assert_array_equal(row, entry.embeddings[-1])


def test_folders_do_not_mix_what_does_not_compare() -> None:
    def provenance(coverage: str, dtype: str = "float32") -> dict[str, object]:
        return {
            "engine": f"torch 2.13.0 cuda:0 {dtype}",
            "backbone": "ViT-B/32",
            "weights_hash": "0123456789abcdef",
            "settings": {"coverage": coverage},
        }

    keep = Path("kept")
    names = [
        folder_for(keep, "csiq", provenance("paper")).name,
        folder_for(keep, "csiq", provenance("whole")).name,
        folder_for(keep, "csiq", provenance("paper"), 50).name,
        folder_for(keep, "csiq", provenance("paper", "bfloat16")).name,
    ]
    assert names == [
        "csiq-ViT-B-32-01234567",
        "csiq-ViT-B-32-01234567-whole",
        "csiq-ViT-B-32-01234567-first-50",
        "csiq-ViT-B-32-01234567-bfloat16",
    ]


def test_no_picture_has_no_scores(scorer: Scorer, anchors: AnchorsOf, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("no picture")
    folder = keep([Rated("a.png", path, 1.0)], scorer, tmp_path / "kept")
    found = scores({"paper": folder}, {"ma-clip": PAPER}, anchors)
    assert np.isnan(found.scores["ma-clip"]).tolist() == [True]
    assert thumbnails(folder).shape == (1, 0)


def test_a_picture_that_is_listed_twice_has_two_scores(
    scorer: Scorer, anchors: AnchorsOf, tmp_path: Path
) -> None:
    first, second = pictures(tmp_path, NAMES[:2])
    folder = keep([first, second, first], scorer, tmp_path / "kept")
    a, b, again = scores({"paper": folder}, {"ma-clip": PAPER}, anchors).scores["ma-clip"]
    assert a == pytest.approx(again, abs=1e-6)
    assert a != pytest.approx(b, abs=1e-6)
