"""`Metric`: a rival where a run wants a scorer, and how functions that may fail are called."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import magiqa
from magiqa.errors import PictureError
from magiqa.records import Failure, Picture, Score
from magiqa.settings import Settings

OfPixels: TypeAlias = Callable[[NDArray[np.uint8]], float]
"""An RGB picture (H, W, 3) -> the metric's own number."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A rival: what a run and an evaluation need to know of it."""

    name: str
    """As the user gave it, its model with it."""
    function: OfPixels
    lower_is_better: bool
    rests_on: str = ""
    """The hash of its model, or the library that it is from, with its version."""
    settings: Settings = field(default_factory=lambda: Settings(protocol="paper"))
    """Of them only the picture protocol."""

    @property
    def provenance(self) -> dict[str, Any]:
        """What the scores rest on, ready for JSON; the keys are a scorer's."""
        return {
            "magiqa": magiqa.__version__,
            "backbone": self.name,
            "weights_hash": self.rests_on,
            "lower_is_better": self.lower_is_better,
            "settings": self.settings.to_dict(),
            "fingerprint": self.settings.fingerprint,
        }

    def stream(self, pictures: Iterable[Picture | Failure]) -> Iterator[Score | Failure]:
        """Scores in the order of the pictures; a Failure is passed on in its place."""
        for picture in pictures:
            yield picture if isinstance(picture, Failure) else self._score(picture)

    def _score(self, picture: Picture) -> Score | Failure:
        number = call(self.function, picture.pixels.astype(np.uint8, copy=False), picture.source)
        if isinstance(number, Failure):
            return number
        return Score(
            source=picture.source,
            score=number,
            similarity=math.nan,
            magnitude=math.nan,
            weight=math.nan,
            pairs={},
            width=picture.width,
            height=picture.height,
            backbone=self.name,
            warnings=picture.warnings,
            views=(),
        )


def call(function: Callable[[Any], float], picture: Any, source: str) -> float | Failure:
    """A function's number for a picture; what it raises, and what is no number, is a Failure."""
    try:
        number = float(function(picture))
    except PictureError as error:
        text = f"{source}{str(error).removeprefix('picture')}"
        return Failure(source, PictureError.__name__, text)
    except Exception as error:  # anybody's function raises anything
        return Failure(source, type(error).__name__, f"{source} - the method failed ({error!r})")
    if not math.isfinite(number):
        return Failure(source, "ValueError", f"{source} - the method gave {number}")
    return number
