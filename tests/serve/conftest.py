"""A service on loopback, in a thread of this process."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image

import recipe
from magiqa import Scorer
from magiqa.serve.app import create_app
from magiqa.serve.keys import Keys
from magiqa.serve.limits import Limits
from magiqa.serve.server import configuration, listen

KEY = "a-key-of-many-letters"


class Gated(Scorer):
    """A scorer whose encoder waits at a gate, and can fail."""

    def __init__(self, weights: Path, micro_batch: int | None = None) -> None:
        super().__init__(weights=weights, micro_batch=micro_batch, threads=1)
        self.gate = threading.Event()
        self.gate.set()
        self.at_gate = threading.Event()
        self.broken = False
        self.batches: list[int] = []

    def _encode(self, views: Any) -> Any:
        self.at_gate.set()
        assert self.gate.wait(20)
        if self.broken:
            raise RuntimeError("no more memory on the device")
        self.batches.append(len(views))
        return super()._encode(views)


@contextmanager
def serving(
    scorer: Scorer, keys: tuple[str, ...] = (), jobs: int = 1, warm: bool = True, **limits: Any
) -> Iterator[httpx.Client]:
    """A client of the service; it has no key."""
    bounds = Limits(**limits)
    app = create_app(scorer, limits=bounds, keys=Keys(list(keys)), jobs=jobs)
    server = uvicorn.Server(configuration(app, bounds))
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, args=[[listener]], daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_for(lambda: not warm or client.get("/readyz").status_code == 200)
            yield client
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
        listener.close()


def wait_for(condition: Any, seconds: float = 20) -> None:
    """Until it holds; fails when it does not."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def encoded(height: int, width: int, seed: int = 0) -> bytes:
    """A PNG, so that its pixels are those of the recipe."""
    return png(recipe.picture(height, width, seed))


def png(pixels: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def raw(data: bytes) -> dict[str, Any]:
    """Arguments of a request whose body is one picture."""
    return {"content": data, "headers": {"Content-Type": "image/png"}}


def number(client: httpx.Client, name: str) -> float:
    """A metric's value; 0 when it is not there yet."""
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[-1])
    return 0.0


@pytest.fixture(scope="module")
def client(tiny: Scorer) -> Iterator[httpx.Client]:
    with serving(tiny) as found:
        yield found


@pytest.fixture
def gated(checkpoint: Path) -> Iterator[Gated]:
    scorer = Gated(checkpoint)
    yield scorer
    scorer.gate.set()
