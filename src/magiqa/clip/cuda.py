"""What a CUDA device wants, so that it never waits for the machine; part of the extra `torch`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
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
        self._parts = deque((torch.empty(0, dtype=torch.uint8), event()) for _ in range(2))
        self._one_at_a_time = threading.Lock()

    def copy(self, array: NDArray[Any], device: torch.device) -> Tensor:
        """An array on the device, as soon as the current queue is so far."""
        with self._one_at_a_time:
            memory, copied = self._parts.popleft()
            copied.synchronize()
            if len(memory) < array.nbytes:
                memory = torch.empty(array.nbytes, dtype=torch.uint8, pin_memory=True)
            part = memory[: array.nbytes].numpy().view(array.dtype).reshape(array.shape)
            np.copyto(part, array)  # not by torch, whose threads go on spinning on every core
            there = torch.from_numpy(part).to(device, non_blocking=True)
            copied.record()
            self._parts.append((memory, copied))
        return there


class Graph:
    """A tower on so many views as one operation of a GPU, not ninety that each take Python's lock.

    It is recorded in the queue it will run in, and keeps the activations' memory. One at a time.
    """

    def __init__(self, tower: Callable[[Tensor], Tensor], views: Tensor) -> None:
        self._views = views.to(memory_format=torch.channels_last, copy=True)
        tower(self._views)  # libraries choose and load their kernels outside of the recording
        self._graph = torch.cuda.CUDAGraph()
        here = torch.cuda.current_stream()
        # other threads go on copying pictures meanwhile
        with torch.cuda.graph(self._graph, stream=here, capture_error_mode="thread_local"):
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
