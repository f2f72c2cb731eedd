"""`make check-data`: five pictures of TID2013 whose scores by MATLAB are published."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from magiqa import Item, PictureError, Settings
from magiqa.evaluate.correlation import correlation
from magiqa.evaluate.datasets import find_dataset
from magiqa.evaluate.rivals.ilniqe import IlNiqe
from magiqa.evaluate.rivals.niqe import Niqe
from magiqa.evaluate.rivals.piqe import piqe
from magiqa.pictures import decode

pytestmark = pytest.mark.data

Metric: TypeAlias = Callable[[np.ndarray], float]

RESULTS = Path(__file__).parents[3] / "benchmarks" / "results"
AGREEMENT = {"piqe": (2982, 0.346), "niqe": (2978, 0.596), "ilniqe": (2978, 0.456)}
"""Pictures that have a score, and SRCC."""
PIQE = {"I03": 100.00, "I04": 21.62, "I06": 35.86, "I08": 41.15, "I19": 76.95}


def pixels(path: Path) -> np.ndarray:
    found: np.ndarray = decode.read(Item(path.name, path), Settings(protocol="paper")).pixels
    return found


@pytest.fixture(scope="module")
def pictures(shared: Path) -> dict[str, np.ndarray]:
    folder = shared / "data" / "calibration"
    return {name: pixels(folder / f"{name}.png") for name in PIQE}


def test_piqe_is_matlabs(pictures: dict[str, np.ndarray]) -> None:
    found = {name: piqe(picture) for name, picture in pictures.items()}
    assert found == pytest.approx(PIQE, abs=0.01)


@pytest.mark.parametrize("metric", [Niqe(), IlNiqe()], ids=["niqe", "ilniqe"])
def test_order_is_matlabs(pictures: dict[str, np.ndarray], metric: Metric) -> None:
    found = {name: metric(picture) for name, picture in pictures.items()}
    best_to_worst = sorted(found, key=found.__getitem__)
    assert best_to_worst[-2:] == ["I19", "I03"]
    assert found["I19"] > 1.9 * found[best_to_worst[2]]


@pytest.fixture(scope="module", params=["piqe", "niqe", "ilniqe"])
def kept(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    """A metric, and for each picture of AGIQA-3k its score as text, empty where it has none."""
    with (RESULTS / f"agiqa-3k-{request.param}.csv").open(newline="") as file:
        return request.param, {row["picture"]: row["score"] for row in csv.DictReader(file)}


def test_agiqa_scores_are_as_kept(shared: Path, kept: tuple[str, dict[str, str]]) -> None:
    name, scores = kept
    metrics: dict[str, Metric] = {"piqe": piqe, "niqe": Niqe(), "ilniqe": IlNiqe()}
    metric = metrics[name]
    folder = shared / "data" / "agiqa-3k" / "images"
    for picture in list(scores)[::60]:
        found = metric(pixels(folder / picture))
        assert found == pytest.approx(float(scores[picture]), rel=1e-4), picture
    for picture in (picture for picture, score in scores.items() if not score):
        with pytest.raises(PictureError, match="leave out pictures that are flat"):
            metric(pixels(folder / picture))


def test_agreement_with_people(shared: Path, kept: tuple[str, dict[str, str]]) -> None:
    name, scores = kept
    rated = find_dataset("agiqa-3k").load(shared / "data" / "agiqa-3k")
    assert sorted(scores) == sorted(each.path.name for each in rated)
    pairs = [(float(text), each.mos) for each in rated if (text := scores[each.path.name])]
    found = correlation(*zip(*pairs, strict=True), higher_is_better=False, resamples=0)
    assert [found.n, found.srcc] == pytest.approx(AGREEMENT[name], abs=1e-3)
