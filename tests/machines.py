"""Machines of a core each, as Ray sees it; rows of a cluster and of one machine, to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from magiqa import Scorer
from magiqa.cluster import _import_ray
from magiqa.runs.pipeline import Run

MEMORY = 100 << 20  # bytes of a machine's object store


@dataclass
class Nodes:
    """A cluster."""

    cluster: Any

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def add(self) -> None:
        """One more machine."""
        self.cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def lose(self) -> None:
        """The last machine, with all that runs on it, at once."""
        self.cluster.remove_node(self.cluster.list_all_nodes()[-1], allow_graceful=False)


@contextmanager
def two_machines() -> Iterator[Nodes]:
    """A cluster that ends with the block."""
    _import_ray()  # which sets it up
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = Nodes(cluster)
        nodes.add()
        yield nodes
    finally:
        cluster.shutdown()


def read(output: Path) -> list[dict[str, Any]]:
    """Rows of a Parquet file, or of a folder of them."""
    from pyarrow import dataset

    rows: list[dict[str, Any]] = dataset.dataset(output).to_table().to_pylist()
    return rows


def scored(scorer: Scorer, paths: list[Path], output: Path) -> list[dict[str, Any]]:
    """What `magiqa score` makes of them, up to what the size of a micro-batch changes."""
    with Run(paths, scorer, output, jobs=1) as run:
        for _ in run:
            pass
        run.finish()
    return [
        {
            name: pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in read(output)
    ]
