"""What a CUDA device wants, so that it never waits for the machine; part of the extra `torch`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class Staging:
    """Pinned memory that arrays pass through on their way to a GPU: the copy waits, not the caller.

    Two parts take turns. Asking torch for pinned memory anew costs more than the copying.
    """

    def __init__(self) -> None:
        self._parts = deque((_bytes(0), event()) for _ in range(2))
        self._one_at_a_time = threading.Lock()

    def copy(self, array: NDArray[Any], device: torch.device) -> Tensor:
        """An array on the device, as soon as the current queue is so far."""
        with self._one_at_a_time:
            memory, copied = self._parts[0]
            copied.synchronize()
            if len(memory) < array.nbytes:
                memory = _bytes(array.nbytes, pin_memory=True)
            part = memory[: array.nbytes].numpy().view(array.dtype).reshape(array.shape)
            np.copyto(part, array)  # not by torch, whose threads go on spinning on every core
            there = torch.from_numpy(part).to(device, non_blocking=True)
            copied.record()
            self._parts[0] = memory, copied
            self._parts.rotate()
        return there


class Graph:
    """A tower on so many views as one operation of a GPU, not ninety that each take Python's lock.

    It is recorded in a queue of its own, for whatever another thread asked of that queue meanwhile
    would be recorded too, or refused. It keeps the activations' memory. One at a time.
    """

    # a recording begins with waiting for every queue, and none may be recorded then
    _recording = threading.Lock()

    def __init__(self, tower: Callable[[Tensor], Tensor], views: Tensor) -> None:
        self._views = views.to(memory_format=torch.channels_last, copy=True)
        self._graph = torch.cuda.CUDAGraph()
        aside = queue(views.device)
        aside.wait_stream(torch.cuda.current_stream())
        with self._recording:
            with within(aside):  # libraries choose and load their kernels before the recording
                tower(self._views)
            # other threads go on copying pictures meanwhile
            with torch.cuda.graph(self._graph, stream=aside, capture_error_mode="thread_local"):
                self._found = tower(self._views)

    def __call__(self, views: Tensor) -> Tensor:
        """Embeddings of as many views as it was recorded with."""
        self._views.copy_(views)
        self._graph.replay()
        found: Tensor = self._found.clone()  # the next turn writes where it was
        return found


def queue(device: torch.device) -> torch.cuda.Stream:
    """Operations of one queue follow one another; those of two may overlap."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def event() -> torch.cuda.Event:
    """A point in a queue, to wait for."""
    return torch.cuda.Event()  # type: ignore[no-untyped-call]


def within(queue: torch.cuda.Stream | None) -> AbstractContextManager[Any]:
    """What is asked for goes into that queue; without one nothing is touched.

    torch's own asks for a GPU even of None, which is an error on a Mac.
    """
    return nullcontext() if queue is None else torch.cuda.stream(queue)


def _bytes(count: int, pin_memory: bool = False) -> Tensor:
    # named, for a process may have made another device its default
    return torch.empty(count, dtype=torch.uint8, device="cpu", pin_memory=pin_memory)
