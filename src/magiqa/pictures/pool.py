"""Pictures decoded in guarded worker processes: a hostile file costs itself, never the run."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from magiqa.errors import MagiqaError, PictureError, SettingsError
from magiqa.pictures import decode
from magiqa.pictures.worker import whole
from magiqa.records import Failure, Item, Picture
from magiqa.settings import Settings

_START_SECONDS = 60.0
_START_TRIES = 3
# A fresh interpreter: it neither forks a parent that has threads nor imports the user's main module
# again. -P and the parent's own path keep a numpy.py beside the pictures from being imported.
_WORKER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from magiqa.pictures import worker; worker.work()"
)
# Threads would only cost memory. glibc as set hands no memory back between two small pictures:
# taking it again, page by page, costs half as much as decoding.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
}
_MORE_AHEAD = 6  # small pictures, for the scorer takes as many at once
_MORE_BYTES = 16 << 20  # and no more than this of them
_KEPT = 16 << 20  # bytes of shared memory a worker keeps: new pages cost more than copying


class DecodePool:
    """Decodes pictures in `jobs` worker processes; a context manager.

    A picture that takes more than `seconds`, or more than `memory` bytes of address space beyond
    what its worker holds after start-up, or that crashes its worker, is a Failure; the next picture
    gets a fresh worker. Workers start when they are first needed. They see neither Ctrl-C nor
    SIGTERM, and leave with this process however it ends.

    With jobs=0, and inside another pool's process (a DataLoader worker), decoding happens in place,
    as it always does for what is in memory already: PIL images, arrays, tensors. The memory limit
    holds on Linux alone. On Windows threads of this process decode: at once, but unguarded.

    Several threads may read from one pool. Raises SettingsError.
    """

    def __init__(
        self, settings: Settings, jobs: int, *, seconds: float = 60.0, memory: int = 4 << 30
    ) -> None:
        if jobs < 0 or seconds <= 0 or memory <= 0:
            raise SettingsError(
                f"DecodePool - got jobs={jobs}, seconds={seconds:g}, memory={memory} - give jobs "
                f"of at least 0, seconds and memory above 0"
            )
        self._settings = settings
        self._seconds = seconds
        self._memory = memory
        self._ahead = 2 * jobs
        in_place = jobs == 0 or multiprocessing.parent_process() is not None
        # a thread per worker writes to it, waits for it and replaces it
        self._threads = None if in_place else ThreadPoolExecutor(jobs, "magiqa-decode")
        self._decode = self._in_place if sys.platform == "win32" else self._guarded
        self._lock = threading.Lock()
        self._closed = False
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []

    def __enter__(self) -> DecodePool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, in the middle of a picture if need be."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.process.kill()
        if self._threads:
            self._threads.shutdown(cancel_futures=True)
        for worker in list(self._workers):
            self._end(worker)

    def read(self, items: Iterable[Item | Failure]) -> Iterator[Picture | Failure]:
        """Pictures in the order of the items, a Failure where one cannot be decoded.

        A Failure among the items is passed on in its place. It reads ahead by 2 x jobs items, by
        some more while pictures are small, but not past one that is decoded in place, whose pixels
        the caller may be about to overwrite.
        Raises MagiqaError when no worker can be started, and what iterating over the items raises.
        """
        waiting: deque[Future[Picture | Failure]] = deque()
        more = 0
        try:
            for item in _with_error(items):
                sent = self._send(item)
                if sent:
                    waiting.append(sent)
                while len(waiting) > (self._ahead + more if sent else 0):
                    result = waiting.popleft().result()
                    if isinstance(result, Picture):
                        more = min(_MORE_AHEAD, _MORE_BYTES // result.pixels.nbytes)
                    yield result
                if isinstance(item, Exception):
                    raise item
                if not sent:
                    yield item if isinstance(item, Failure) else self._in_place(item)
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def submit(self, item: Item) -> Future[Picture | Failure]:
        """Decode one item, out of any order; cancelling what has not begun costs nothing.

        The future raises MagiqaError when no worker can be started.
        """
        sent = self._send(item)
        if sent is None:
            sent = Future()
            sent.set_result(self._in_place(item))
        return sent

    def _send(self, item: Item | Failure | Exception) -> Future[Picture | Failure] | None:
        """Hand an item to the workers; None if it is not for them."""
        if self._threads is None or not isinstance(item, Item):
            return None
        data = item.data
        if isinstance(data, str | os.PathLike):
            data = os.path.join(os.getcwd(), data)  # the current folder may not stay what it is
        elif isinstance(data, bytes | bytearray | memoryview):
            data = bytes(data)
        else:
            return None
        return self._threads.submit(self._decode, Item(item.source, data))

    def _in_place(self, item: Item) -> Picture | Failure:
        try:
            return decode.read(item, self._settings)
        except PictureError as error:
            return Failure(item.source, type(error).__name__, str(error))

    def _guarded(self, item: Item) -> Picture | Failure:
        worker = self._take()
        try:
            result = worker.decode(item, self._seconds)
        except TimeoutError:
            self._end(worker)
            text = (
                f"is not decoded after {self._seconds:g} s - check the file and the disk it is on, "
                f"or trust it: jobs=0 decodes without a limit"
            )
        except (EOFError, OSError):
            text = (
                f"ended the process that decoded it ({self._end(worker)}) - the file is damaged or "
                f"hostile, or the machine short of memory: use fewer jobs"
            )
        else:
            self._idle.append(worker)
            return result
        return Failure(item.source, PictureError.__name__, f"{item.source} - {text}")

    def _take(self) -> _Worker:
        """An idle worker that still lives, or a new one."""
        with contextlib.suppress(IndexError):
            while True:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                self._end(worker)
        ending = "the pool is closed"
        for _ in range(_START_TRIES):  # what ends a worker in a picture may end one at its start
            with self._lock:
                if self._closed:
                    break
                try:
                    worker = _Worker()
                except OSError as error:
                    ending = str(error)
                    continue
                self._workers.add(worker)
            try:
                worker.prepare(self._settings, self._memory)
            except (EOFError, OSError):
                ending = self._end(worker)
            else:
                return worker
        raise MagiqaError(
            f"decode workers - none could be started ({ending}) - see what they wrote to stderr, "
            f"or decode in place with jobs=0"
        )

    def _end(self, worker: _Worker) -> str:
        """Let go of a worker; how it ended."""
        with self._lock:
            self._workers.discard(worker)
        return worker.end()


class _Worker:
    """A worker process as its parent sees it; one picture at a time."""

    def __init__(self) -> None:
        # Shared memory without a name: whoever dies, nothing is left behind; and it is not bound by
        # the 64 MB that containers give /dev/shm.
        if sys.platform == "linux":
            self._pixels = os.memfd_create("magiqa-pixels")
        else:
            with tempfile.TemporaryFile() as file:
                self._pixels = os.dup(file.fileno())
        self._connection, theirs = multiprocessing.Pipe()
        path = [entry for entry in sys.path if isinstance(entry, str) and entry]  # not ""
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _WORKER, json.dumps(path)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                pass_fds=[self._pixels],
                process_group=0,  # the terminal's Ctrl-C is for the parent alone
                env={**os.environ, **_ENVIRONMENT},
            )
        except OSError:
            os.close(self._pixels)
            self._connection.close()
            raise
        finally:
            theirs.close()

    def prepare(self, settings: Settings, memory: int) -> None:
        """Wait until it has started; raises EOFError or OSError."""
        self._connection.send((settings, memory, self._pixels))
        self._receive(_START_SECONDS)

    def decode(self, item: Item, seconds: float) -> Picture | Failure:
        """Have it decode; raises TimeoutError, and EOFError or OSError when it has died."""
        self._connection.send(item)
        reply = json.loads(self._receive(seconds))
        if "failure" in reply:
            return Failure(item.source, PictureError.__name__, reply["failure"])
        planes = np.empty(reply["shape"], np.uint8)
        whole(os.preadv, self._pixels, planes)
        if planes.nbytes > _KEPT:
            os.ftruncate(self._pixels, 0)
        pixels, notes = np.moveaxis(planes, 0, -1), tuple(reply["warnings"])
        return Picture(item.source, pixels, reply["width"], reply["height"], notes)

    def _receive(self, seconds: float) -> bytes:
        if not self._connection.poll(seconds):
            self.process.kill()
            raise TimeoutError
        return self._connection.recv_bytes()

    def end(self) -> str:
        """Let go of it, dead or alive; how it ended."""
        self._connection.close()  # at which it leaves, if it is not dead yet
        try:
            code = self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        os.close(self._pixels)
        return f"exit status {code}" if code >= 0 else f"signal {-code}, {signal.strsignal(-code)}"


def _with_error(items: Iterable[Item | Failure]) -> Iterator[Item | Failure | Exception]:
    """The items, then what iterating over them raised: its turn is after those before it."""
    try:
        yield from items
    except Exception as error:
        yield error
