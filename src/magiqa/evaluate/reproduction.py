"""The paper's experiments on the sets there are: what was measured, why the rest was not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from magiqa.errors import MissingExtra, SourceError
from magiqa.evaluate import datasets, embeddings
from magiqa.evaluate.datasets import DataSet, Rated
from magiqa.evaluate.embeddings import AnchorsOf, Values
from magiqa.evaluate.evaluation import Result, results, srcc
from magiqa.evaluate.methods import METHODS, PAPER, RIVALS, settings_of
from magiqa.evaluate.paper import OTHER_CLIP_IQA, VARIANTS, Entry
from magiqa.evaluate.rivals.published import HOW
from magiqa.records import Failure
from magiqa.settings import Coverage, Settings

LAMBDAS = (-2.0, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
ALPHAS = (0.0, 0.5, 1.0, 2.0)
ON_VIEWS = (*METHODS, "fixed-0.8", "fixed-0.5", "fixed-0.2")
ON_WHOLE = tuple(name for name in OTHER_CLIP_IQA.values() if name.endswith("-whole"))
OFFICIAL = {
    "kadid-10k": ("kadid",),
    "clive": ("livec", "challengedbrelease"),
    "koniq-10k": ("koniq",),
    "pipal": ("pipaldataset",),
    "agiqa-1k": ("agiqa1kdatabase",),
    "agiqa-3k": ("agiqa3kdatabase",),
}
"""Other names of the sets' folders, in small letters and digits alone."""

Point: TypeAlias = tuple[float, float]
"""lambda, alpha."""
Question: TypeAlias = str | Point
"""A method's name, or a point of the sweep."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One set under one backbone."""

    dataset: DataSet
    rated: Sequence[Rated]
    scores: Mapping[str, Values]
    """Method -> (pictures,), NaN where a picture failed."""
    results: Mapping[str, Result]
    sweep: Mapping[Point, float] = field(default_factory=dict)
    """SRCC of MA-CLIP at each point; empty for a variant and for all but the first backbone."""
    folder: Path | None = None
    """Of the embeddings of its views; None for a variant."""
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True, eq=False)
class Reproduction:
    """All that was measured, by set and backbone."""

    backbone: str
    """Tables 1-5 and the figures are by this one; the paper's is RN50."""
    absent: Mapping[str, str]
    """Sets that cannot be run, and why."""
    whole: bool = False
    """Whether whole pictures were encoded too."""
    limit: int | None = None
    """Only so many pictures of each set."""
    measured: dict[tuple[str, str], Measured] = field(default_factory=dict)

    def measure(
        self,
        dataset: DataSet,
        rated: Sequence[Rated],
        backbone: str,
        folders: Mapping[Coverage, Path],
        anchors_of: AnchorsOf,
        rivals: Mapping[str, tuple[Values, Sequence[Failure]]] | None = None,
    ) -> None:
        """All methods on a set whose embeddings are kept; the first backbone makes the sweep.

        `rivals` were scored already: their own numbers, and what failed.
        """
        names = (*ON_VIEWS, *(ON_WHOLE if "whole" in folders else ()))
        settings: dict[Question, Settings] = {name: settings_of(name) for name in names}
        if backbone == self.backbone:
            settings |= grid()
        answers = embeddings.scores(folders, settings, anchors_of)
        scores = {name: answers.scores[name] for name in names}
        failures = list(answers.failures)
        for name, (values, failed) in (rivals or {}).items():
            scores[name] = values
            failures += failed
        swept = {
            point: srcc(each, rated, dataset.higher_is_better)
            for point, each in answers.scores.items()
            if not isinstance(point, str)
        }
        self.measured[dataset.name, backbone] = Measured(
            dataset,
            rated,
            scores,
            _results(dataset, rated, scores),
            swept,
            folders["paper"],
            tuple(failures),
        )

    def take_part(self, dataset: DataSet, rated: Sequence[Rated]) -> bool:
        """For a variant, take its pictures' scores from the set it is a part of.

        False when it is none, or when that set was not measured.
        """
        whole = self.measured.get((VARIANTS.get(dataset.name, ""), self.backbone))
        if whole is None:
            return False
        places = {each.path: place for place, each in enumerate(whole.rated)}
        rated = [each for each in rated if each.path in places]
        chosen = [places[each.path] for each in rated]
        scores = {method: values[chosen] for method, values in whole.scores.items()}
        found = _results(dataset, rated, scores)
        self.measured[dataset.name, self.backbone] = Measured(dataset, rated, scores, found)
        return True

    def find(self, entry: Entry, table: int) -> Result | str:
        """The result that stands beside an entry, or why there is none."""
        if entry.method is None:
            return HOW[entry.system]
        if entry.dataset in self.absent:
            return self.absent[entry.dataset]
        backbone = entry.backbone if table == 6 else self.backbone
        found = self.measured.get((entry.dataset, backbone))
        if found is None:
            return f"add --backbone {backbone}"
        if entry.method in RIVALS and entry.method not in found.results:
            return "add --rivals"
        if entry.method not in found.results:
            return f"{backbone} takes 224x224 alone" if self.whole else "add --whole"
        result = found.results[entry.method]
        return result if result.correlation else result.error or "no correlation"

    def main(self, dataset: str) -> Measured | str:
        """What the figures draw of a set, or why they cannot."""
        found = self.measured.get((dataset, self.backbone))
        return found or self.absent.get(dataset, "not measured")


def find_sets(data: Path) -> Iterator[tuple[DataSet, list[Rated] | str]]:
    """Every set of the paper: its pictures, or why they are not there; a set before its variants.

    A set is a folder below `data` with the set's name or one that it is known by, in any case.
    Raises SourceError when there is no folder `data`, MissingExtra.
    """
    try:
        below = sorted(path for path in data.iterdir() if path.is_dir())
    except OSError as error:
        raise SourceError(
            f"{data} - cannot be listed ({error.strerror}) - name the folder that holds a folder "
            f"for each set"
        ) from error
    by_name = {_plain(path.name): path.resolve() for path in below}
    for dataset in datasets.DATASETS:
        base = VARIANTS.get(dataset.name, dataset.name)
        names = (_plain(base), *OFFICIAL.get(base, ()))
        root = next((by_name[name] for name in names if name in by_name), None)
        if root is None:
            yield dataset, f"no folder {base}"
            continue
        try:
            yield dataset, dataset.load(root)
        except MissingExtra:
            raise
        except SourceError as error:
            yield dataset, str(error)


def grid() -> dict[Question, Settings]:
    """MA-CLIP at every lambda and alpha of Figure 6."""
    return {
        (exponent, alpha): replace(PAPER, box_cox_lambda=exponent, alpha=alpha)
        for exponent in LAMBDAS
        for alpha in ALPHAS
    }


def _results(
    dataset: DataSet, rated: Sequence[Rated], scores: Mapping[str, Values]
) -> dict[str, Result]:
    found = results(dataset, rated, scores, RIVALS, comparisons=False)
    return {each.method: each for each in found}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
