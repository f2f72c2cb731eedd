"""sources -> decode -> scorer, one row a picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from magiqa.records import Failure, Score
from magiqa.runs.sources import list_items
from magiqa.scorer import Scorer


def score_paths(
    paths: Iterable[str | os.PathLike[str]], scorer: Scorer | None = None
) -> Iterator[Score | Failure]:
    """Score files and folders, in order; a picture that cannot be scored is a Failure.

    Without a scorer, RN50 with default settings. Memory does not grow with the number of pictures.
    """
    scorer = scorer or Scorer()
    yield from scorer.stream(list_items(paths))
