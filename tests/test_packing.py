from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from magiqa.packing import Packer
from magiqa.pictures import views
from magiqa.records import Embedded, Failure, Picture

Floats = NDArray[np.float32]


def encode(batch: Floats) -> Floats:
    """Three numbers that tell views of different pictures and places apart."""
    return np.stack([batch.mean((1, 2, 3)), batch[:, 0, 0, 0], batch[:, 2, -1, -1]], axis=1)


def picture(number: int, width: int, height: int) -> Picture:
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([(rows + number) % 256, columns % 256, (rows * columns) % 256], axis=2)
    return Picture(f"picture {number}", pixels.astype(np.uint8), width, height)


def by_hand(one: Picture) -> Floats:
    channels = np.moveaxis(one.pixels, -1, 0).astype(np.float32)
    *windows, _ = views.boxes(one.width, one.height)
    cut = [views.window(channels, box) for box in windows]
    return encode(np.stack([*cut, views.thumbnail(channels)]))


@settings(max_examples=25)
@given(
    sizes=st.lists(st.tuples(st.integers(1, 480), st.integers(1, 480)), max_size=7),
    size=st.integers(1, 9),
    lanes=st.integers(1, 3),
)
def test_every_view_comes_back_to_its_picture_in_order(
    sizes: list[tuple[int, int]], size: int, lanes: int
) -> None:
    pictures = [picture(number, *each) for number, each in enumerate(sizes)]
    entries: list[Picture | Failure] = [*pictures, Failure("broken", "PictureError", "broken")]
    packer = Packer(encode, dimensions=3, size=size, lanes=lanes)
    *embedded, last = chain.from_iterable(packer.stream(entries, "paper"))
    assert last is entries[-1]
    for one, entry in zip(pictures, embedded, strict=True):
        assert isinstance(entry, Embedded)
        assert entry.source == one.source
        np.testing.assert_allclose(entry.embeddings, by_hand(one), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_micro_batches_are_full_and_never_more_than_the_lanes_at_a_time(lanes: int) -> None:
    sizes, busy, most = [], 0, 0
    lock = threading.Lock()

    def counted(batch: Floats) -> Floats:
        nonlocal busy, most
        with lock:
            sizes.append(len(batch))
            busy += 1
            most = max(most, busy)
        embeddings = encode(batch)
        with lock:
            busy -= 1
        return embeddings

    pictures = [picture(number, 480, 224) for number in range(9)]  # four views each
    complete = Packer(counted, 3, size=8, lanes=lanes).stream(pictures, "paper")
    assert sum(map(len, complete)) == 9
    rest = {1: [4], 2: [2, 2], 3: [2, 2]}[lanes]  # shared out, so that no lane is idle at the end
    assert sorted(sizes) == sorted([8] * 4 + rest)
    assert most <= lanes


def test_pictures_are_taken_as_they_are_needed() -> None:
    taken = 0

    def pictures() -> Iterator[Picture]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield picture(number, 60, 40)  # one view each

    stream = Packer(encode, 3, size=4, lanes=2).stream(pictures(), "paper")
    next(stream)
    assert taken <= 3 * 4
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("lanes", [1, 2])
def test_what_the_encoder_raises_reaches_the_caller(lanes: int) -> None:
    def broken(_: Floats) -> Floats:
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        list(Packer(broken, 3, size=2, lanes=lanes).stream([picture(0, 500, 300)], "paper"))
