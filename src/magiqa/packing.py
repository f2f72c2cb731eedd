"""Views of many pictures, packed into full micro-batches, through the encoder."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from magiqa.pictures import views
from magiqa.records import Embedded, Failure, Picture
from magiqa.settings import Coverage

Array: TypeAlias = Any
"""Of numpy, or of the library that the encoder computes with."""
Floats: TypeAlias = NDArray[np.float32]

_FREED = 30 << 20
"""Bytes taken, not touched, and freed: glibc hands memory back to the system after every view, and
pays for it page by page, until it has once seen a block of this size come and go."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A picture on its way, without its pixels."""

    embedded: Embedded
    missing: int
    """Views that are not encoded yet."""


Owners: TypeAlias = list[tuple[_Waiting, int]]
"""Whose view each of a micro-batch is, and which of its views."""


class Packer:
    """One stream of pictures: micro-batches of `size` views, `lanes` of them encoded at a time.

    `encode` takes views (N, 3, 224, 224), 0..255, to embeddings (N, `dimensions`). With one lane it
    runs in the caller's thread. With more, each lane is a thread, and the next micro-batch is cut
    meanwhile. `room` makes memory for views, and `place` takes pixels, where `cut` cuts: on the
    encoder's device. Memory: `lanes` + 1 micro-batches and the embeddings of the pictures in them.
    """

    def __init__(
        self,
        encode: Callable[[Array], Floats],
        dimensions: int,
        size: int,
        lanes: int,
        room: Callable[[tuple[int, ...]], Array] = lambda shape: np.empty(shape, np.float32),
        place: Callable[[NDArray[Any]], Array] = lambda pixels: pixels,
        cut: Callable[[Array, Array, Sequence[views.Cut]], None] = views.cut,
    ) -> None:
        self._encode = encode
        self._place = place
        self._cut = cut
        self._dimensions = dimensions
        self._size = size
        self._lanes = lanes
        np.empty(_FREED, np.uint8)
        shape = (size, 3, views.SIDE, views.SIDE)
        self._free = [room(shape) for _ in range(lanes + 1)]
        self._batch = self._free.pop()
        self._owners: Owners = []
        self._under_way: deque[tuple[Future[Floats], Owners, Array]] = deque()
        self._waiting: deque[_Waiting | Failure] = deque()

    def stream(
        self, pictures: Iterable[Picture | Failure], coverage: Coverage
    ) -> Iterator[list[Embedded | Failure]]:
        """Embeddings in the order of the pictures, a Failure passed on in its place.

        What is complete at the same time comes in one list.
        """
        # threads of this stream alone: a forked process can begin one of its own
        with ThreadPoolExecutor(self._lanes, "magiqa-encode") as self._threads:
            for picture in pictures:
                if isinstance(picture, Failure):
                    self._waiting.append(picture)
                else:
                    self._pack(picture, coverage)
                if complete := self._complete():
                    yield complete
            rest = self._batch[: len(self._owners)]
            step = -(-len(rest) // self._lanes) or 1  # what is left keeps all lanes busy
            for at in range(0, len(rest), step):
                self._send(rest[at : at + step], self._owners[at : at + step])
            while self._under_way:
                self._take_in()
            if complete := self._complete():
                yield complete

    def _pack(self, picture: Picture, coverage: Coverage) -> None:
        height, width = picture.pixels.shape[:2]
        boxes = tuple(views.boxes(width, height, coverage))
        embeddings = np.empty((len(boxes), self._dimensions), np.float32)
        about = (picture.source, picture.width, picture.height, picture.warnings)
        entry = _Waiting(Embedded(*about, boxes, embeddings), missing=len(boxes))
        self._waiting.append(entry)
        pixels = self._place(np.moveaxis(picture.pixels, -1, 0))
        cuts: list[views.Cut] = [*boxes[:-1], None]
        at = 0
        while at < len(cuts):
            filled = len(self._owners)
            now = cuts[at : at + self._size - filled]
            self._cut(self._batch[filled : filled + len(now)], pixels, now)
            self._owners += [(entry, index) for index in range(at, at + len(now))]
            at += len(now)
            if len(self._owners) == self._size:
                self._send(self._batch, self._owners)
                if not self._free:
                    self._take_in()
                self._batch, self._owners = self._free.pop(), []

    def _send(self, batch: Array, owners: Owners) -> None:
        if self._lanes > 1:
            future = self._threads.submit(self._encode, batch)
        else:
            future = Future()
            future.set_result(self._encode(batch))
        self._under_way.append((future, owners, batch))

    def _take_in(self) -> None:
        """Wait for the oldest micro-batch; its buffer is free again."""
        future, owners, batch = self._under_way.popleft()
        for (entry, index), embedding in zip(owners, future.result(), strict=True):
            entry.embedded.embeddings[index] = embedding
            entry.missing -= 1
        self._free.append(batch)

    def _complete(self) -> list[Embedded | Failure]:
        while self._under_way and self._under_way[0][0].done():
            self._take_in()
        complete: list[Embedded | Failure] = []
        while self._waiting:
            first = self._waiting[0]
            if isinstance(first, _Waiting) and first.missing:
                break
            self._waiting.popleft()
            complete.append(first.embedded if isinstance(first, _Waiting) else first)
        return complete
