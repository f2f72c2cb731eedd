from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kept import anchors_of, keep, pictures, small
from magiqa import Scorer, SourceError
from magiqa.evaluate import datasets
from magiqa.evaluate.methods import PAPER, settings_of
from magiqa.evaluate.paper import Entry
from magiqa.evaluate.reproduction import ALPHAS, LAMBDAS, ON_VIEWS, Reproduction, find_sets
from magiqa.settings import Coverage

NAMES = [f"I{content:02}_{level:02}.png" for content in (1, 2) for level in range(1, 6)]
TINY = "resnet-1-1-1-1x8"


@pytest.fixture(scope="module")
def made(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    """CLIVE and its part, measured on ten small pictures of views and of whole pictures."""
    folder = tmp_path_factory.mktemp("sets")
    rated = pictures(folder / "clive", NAMES)
    scorers: dict[Coverage, Scorer] = {
        "paper": Scorer(weights=checkpoint, settings=PAPER),
        "whole": Scorer(weights=checkpoint, settings=settings_of("ma-clip-whole")),
    }
    folders = {name: keep(rated, scorer, folder / name) for name, scorer in scorers.items()}
    made = Reproduction(TINY, {"spaq": "no folder spaq"}, whole=True)
    clive = small("clive", rated)
    assert not made.take_part(clive, rated)
    made.measure(clive, rated, TINY, folders, anchors_of(checkpoint))
    test = small("clive-test", rated[3:])
    assert made.take_part(test, rated[3:])
    return made


def test_scores_are_the_scorers(made: Reproduction, checkpoint: Path) -> None:
    found = made.measured["clive", TINY]
    paths = [each.path for each in found.rated]
    for method in ("ma-clip", "l1", "clip-iqa-whole"):
        scorer = Scorer(weights=checkpoint, settings=settings_of(method))
        wanted = [each.score for each in scorer.score_many(paths)]
        np.testing.assert_allclose(found.scores[method], wanted, atol=1e-5)
    assert set(ON_VIEWS) < set(found.results)


def test_the_sweep_holds_every_point_and_the_papers_is_ma_clips(made: Reproduction) -> None:
    found = made.measured["clive", TINY]
    assert len(LAMBDAS) == 12
    assert len(ALPHAS) == 4
    assert set(found.sweep) == {(each, alpha) for each in LAMBDAS for alpha in ALPHAS}
    own = found.results["ma-clip"].correlation
    assert own
    assert found.sweep[0.5, 1.0] == pytest.approx(own.srcc)


def test_a_variant_is_a_part_of_its_set(made: Reproduction) -> None:
    whole, part = made.measured["clive", TINY], made.measured["clive-test", TINY]
    np.testing.assert_array_equal(part.scores["ma-clip"], whole.scores["ma-clip"][3:])
    own = part.results["ma-clip"].correlation
    assert own
    assert own.n == 7
    assert not part.sweep


def test_a_variant_whose_set_is_not_there_stands_alone(made: Reproduction) -> None:
    rated = made.measured["clive", TINY].rated
    assert not made.take_part(small("pipal-train", rated), rated)


@pytest.mark.parametrize(
    ("entry", "table", "why"),
    [
        (Entry("clive", "QAC", None), 1, "no public code"),
        (Entry("clive", "NIQE", "niqe"), 1, "add --rivals"),
        (Entry("spaq", "MA-CLIP", "ma-clip"), 1, "no folder spaq"),
        (Entry("clive", "MA-CLIP", "ma-clip", "ViT-B/32"), 6, "add --backbone ViT-B/32"),
        (Entry("clive", "CLIP-IQA", "no-such-whole"), 1, f"{TINY} takes 224x224 alone"),
    ],
)
def test_what_was_not_run_says_why(made: Reproduction, entry: Entry, table: int, why: str) -> None:
    assert made.find(entry, table) == why


def test_what_was_measured_is_found(made: Reproduction) -> None:
    found = made.find(Entry("clive", "MA-CLIP", "ma-clip"), 1)
    assert found is made.measured["clive", TINY].results["ma-clip"]
    assert made.main("spaq") == "no folder spaq"
    assert made.main("clive") is made.measured["clive", TINY]


@pytest.mark.parametrize("name", ["agiqa-3k", "AGIQA-3K", "AGIQA-3k-Database"])
def test_a_set_is_found_by_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rated = pictures(tmp_path / name, NAMES[:3])
    monkeypatch.setattr(datasets, "DATASETS", (small("agiqa-3k", rated), small("csiq", rated)))
    (found, rows), (absent, why) = find_sets(tmp_path)
    assert (found.name, rows) == ("agiqa-3k", rated)
    assert (absent.name, why) == ("csiq", "no folder csiq")


def test_variants_are_read_from_the_sets_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = pictures(tmp_path / "ChallengeDB_release", NAMES[:4])
    both = (small("clive", rated), small("clive-test", rated[1:]))
    monkeypatch.setattr(datasets, "DATASETS", both)
    assert [len(rows) for _, rows in find_sets(tmp_path)] == [4, 3]


def test_an_incomplete_set_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rated = pictures(tmp_path / "csiq", NAMES[:3])
    rated[1].path.unlink()
    monkeypatch.setattr(datasets, "DATASETS", (small("csiq", rated),))
    [(_, why)] = find_sets(tmp_path)
    assert "1 of 3 pictures of CSIQ are missing" in str(why)


def test_no_folder_of_sets_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere - cannot be listed \(No such file"):
        list(find_sets(tmp_path / "nowhere"))
