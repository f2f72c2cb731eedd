from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator

import pytest

from magiqa import Failure, Item, SourceError
from magiqa.runs.fetch import AHEAD, fetched


def test_bytes_come_in_the_order_of_the_items() -> None:
    later = threading.Event()

    def first() -> bytes:
        assert later.wait(10)  # a later one is through before
        return b"first"

    def second() -> bytes:
        later.set()
        return b"second"

    failure = Failure("c", "SourceError", "c - gone - look elsewhere")
    items: list[Item | Failure] = [
        Item("a", first, "key"),
        Item("b", second),
        failure,
        Item("d", b"here"),
    ]
    expected = [Item("a", b"first", "key"), Item("b", b"second"), failure, Item("d", b"here")]
    assert list(fetched(items)) == expected


def test_what_cannot_be_fetched_is_a_failure() -> None:
    def gone() -> bytes:
        raise SourceError("a - gone - look elsewhere")

    [failure] = fetched([Item("a", gone)])
    assert failure == Failure("a", "SourceError", "a - gone - look elsewhere")


def test_few_are_fetched_ahead() -> None:
    listed = 0

    def items() -> Iterator[Item]:
        nonlocal listed
        for listed in itertools.count(1):
            yield Item(str(listed), lambda: b"content")

    stream = fetched(items())
    assert [next(stream).source for _ in range(100)][-1] == "100"
    assert listed <= 100 + AHEAD + 1
    stream.close()  # type: ignore[attr-defined]


def test_local_items_start_no_thread() -> None:
    before = threading.active_count()
    stream = fetched(Item(str(number), b"content") for number in range(5))
    next(stream)
    assert threading.active_count() == before


def test_no_thread_is_left_when_the_listing_breaks_off() -> None:
    def items(fetch: Callable[[], bytes]) -> Iterator[Item]:
        yield Item("a", fetch)
        raise RuntimeError("the listing breaks off")

    with pytest.raises(RuntimeError, match="breaks off"):
        list(fetched(items(lambda: b"content")))
    assert not [each for each in threading.enumerate() if each.name.startswith("magiqa-fetch")]
