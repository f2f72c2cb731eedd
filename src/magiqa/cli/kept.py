"""What `magiqa evaluate` and `magiqa reproduce` keep on disk: embeddings, and rivals' scores."""

from __future__ import annotations

import functools
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from magiqa.cli import options, show

if TYPE_CHECKING:  # loaded inside the commands, not with --help
    import numpy as np
    from numpy.typing import NDArray

    from magiqa.clip.anchors import Anchors
    from magiqa.clip.weights import Checkpoint
    from magiqa.evaluate.datasets import DataSet, Rated
    from magiqa.evaluate.rivals.metric import Metric
    from magiqa.records import Failure
    from magiqa.runs.pipeline import Run
    from magiqa.scorer import Scorer
    from magiqa.settings import Coverage, PromptPair, Settings


class Network:
    """Weights, and how to run them; opened when first asked for."""

    def __init__(self, name: str | None, weights: Path | None, machine: options.Machine) -> None:
        self._named = name, weights
        self._machine = machine
        self.anchors = functools.cache(self._anchors)
        """Prompt pairs -> their anchors."""

    def scorer(self, settings: Settings) -> Scorer:
        """The scorer of these weights under some settings."""
        return options.scorer_of(settings, *self._named, None, self._machine)

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """The weights."""
        from magiqa.clip.weights import open_checkpoint

        return open_checkpoint(*self._named)

    @property
    def backbone(self) -> str:
        """Their backbone's name."""
        return self.checkpoint.architecture.backbone

    @property
    def any_size(self) -> bool:
        """Whether it takes whole pictures."""
        return self.checkpoint.architecture.patch is None

    def check(self, asked: Iterable[Settings]) -> None:
        """See, before anything is encoded, that it can be asked all this. Raises SettingsError."""
        options.pull(*self._named)
        for settings in asked:
            self.anchors(settings.pairs)

    def _anchors(self, pairs: tuple[PromptPair, ...]) -> Anchors:
        from magiqa.clip.anchors import load_anchors

        return load_anchors(self.checkpoint, pairs)


@dataclass(slots=True)
class Kept:
    """Embeddings and scores on disk: sets go through once, and are found by the next command."""

    folder: Path
    limit: int | None
    jobs: int
    restart: bool
    provenance: list[dict[str, Any]] = field(default_factory=list)
    """Of every encoding, and in each whether its weights are "released"; of every rival."""

    def embed(
        self, dataset: DataSet, rated: Sequence[Rated], network: Network, coverage: Coverage
    ) -> Path:
        """Encode what is not there yet; the folder. A signal ends the command, well."""
        from magiqa.evaluate.embeddings import folder_for
        from magiqa.evaluate.evaluation import is_released
        from magiqa.evaluate.methods import PAPER
        from magiqa.runs.embeddings import EmbedRun

        scorer = network.scorer(replace(PAPER, coverage=coverage, resize=dataset.resize))
        folder = folder_for(self.folder, _name(dataset, rated), scorer.provenance, self.limit)
        about = {"set": dataset.name, "released": is_released(network.checkpoint)}
        self.provenance.append(about | scorer.provenance)
        paths = [each.path for each in rated]
        self._follow(dataset.title, EmbedRun(paths, scorer, folder, **self._options), folder)
        return folder

    def score(
        self, dataset: DataSet, rated: Sequence[Rated], metric: Metric
    ) -> tuple[NDArray[np.float64], list[Failure]]:
        """A rival's own numbers of all pictures, (pictures,), NaN where it failed; kept as CSV.

        What is there already is read. A signal ends the command, well.
        """
        import numpy as np

        from magiqa.records import Failure
        from magiqa.runs.outputs import Output
        from magiqa.runs.pipeline import Run

        metric = replace(metric, settings=replace(metric.settings, resize=dataset.resize))
        self.provenance.append({"set": dataset.name} | metric.provenance)
        parts = [_name(dataset, rated), re.sub(r"[^\w.+-]+", "-", metric.name)]
        parts += [f"first-{self.limit}"] if self.limit else []
        output = self.folder / f"{'-'.join(parts)}.csv"
        paths = [each.path for each in rated]
        run = Run(paths, metric, output, **self._options)
        self._follow(f"{dataset.title}, {metric.name}", run, output)
        rows = list(Output(output).rows())
        failures = [
            Failure(row["source"], row["error_kind"], row["error"]) for row in rows if row["error"]
        ]
        return np.asarray([row["score"] for row in rows], np.float64), failures

    @property
    def _options(self) -> dict[str, Any]:
        retry_failed = True  # there are few
        return {"jobs": self.jobs, "restart": self.restart, "retry_failed": retry_failed}

    def _follow(self, title: str, run: Run, kept: Path) -> None:
        with run:
            tally, signalled = show.followed(run)
        typer.echo(f"{title}: {tally.summary(kept, signalled is not None)}", err=True)
        if signalled is not None:
            raise typer.Exit(signalled)


def _name(dataset: DataSet, rated: Sequence[Rated]) -> str:
    """A set's name in names of files: two lists may have one name, and a list may change."""
    from magiqa.evaluate.datasets import DATASETS

    if dataset in DATASETS:
        return dataset.name
    paths = os.pathsep.join(str(each.path) for each in rated)
    return f"{dataset.name}-{zlib.crc32(os.fsencode(paths)):08x}"
