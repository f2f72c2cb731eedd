"""Pictures of all requests: queued, decoded, and scored in shared micro-batches."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from magiqa.pictures.decode import Pixels
from magiqa.pictures.pool import DecodePool
from magiqa.records import Embedded, Failure, Item, Picture, Score
from magiqa.scorer import Scorer
from magiqa.serve.attributes import Attributes
from magiqa.serve.limits import Limits
from magiqa.serve.metrics import Metrics
from magiqa.serve.problems import Problem, too_busy

DECODED_AHEAD = 48
"""Pictures that are decoded, or being decoded, and not yet scored: what fills the scorer's
micro-batches when each is one view. A decoded picture has 2.4 MB at most (protocol "photo")."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """All that is known of a scored picture."""

    score: Score
    attributes: dict[str, float]
    pixels: Pixels | None
    """Only when they were asked for: a picture that is scored is not kept."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    picture: Picture
    with_pixels: bool
    answer: asyncio.Future[Answer | Failure]

    def tell(self, result: Answer | Failure | Exception) -> None:
        """Answer from another thread than the loop's."""
        self.answer.get_loop().call_soon_threadsafe(self._set, result)

    def _set(self, result: Answer | Failure | Exception) -> None:
        if self.answer.done():  # given up
            return
        if isinstance(result, Exception):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class Batcher:
    """One scorer behind a bounded queue; used from one event loop.

    A thread feeds the scorer's stream for as long as pictures are waiting: their views share its
    micro-batches, whatever requests they are from. When none is waiting the stream ends, which
    sends what is in a started micro-batch through at once; the next picture begins another. So a
    lone picture never waits for company, and company gathers while the encoder is busy.
    """

    def __init__(self, scorer: Scorer, pool: DecodePool, limits: Limits, metrics: Metrics) -> None:
        self._scorer = scorer
        self._attributes = Attributes(scorer)
        self._pool = pool
        self._limits = limits
        self._metrics = metrics
        self._accepted = 0
        self._ahead = asyncio.Semaphore(DECODED_AHEAD)
        self._decoded: SimpleQueue[_Job | None] = SimpleQueue()
        scorer.told_of_batch = self._metrics.batches.observe
        self._thread = threading.Thread(target=self._work, name="magiqa-score", daemon=True)
        self._thread.start()

    @property
    def attributes(self) -> tuple[str, ...]:
        """Their names."""
        return self._attributes.names

    @property
    def alive(self) -> bool:
        """Whether the thread that scores is there."""
        return self._thread.is_alive()

    @contextlib.contextmanager
    def places(self, count: int) -> Iterator[None]:
        """Take places for so many pictures until they are scored. Raises Problem 429."""
        if self._accepted + count > self._limits.queue:
            raise too_busy(
                f"queue - {self._accepted} of {self._limits.queue} places are taken, {count} more "
                f"are asked for - try again in a second"
            )
        self._count(count)
        try:
            yield
        finally:
            self._count(-count)

    async def score(self, item: Item, with_pixels: bool = False) -> Answer | Failure:
        """Decode and score one picture; cancelled, it leaves the queue without being encoded.

        Raises Problem 500 when the engine fails.
        """
        async with self._ahead:
            picture = await asyncio.wrap_future(self._pool.submit(item))
            if isinstance(picture, Failure):
                self._metrics.errors.labels(picture.kind).inc()
                return picture
            job = _Job(picture, with_pixels, asyncio.get_running_loop().create_future())
            self._decoded.put(job)
            try:
                answer = await job.answer
            except Exception as error:
                raise Problem(
                    500,
                    f"{item.source} - the engine failed ({type(error).__name__}) - try again, and "
                    f"if it fails again tell who runs this service; the log has the reason",
                ) from error
            self._metrics.pictures.inc()
            return answer

    def close(self) -> None:
        """End the thread, after what it has been given."""
        self._decoded.put(None)
        self._thread.join()

    def _count(self, more: int) -> None:
        self._accepted += more
        self._metrics.queue.set(self._accepted)

    def _work(self) -> None:
        """What the thread does: a stream for as long as pictures are waiting, and the next one."""
        while job := self._decoded.get():
            taken: deque[_Job] = deque()
            try:
                for result in self._scorer.stream_embeddings(self._waiting(job, taken)):
                    taken[0].tell(self._answer(result, taken[0]))
                    taken.popleft()
            except Exception as error:  # an engine's exceptions share no base
                log.exception("the engine failed")
                self._metrics.errors.labels(type(error).__name__).inc(len(taken))
                for each in taken:
                    each.tell(error)

    def _waiting(self, job: _Job | None, taken: deque[_Job]) -> Iterator[Picture]:
        """The pictures that are waiting now, but for those nobody waits for any more."""
        while job is not None:
            if not job.answer.cancelled():
                taken.append(job)
                yield job.picture
            try:
                job = self._decoded.get_nowait()
            except Empty:
                return
        self._decoded.put(None)  # the end, which is for `_work`

    def _answer(self, result: Embedded | Failure, job: _Job) -> Answer | Failure:
        if isinstance(result, Failure):
            return result
        pixels = job.picture.pixels if job.with_pixels else None
        return Answer(self._scorer.score_embedded(result), self._attributes(result), pixels)
