"""A request's pictures, from its body to their answers: admitted, in time, while it is there."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from typing import Any, Self, TypeVar

import numpy as np
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from magiqa.errors import PictureError
from magiqa.pictures import quality_map
from magiqa.pictures.decode import Pixels
from magiqa.pictures.pool import DecodePool
from magiqa.records import Failure, Item, Score
from magiqa.scorer import Scorer
from magiqa.serve import bodies
from magiqa.serve.batching import Answer, Batcher
from magiqa.serve.limits import Limits
from magiqa.serve.metrics import Metrics
from magiqa.serve.problems import Problem, too_busy

T = TypeVar("T")

WORKER_MEMORY = 2 << 30
"""Bytes that a decode worker may take for one picture."""
DRAWN_AT_ONCE = 2
"""Maps: each takes a core for some tenths of a second."""

log = logging.getLogger(__name__)


class Service:
    """One scorer in service; an async context manager, which warms it up in the background."""

    def __init__(self, scorer: Scorer, limits: Limits, metrics: Metrics, jobs: int) -> None:
        self.limits = limits
        self._scorer = scorer
        self._metrics = metrics
        self._jobs = jobs
        self._in_hand = 0
        self._warm = False
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)

    async def __aenter__(self) -> Self:
        reading = replace(self._scorer.settings, max_decode_pixels=self.limits.pixels)
        seconds = self.limits.seconds
        self._pool = DecodePool(reading, self._jobs, seconds=seconds, memory=WORKER_MEMORY)
        self._batcher = Batcher(self._scorer, self._pool, self.limits, self._metrics)
        self._warming = asyncio.create_task(self._warm_up())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._warming.cancel()
        await run_in_threadpool(self._batcher.close)
        await run_in_threadpool(self._pool.close)

    @property
    def ready(self) -> bool:
        """Whether a picture has been through, and the next one will be."""
        return self._warm and self._batcher.alive

    @property
    def provenance(self) -> dict[str, Any]:
        """What the scores rest on."""
        return self._scorer.provenance

    @property
    def backbone(self) -> str:
        """Of the scorer."""
        return self._scorer.backbone

    @property
    def fingerprint(self) -> str:
        """Of the settings."""
        return self._scorer.settings.fingerprint

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of what is told beside the score."""
        return self._batcher.attributes

    async def score(self, request: Request) -> list[tuple[Item, Answer | Failure]]:
        """The pictures of a request, each with what is known of it. Raises Problem."""
        async with self._accepted(request) as items:
            found = await _while_connected(request, self._all(items))
        return list(zip(items, found, strict=True))

    async def map(self, request: Request, cue: quality_map.Cue) -> bytes:
        """The quality map of a request's one picture as PNG. Raises Problem."""
        async with self._accepted(request) as items:
            if len(items) > 1:
                raise Problem(400, f"map - got {len(items)} pictures - send one in a request")
            return await _while_connected(request, self._drawn(items[0], cue))

    @contextlib.asynccontextmanager
    async def _accepted(self, request: Request) -> AsyncIterator[list[Item]]:
        """The request's pictures with their places in the queue; in time, or Problem."""
        if self._in_hand >= self.limits.concurrency:
            raise too_busy(
                f"requests - {self._in_hand} are being answered, the limit - try again in a second"
            )
        self._in_hand += 1
        seconds, received = self.limits.seconds, False
        try:
            async with asyncio.timeout(seconds):
                items = await bodies.pictures(request, self.limits)
                received = True
                with self._batcher.places(len(items)):
                    yield items
        except TimeoutError:
            if received:
                raise Problem(
                    504, f"request - not answered in {seconds:g} s - send fewer pictures, or later"
                ) from None
            raise Problem(
                408, f"body - not here after {seconds:g} s - send it faster, or a smaller one"
            ) from None
        finally:
            self._in_hand -= 1

    async def _all(self, items: Sequence[Item]) -> list[Answer | Failure]:
        works = [self._batcher.score(item) for item in items]
        found = await asyncio.gather(*works, return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return [each for each in found if not isinstance(each, BaseException)]

    async def _drawn(self, item: Item, cue: quality_map.Cue) -> bytes:
        answer = await self._batcher.score(item, with_pixels=True)
        if isinstance(answer, Failure):
            raise Problem(422, answer.text)
        assert answer.pixels is not None  # as asked
        try:
            async with self._drawing:
                return await run_in_threadpool(_png, answer.score, answer.pixels, cue)
        except PictureError as error:
            raise Problem(422, str(error)) from None

    async def _warm_up(self) -> None:
        """Send a picture through every decode worker and the engine."""
        file = io.BytesIO()
        Image.fromarray(np.zeros((224, 352, 3), np.uint8)).save(file, "PNG")
        item = Item("warm-up", file.getvalue())
        try:
            await asyncio.gather(*(self._batcher.score(item) for _ in range(self._jobs)))
        except Exception:  # the service stays up and not ready, for its operator to see why
            log.exception("the model could not be warmed up")
        else:
            self._warm = True


async def _while_connected(request: Request, work: Awaitable[T]) -> T:
    """What the work gives; cancelled when the client goes away. Raises ClientDisconnect."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _png(score: Score, pixels: Pixels, cue: quality_map.Cue) -> bytes:
    file = io.BytesIO()
    quality_map.draw(score, pixels, cue).save(file, "PNG", compress_level=3)
    return file.getvalue()
