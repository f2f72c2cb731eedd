"""What runs in a decode worker's process (pictures/pool.py starts it)."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import PictureError
from magiqa.pictures import decode
from magiqa.records import Item
from magiqa.settings import Settings


def work() -> None:
    """Decode what comes by the socket that is this process's stdin, until that closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent decides when to end
        signal.signal(number, signal.SIG_IGN)
    decode.leave_limit_to_settings()
    connection = Connection(0)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError, MemoryError):  # the last: a picture's own bytes
        settings, memory, pixels = connection.recv()
        _limit(memory)
        connection.send_bytes(b"ready")
        while True:
            connection.send_bytes(_reply(connection.recv(), settings, memory, pixels))


def _leave_with_parent() -> None:
    """End this process when its parent has ended, even in the middle of a picture."""
    hang_up = select.poll()
    hang_up.register(0, 0)
    hang_up.poll()
    os._exit(0)


def _limit(memory: int) -> None:
    """Let this process have `memory` bytes of address space more than it has now."""
    if sys.platform == "linux":
        import resource  # which Windows lacks

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limits = (pages * resource.getpagesize() + memory, soft, hard)
        resource.setrlimit(resource.RLIMIT_AS, (min(limit for limit in limits if limit >= 0), hard))
        with contextlib.suppress(OSError):  # out of memory, the system should take a worker
            Path("/proc/self/oom_score_adj").write_text("1000")


def _reply(item: Item, settings: Settings, memory: int, file: int) -> bytes:
    """What the parent needs to make a Picture or Failure; the pixels go to the file."""
    try:
        picture = decode.read(item, settings)
        planes: NDArray[np.uint8] = np.ascontiguousarray(np.moveaxis(picture.pixels, -1, 0))
        whole(os.pwritev, file, planes)
    except Exception as error:
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            text = (
                f"{item.source} - takes more than {memory / 2**20:.0f} MiB to decode - scale it "
                f"down, or trust it: jobs=0 decodes without a limit"
            )
        elif isinstance(error, PictureError):
            text = str(error)
        else:
            text = (
                f"{item.source} - decoding failed ({type(error).__name__}: {error}) - report this "
                f"with the picture"
            )
        return json.dumps({"failure": text}).encode()
    about = {"shape": planes.shape, "warnings": picture.warnings}
    return json.dumps({**about, "width": picture.width, "height": picture.height}).encode()


def whole(move: Callable[..., int], file: int, pixels: NDArray[np.uint8]) -> None:
    """Move all bytes between a file and an array: one call moves 2 GB at most."""
    view = memoryview(pixels.data).cast("B")
    done = 0
    while done < len(view):
        moved = move(file, [view[done:]], done)
        if not moved:
            raise EOFError
        done += moved
