"""`make check-data`: two machines give the rows of `magiqa score` on real pictures.

On all of AGIQA-3k: benchmarks/cluster_rows.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import CHECKPOINTS

import recipe
from machines import Nodes, read, scored, two_machines
from magiqa import Scorer
from magiqa.cluster import ClusterRun

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def nodes(_own_cache: None) -> Iterator[Nodes]:
    with two_machines() as nodes:
        yield nodes


@pytest.mark.parametrize(("architecture", "count"), [("tiny-resnet", 300), ("RN50", 8)])
def test_rows_are_those_of_score(
    nodes: Nodes, shared: Path, tmp_path: Path, architecture: str, count: int
) -> None:
    pictures = sorted((shared / "data" / "agiqa-3k" / "images").iterdir())[:count]
    weights = recipe.checkpoint_file(architecture, CHECKPOINTS)
    arguments: dict[str, Any] = {"weights": weights}
    chunk = count // 4
    with ClusterRun(
        pictures,
        tmp_path / "out",
        arguments,
        address=nodes.address,
        workers=(2, 2),
        pictures_a_chunk=chunk,
    ) as run:
        assert len({done.worker for done in run}) == 2
        run.finish()
    rows = read(tmp_path / "out")
    assert len(rows) == count
    assert rows == scored(Scorer(weights=weights), pictures, tmp_path / "score.parquet")
