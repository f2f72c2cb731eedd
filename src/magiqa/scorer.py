"""`Scorer`: pictures in, `Score`s out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np

import magiqa
from magiqa import equations
from magiqa.clip.anchors import load_anchors
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.towers import Floats
from magiqa.clip.weights import open_checkpoint
from magiqa.errors import PictureError, SettingsError
from magiqa.pictures import decode, views
from magiqa.records import Embedded, Failure, Item, Picture, Score, ViewScore
from magiqa.settings import Settings, pair_name

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

        `tokenizer` is CLIP's vocabulary, needed for own prompts alone; that of a released backbone
        is fetched from the hub when it is None. `threads` and `provider` go to ONNX Runtime;
        `micro_batch` views are encoded at once, which changes memory and not scores. Raises
        WeightsError, SettingsError, OutputError.
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
        self, items: Iterable[Item | Picture | Failure], on_error: OnError = "return"
    ) -> Iterator[Score | Failure]:
        """Scores in the order of the items, each as soon as its views are through.

        A Picture among the items is decoded already, a Failure is passed on in its place. Memory is
        bounded whatever the number of items: no more is read ahead than one micro-batch of views.
        """
        for entry in self.stream_embeddings(items, on_error):
            yield entry if isinstance(entry, Failure) else self.score_embedded(entry)

    def stream_embeddings(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError = "return"
    ) -> Iterator[Embedded | Failure]:
        """`stream` up to the equations; `score_embedded` does the rest, now or another day."""
        if on_error not in get_args(OnError):
            raise SettingsError(f'on_error - got {on_error!r} - give "raise" or "return"')
        yield from self._embedded(self._read(items, on_error))

    def embed(self, picture: Any) -> Floats:
        """Each view's unnormalised embedding F, (views, D): windows row by row, thumbnail last."""
        [entry] = self.stream_embeddings([Item(_name(picture, 0), picture)], "raise")
        assert isinstance(entry, Embedded)  # "raise" leaves no failures
        return entry.embeddings

    def score_embedded(self, embedded: Embedded) -> Score:
        """The score of a picture whose views are encoded: the equations under these settings.

        The embeddings must be this backbone's, from the same positional embedding, coverage and
        picture protocol.
        """
        cues = equations.cues(
            embedded.embeddings.astype(np.float64),
            self.anchors.embeddings.astype(np.float64),
            self.anchors.logit_scale,
            self.settings,
        )
        view_scores = tuple(
            ViewScore(box, *map(float, numbers))
            for box, *numbers in zip(
                embedded.boxes,
                cues.similarity,
                cues.magnitude,
                cues.weight,
                cues.score,
                strict=True,
            )
        )
        names = map(pair_name, self.settings.pairs)
        return Score(
            source=embedded.source,
            score=float(cues.score.mean()),
            similarity=float(cues.similarity.mean()),
            magnitude=float(cues.magnitude.mean()),
            weight=float(cues.weight.mean()),
            pairs=dict(zip(names, map(float, cues.pairs.mean(axis=0)), strict=True)),
            width=embedded.width,
            height=embedded.height,
            backbone=self.backbone,
            warnings=embedded.warnings,
            views=view_scores,
        )

    def _read(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError
    ) -> Iterator[Picture | Failure]:
        for item in items:
            if isinstance(item, Picture | Failure):
                yield item
                continue
            try:
                yield decode.read(item, self.settings)
            except PictureError as error:
                if on_error == "raise":
                    raise
                yield Failure(item.source, type(error).__name__, str(error))

    def _embedded(self, pictures: Iterable[Picture | Failure]) -> Iterator[Embedded | Failure]:
        """Pack views of many pictures into full micro-batches; yield in the order of arrival."""
        waiting: deque[_Waiting | Failure] = deque()
        batch = np.empty((self._micro_batch, 3, views.SIDE, views.SIDE), np.float32)
        owners: list[tuple[_Waiting, int]] = []

        def encode() -> None:
            embeddings = self._encode(batch[: len(owners)])
            for (entry, view), embedding in zip(owners, embeddings, strict=True):
                entry.embedded.embeddings[view] = embedding
                entry.missing -= 1
            owners.clear()

        def done() -> Iterator[Embedded | Failure]:
            while waiting:
                first = waiting[0]
                if isinstance(first, _Waiting) and first.missing:
                    return
                waiting.popleft()
                yield first.embedded if isinstance(first, _Waiting) else first

        for picture in pictures:
            if isinstance(picture, Failure):
                waiting.append(picture)
            else:
                entry = self._waiting(picture)
                waiting.append(entry)
                channels_first = np.moveaxis(picture.pixels, -1, 0)
                *windows, _ = entry.embedded.boxes
                for view in range(entry.missing):
                    batch[len(owners)] = (
                        views.window(channels_first, windows[view])
                        if view < len(windows)
                        else views.thumbnail(channels_first)
                    )
                    owners.append((entry, view))
                    if len(owners) == len(batch):
                        encode()
            yield from done()
        if owners:
            encode()
        yield from done()

    def _waiting(self, picture: Picture) -> _Waiting:
        height, width = picture.pixels.shape[:2]
        boxes = tuple(views.boxes(width, height, self.settings.coverage))
        embeddings = np.empty((len(boxes), self._encoder.dimensions), np.float32)
        embedded = Embedded(
            picture.source, picture.width, picture.height, picture.warnings, boxes, embeddings
        )
        return _Waiting(embedded, missing=len(boxes))

    def _encode(self, views: Floats) -> Floats:
        """Embeddings of a micro-batch; where memory is short, in halves from now on."""
        step = min(self._micro_batch, len(views))
        try:
            parts = [self._encoder(views[at : at + step]) for at in range(0, len(views), step)]
        except MemoryError:
            if step == 1:
                raise
            self._micro_batch = (step + 1) // 2
            return self._encode(views)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


@dataclass(slots=True, eq=False)
class _Waiting:
    """A picture on its way through the encoder, without its pixels."""

    embedded: Embedded
    missing: int
    """Views that are not encoded yet."""


def _name(picture: Any, index: int) -> str:
    return str(picture) if isinstance(picture, str | os.PathLike) else f"picture {index}"
