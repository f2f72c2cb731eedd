"""`Scorer`: pictures in, `Score`s out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np
from numpy.typing import NDArray

import magiqa
from magiqa import equations
from magiqa.clip.anchors import load_anchors
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.towers import Floats
from magiqa.clip.weights import open_checkpoint
from magiqa.errors import PictureError, SettingsError
from magiqa.pictures import decode, views
from magiqa.records import Box, Failure, Item, Picture, Score, ViewScore
from magiqa.settings import Coverage, Settings, pair_name

OnError: TypeAlias = Literal["raise", "return"]


class Scorer:
    """Scores pictures with one backbone under one `Settings`.

    >>> scorer = Scorer(weights=checkpoint)
    >>> score = scorer("photo.jpg")
    >>> score.width, score.height, len(score.views)
    (300, 260, 2)
    """

    def __init__(
        self,
        backbone: str | None = None,
        *,
        weights: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        tokenizer: str | os.PathLike[str] | None = None,
        threads: int | None = None,
        provider: str | None = None,
        micro_batch: int = 8,
    ) -> None:
        """Load a released backbone (default RN50) or the checkpoint in the file `weights`.

        `tokenizer` is CLIP's vocabulary, needed for own prompts alone; `threads` and `provider` go
        to ONNX Runtime; `micro_batch` views are encoded at once, which changes memory and not
        scores. Raises WeightsError, SettingsError, OutputError.
        """
        if micro_batch < 1:
            raise SettingsError(f"micro_batch - got {micro_batch} - give at least 1")
        self.settings = settings or Settings()
        checkpoint = open_checkpoint(backbone, weights)
        self.backbone = checkpoint.architecture.backbone
        self.anchors = load_anchors(checkpoint, self.settings.pairs, tokenizer)
        self._encoder = OnnxEncoder(
            checkpoint, self.settings.positional_embedding, threads, provider
        )
        self._micro_batch = micro_batch
        self.provenance: dict[str, Any] = {
            "magiqa": magiqa.__version__,
            "engine": self._encoder.engine,
            "backbone": self.backbone,
            "weights": checkpoint.origin,
            "weights_hash": checkpoint.hash,
            "settings": self.settings.to_dict(),
            "fingerprint": self.settings.fingerprint,
        }
        """What the scores rest on, ready for JSON."""

    def __call__(self, picture: Any) -> Score:
        """Score one picture; raises PictureError.

        It is a path, encoded bytes, a PIL image, an array (H, W, 3) of uint8 or of floats in 0..1,
        or a torch tensor (3, H, W) of the same.
        """
        return self.score_many([picture])[0]

    @overload
    def score_many(self, pictures: Iterable[Any]) -> list[Score]: ...

    @overload
    def score_many(self, pictures: Iterable[Any], on_error: OnError) -> list[Score | Failure]: ...

    def score_many(
        self, pictures: Iterable[Any], on_error: OnError = "raise"
    ) -> list[Score] | list[Score | Failure]:
        """N pictures of any mix of kinds and sizes in, N scores out, the same as one by one.

        With on_error="return" a picture that cannot be scored is a Failure in its place; with
        "raise" the first one raises its PictureError.
        """
        items = (Item(_name(picture, index), picture) for index, picture in enumerate(pictures))
        return list(self.stream(items, on_error))

    def stream(
        self, items: Iterable[Item | Failure], on_error: OnError = "return"
    ) -> Iterator[Score | Failure]:
        """Scores in the order of the items, each as soon as its views are through.

        A Failure among the items is passed on in its place. Memory is bounded whatever the number
        of items: it reads ahead no further than one micro-batch of views.
        """
        if on_error not in get_args(OnError):
            raise SettingsError(f'on_error - got {on_error!r} - give "raise" or "return"')
        for entry in self._embedded(self._read(items, on_error)):
            yield entry if isinstance(entry, Failure) else self._score(entry)

    def embed(self, picture: Any) -> Floats:
        """Each view's unnormalised embedding F, (views, D): windows row by row, thumbnail last."""
        [entry] = self._embedded(self._read([Item(_name(picture, 0), picture)], "raise"))
        assert isinstance(entry, _Embedded)  # "raise" leaves no failures
        return entry.embeddings

    def _read(
        self, items: Iterable[Item | Failure], on_error: OnError
    ) -> Iterator[Picture | Failure]:
        for item in items:
            if isinstance(item, Failure):
                yield item
                continue
            try:
                yield decode.read(item, self.settings)
            except PictureError as error:
                if on_error == "raise":
                    raise
                yield Failure(item.source, type(error).__name__, str(error))

    def _embedded(self, pictures: Iterable[Picture | Failure]) -> Iterator[_Embedded | Failure]:
        """Pack views of many pictures into full micro-batches; yield in the order of arrival."""
        waiting: deque[_Embedded | Failure] = deque()
        batch = np.empty((self._micro_batch, 3, views.SIDE, views.SIDE), np.float32)
        owners: list[tuple[_Embedded, int]] = []

        def encode() -> None:
            for (entry, view), embedding in zip(
                owners, self._encoder(batch[: len(owners)]), strict=True
            ):
                entry.embeddings[view] = embedding
                entry.missing -= 1
            owners.clear()

        for picture in pictures:
            if isinstance(picture, Failure):
                waiting.append(picture)
            else:
                entry = _Embedded.of(picture, self.settings.coverage, self._encoder.dimensions)
                waiting.append(entry)
                channels_first = np.moveaxis(picture.pixels, -1, 0)
                for view in range(entry.missing):
                    batch[len(owners)] = entry.cut(channels_first, view)
                    owners.append((entry, view))
                    if len(owners) == self._micro_batch:
                        encode()
            while waiting and (isinstance(waiting[0], Failure) or not waiting[0].missing):
                yield waiting.popleft()
        if owners:
            encode()
        yield from waiting

    def _score(self, entry: _Embedded) -> Score:
        cues = equations.cues(
            entry.embeddings.astype(np.float64),
            self.anchors.embeddings.astype(np.float64),
            self.anchors.logit_scale,
            self.settings,
        )
        view_scores = tuple(
            ViewScore(box, *map(float, numbers))
            for box, *numbers in zip(
                entry.boxes, cues.similarity, cues.magnitude, cues.weight, cues.score, strict=True
            )
        )
        names = map(pair_name, self.settings.pairs)
        return Score(
            source=entry.source,
            score=float(cues.score.mean()),
            similarity=float(cues.similarity.mean()),
            magnitude=float(cues.magnitude.mean()),
            weight=float(cues.weight.mean()),
            pairs=dict(zip(names, map(float, cues.pairs.mean(axis=0)), strict=True)),
            width=entry.width,
            height=entry.height,
            backbone=self.backbone,
            warnings=entry.warnings,
            views=view_scores,
        )


@dataclass(slots=True, eq=False)
class _Embedded:
    """A picture on its way through the encoder, without its pixels."""

    source: str
    width: int
    height: int
    warnings: tuple[str, ...]
    boxes: list[Box]
    embeddings: Floats
    missing: int
    """Views that are not encoded yet."""

    @classmethod
    def of(cls, picture: Picture, coverage: Coverage, dimensions: int) -> _Embedded:
        height, width = picture.pixels.shape[:2]
        boxes = views.boxes(width, height, coverage)
        return cls(
            source=picture.source,
            width=picture.width,
            height=picture.height,
            warnings=picture.warnings,
            boxes=boxes,
            embeddings=np.empty((len(boxes), dimensions), np.float32),
            missing=len(boxes),
        )

    def cut(self, channels_first: NDArray[Any], view: int) -> NDArray[Any]:
        last = view == len(self.boxes) - 1
        box = self.boxes[view]
        cut: NDArray[Any] = (
            views.thumbnail(channels_first) if last else views.window(channels_first, box)
        )
        return cut


def _name(picture: Any, index: int) -> str:
    return str(picture) if isinstance(picture, str | os.PathLike) else f"picture {index}"
