"""`Scorer`: pictures in, `Score`s out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, overload

import numpy as np

import magiqa
from magiqa import equations
from magiqa.clip.anchors import Anchors, load_anchors
from magiqa.clip.onnx_engine import OnnxEncoder, available_cores
from magiqa.clip.towers import Floats
from magiqa.clip.weights import open_checkpoint
from magiqa.errors import PictureError, SettingsError, nearest
from magiqa.packing import Packer
from magiqa.pictures import decode
from magiqa.records import Embedded, Failure, Item, Picture, Score, ViewScore
from magiqa.settings import PromptPair, Settings, pair_name
from magiqa.whole import embed_whole

if TYPE_CHECKING:
    from magiqa.clip.torch_engine import Dtype, TorchEncoder

Engine: TypeAlias = Literal["onnx", "torch"]
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
        engine: Engine = "onnx",
        device: str | None = None,
        dtype: Dtype | None = None,
        micro_batch: int | None = None,
    ) -> None:
        """Load a backbone by name (default RN50) or the checkpoint in the file `weights`.

        The names are those of the released CLIPs, and "nano", the small one that comes with magiqa.
        `tokenizer` is CLIP's vocabulary, needed for own prompts alone; that of a released backbone
        is fetched from the hub when it is None. `threads` threads encode, None: one a core;
        those of torch are the whole process's.

        Engine "onnx" runs on ONNX Runtime's `provider`; "torch", an extra, on a `device` ("cpu",
        when it is None, "cuda", "cuda:1", "mps") in a `dtype` ("float32", "float16", "bfloat16"),
        the equations always in float64. `micro_batch` views (None: 8, on a GPU 128) go through the
        network at once and, if there are threads for it, two micro-batches at a time: memory
        depends on it, scores do not. Raises WeightsError, SettingsError, OutputError, MissingExtra.
        """
        if micro_batch is not None and micro_batch < 1:
            raise SettingsError(f"micro_batch - got {micro_batch} - give at least 1")
        if threads is not None and threads < 1:
            raise SettingsError(f"threads - got {threads} - give at least 1")
        _check_engine(engine, provider, device, dtype)
        self.settings = settings or Settings()
        checkpoint = open_checkpoint(backbone, weights)
        self.backbone = checkpoint.architecture.backbone
        self._checkpoint, self._tokenizer = checkpoint, tokenizer
        self.anchors = self.anchors_of(self.settings.pairs)
        whole = self.settings.coverage == "whole"
        about = checkpoint, self.settings.positional_embedding
        self._encoder: OnnxEncoder | TorchEncoder
        self._where: dict[str, Callable[..., Any]] = {}
        if engine == "torch":
            from magiqa.clip.torch_engine import TorchEncoder

            where, how = device or "cpu", dtype or "float32"
            on_torch = TorchEncoder(*about, threads, where, how, whole, micro_batch)
            # torch's threads fill a CPU with one lane, and MPS takes one thread at a time
            self._lanes = LANES if on_torch.device.type == "cuda" and not whole else 1
            self._micro_batch = on_torch.micro_batch
            self._encoder = on_torch
            self._where = {"room": on_torch.room, "place": on_torch.place, "cut": on_torch.cut}
        else:
            threads = threads or available_cores()
            self._lanes = 1 if whole else min(threads, LANES)
            threads += 1 - self._lanes  # a lane is a thread itself
            self._micro_batch = micro_batch or 8
            self._encoder = OnnxEncoder(*about, threads, provider, whole)
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
        self.told_of_batch: Callable[[int], object] = lambda _: None
        """Called with the number of views of each micro-batch, from the thread that encodes it."""

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
        alone = isinstance(pictures, str | os.PathLike | bytes) or hasattr(pictures, "read")
        if alone or getattr(pictures, "ndim", None) in (2, 3) or not hasattr(pictures, "__iter__"):
            raise PictureError(
                f"pictures - got one, {_name(pictures, 0)} - give a list, or call the scorer itself"
            )
        items = (Item(_name(picture, index), picture) for index, picture in enumerate(pictures))
        return list(self.stream(items, on_error))

    def stream(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError = "return"
    ) -> Iterator[Score | Failure]:
        """Scores in the order of the items, each as soon as its views are through.

        A Picture among the items is decoded already, a Failure is passed on in its place. Memory is
        bounded whatever the number of items: three micro-batches of views are read ahead.
        """
        for entries in self._complete(items, on_error):
            scores = self._scores([entry for entry in entries if isinstance(entry, Embedded)])
            for entry in entries:
                yield entry if isinstance(entry, Failure) else next(scores)

    def stream_embeddings(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError = "return"
    ) -> Iterator[Embedded | Failure]:
        """`stream` up to the equations; `score_embedded` does the rest, now or another day."""
        for entries in self._complete(items, on_error):
            yield from entries

    def anchors_of(self, pairs: Sequence[PromptPair]) -> Anchors:
        """The anchors of other prompt pairs, to ask more of embeddings that are there.

        Raises SettingsError for texts that this backbone cannot take, or has no anchors for.
        """
        return load_anchors(self._checkpoint, pairs, self._tokenizer)

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
        return next(self._scores([embedded]))

    def _complete(
        self, items: Iterable[Item | Picture | Failure], on_error: OnError
    ) -> Iterator[list[Embedded | Failure]]:
        """What is complete at the same time, in lists."""
        if on_error not in get_args(OnError):
            raise SettingsError(f'on_error - got {on_error!r} - give "raise" or "return"')
        pictures = self._read(items, on_error)
        if self.settings.coverage == "whole":
            for entry in embed_whole(pictures, self._encoder, on_error):
                yield [entry]
            return
        packer = Packer(
            self._encode, self._encoder.dimensions, self._micro_batch, self._lanes, **self._where
        )
        yield from packer.stream(pictures, self.settings.coverage)

    def _scores(self, complete: Sequence[Embedded]) -> Iterator[Score]:
        """The equations on all their views at once: the same numbers in half of the time."""
        if not complete:
            return
        cues = equations.cues(
            np.concatenate([embedded.embeddings for embedded in complete], dtype=np.float64),
            self.anchors.embeddings.astype(np.float64),
            self.anchors.logit_scale,
            self.settings,
        )
        begin = 0
        for embedded in complete:
            end = begin + len(embedded.boxes)
            yield self._score(embedded, equations.Cues(*(cue[begin:end] for cue in cues)))
            begin = end

    def _score(self, embedded: Embedded, cues: equations.Cues) -> Score:
        """A picture's score from its views' cues."""
        _, *of_views = (cue.tolist() for cue in cues)
        names = map(pair_name, self.settings.pairs)
        return Score(
            source=embedded.source,
            score=float(cues.score.mean()),
            similarity=float(cues.similarity.mean()),
            magnitude=float(cues.magnitude.mean()),
            weight=float(cues.weight.mean()),
            pairs=dict(zip(names, cues.pairs.mean(axis=0).tolist(), strict=True)),
            width=embedded.width,
            height=embedded.height,
            backbone=self.backbone,
            warnings=embedded.warnings,
            views=tuple(map(ViewScore, embedded.boxes, *of_views)),
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

    def _encode(self, views: Any) -> Floats:
        """Embeddings of a micro-batch; where memory is short, in halves from now on."""
        self.told_of_batch(len(views))
        step = min(self._micro_batch, len(views))
        try:
            parts = [self._encoder(views[at : at + step]) for at in range(0, len(views), step)]
        except MemoryError:
            if step == 1:
                raise
            self._micro_batch = (step + 1) // 2
            return self._encode(views)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _check_engine(engine: str, provider: str | None, device: str | None, dtype: str | None) -> None:
    """Refuse an engine that does not exist and options that are the other one's."""
    if engine not in get_args(Engine):
        raise SettingsError(f"engine - got {engine!r} - {nearest(str(engine), get_args(Engine))}")
    if engine == "torch" and provider is not None:
        raise SettingsError(
            f"provider - got {provider!r} with engine='torch' - it is ONNX Runtime's: give device"
        )
    for name, value in (("device", device), ("dtype", dtype)):
        if engine == "onnx" and value is not None:
            raise SettingsError(
                f"{name} - got {value!r} with engine='onnx' - it is torch's: add engine='torch', "
                f"or give provider"
            )


def _name(picture: Any, index: int) -> str:
    return str(picture) if isinstance(picture, str | os.PathLike) else f"picture {index}"
