"""`Scorer`: pictures in, `Score`s out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias, get_args, overload

import numpy as np

import magiqa
from magiqa import equations
from magiqa.clip.anchors import load_anchors
from magiqa.clip.onnx_engine import OnnxEncoder, available_cores
from magiqa.clip.towers import Floats
from magiqa.clip.weights import open_checkpoint
from magiqa.errors import PictureError, SettingsError
from magiqa.packing import Packer
from magiqa.pictures import decode
from magiqa.records import Embedded, Failure, Item, Picture, Score, ViewScore
from magiqa.settings import Settings, pair_name
from magiqa.whole import embed_whole

OnError: TypeAlias = Literal["raise", "return"]

LANES = 2  # micro-batches encoded at a time (docs/decisions/0011)


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
        is fetched from the hub when it is None. `threads` threads encode, None: one a core, on ONNX
        Runtime's `provider`. `micro_batch` views go through the network at once and, if there are
        threads for it, two micro-batches at a time: memory depends on it, scores do not. Raises
        WeightsError, SettingsError, OutputError.
        """
        if micro_batch < 1:
            raise SettingsError(f"micro_batch - got {micro_batch} - give at least 1")
        self.settings = settings or Settings()
        checkpoint = open_checkpoint(backbone, weights)
        self.backbone = checkpoint.architecture.backbone
        self.anchors = load_anchors(checkpoint, self.settings.pairs, tokenizer)
        threads = threads or available_cores()
        whole = self.settings.coverage == "whole"
        self._lanes = 1 if whole else min(threads, LANES)
        self._encoder = OnnxEncoder(
            checkpoint,
            self.settings.positional_embedding,
            threads - self._lanes + 1,  # a lane is a thread itself
            provider,
            whole,
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
        bounded whatever the number of items: three micro-batches of views are read ahead.
        """
        for entry in self.stream_embeddings(items, on_error):
            yield entry if isinstance(entry, Failure) else self.score_embedded(entry)

    def stream_embeddings(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError = "return"
    ) -> Iterator[Embedded | Failure]:
        """`stream` up to the equations; `score_embedded` does the rest, now or another day."""
        if on_error not in get_args(OnError):
            raise SettingsError(f'on_error - got {on_error!r} - give "raise" or "return"')
        if self.settings.coverage == "whole":
            yield from embed_whole(self._read(items, on_error), self._encoder, on_error)
            return
        packer = Packer(self._encode, self._encoder.dimensions, self._micro_batch, self._lanes)
        yield from packer.stream(self._read(items, on_error), self.settings.coverage)

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


def _name(picture: Any, index: int) -> str:
    return str(picture) if isinstance(picture, str | os.PathLike) else f"picture {index}"
