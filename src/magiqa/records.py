"""The values that travel: Item -> Picture -> Score or Failure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box: TypeAlias = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom lie outside."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to score: its name and what to read."""

    source: str
    """Where it is: the path, the URL, "archive.tar/member.jpg", or "picture 3" in memory."""
    data: Any
    """A path, encoded bytes, a PIL image, an array (H, W, 3), a torch tensor (3, H, W), or, in a
    run, a function that fetches the bytes."""
    key: str = ""
    """The user's own name for it, where that is not the source: a member's, a manifest's."""
    stamp: str = ""
    """Changes when the picture behind the source does, where that can be told without reading."""
    carried: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """A manifest's other columns, for the output."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded picture, ready for views to be cut."""

    source: str
    pixels: NDArray[np.uint8] | NDArray[np.float32]
    """(H, W, 3), RGB, 0..255; float32 when the user's own pixels were. In memory a decoded picture
    is planes, (3, H, W): what views are cut from."""
    width: int
    """The picture's own width, upright, before any scaling."""
    height: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One picture behind the encoder: all that the equations need of it."""

    source: str
    width: int
    """The picture's own width, upright, before any scaling."""
    height: int
    warnings: tuple[str, ...]
    boxes: tuple[Box, ...]
    """Of its views: windows row by row, then the thumbnail."""
    embeddings: NDArray[np.float32]
    """(views, D), each view's unnormalised F."""


@dataclass(frozen=True, slots=True)
class ViewScore:
    """What one view, a window or the thumbnail, contributes."""

    box: Box
    """In pixels of the picture as scored; the thumbnail's box is the whole of it."""
    similarity: float
    """Q_sim, Eq. 6, in 0..1."""
    magnitude: float
    """Q_mag, Eq. 10, >= 0 and without an upper bound of 1."""
    weight: float
    """w_sim, Eq. 14, in 0..1."""
    score: float
    """Eq. 15: between similarity and magnitude."""


@dataclass(frozen=True, slots=True)
class Score:
    """How good a picture looks; higher is better.

    `score`, `similarity`, `magnitude` and `weight` are means over the views, so the score cannot be
    recomputed from the other three. Scores of different backbones do not compare. A rival's score
    (evaluate/rivals) stands alone, in its own direction: the other three are NaN.
    """

    source: str
    score: float
    similarity: float
    magnitude: float
    weight: float
    pairs: dict[str, float]
    """Each prompt pair's mean probability of the positive text."""
    width: int
    """The picture's own width, upright, before any scaling (the last view's box is after it)."""
    height: int
    backbone: str
    warnings: tuple[str, ...]
    """Any of "flat", "noise-like", "downscaled", "thumbnail-only" (pictures/warning.py)."""
    views: tuple[ViewScore, ...]
    """Windows row by row, then the thumbnail."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """A picture that could not be scored, and why."""

    source: str
    kind: str
    """Name of the exception's class, such as "PictureError"."""
    text: str
    """"what - got - how to mend it"."""

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return dataclasses.asdict(self)
