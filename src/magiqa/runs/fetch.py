"""Items whose bytes are elsewhere -> items with their bytes, fetched ahead in threads, in order."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from magiqa.errors import MagiqaError
from magiqa.records import Failure, Item

AHEAD = 8


def fetched(items: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
    """The items in their order; one whose bytes cannot be had is a Failure.

    At most AHEAD are under way, and only when an item is met that has to be fetched.
    """
    waiting: deque[Item | Failure | Future[Item | Failure]] = deque()
    pool = ThreadPoolExecutor(AHEAD, "magiqa-fetch")
    try:
        for item in items:
            if isinstance(item, Item) and callable(item.data):
                waiting.append(pool.submit(_fetch, item))
            else:
                waiting.append(item)
            while waiting and (_is_there(waiting[0]) or len(waiting) > AHEAD):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _is_there(entry: Item | Failure | Future[Item | Failure]) -> bool:
    return not isinstance(entry, Future) or entry.done()


def _result(entry: Item | Failure | Future[Item | Failure]) -> Item | Failure:
    return entry.result() if isinstance(entry, Future) else entry


def _fetch(item: Item) -> Item | Failure:
    try:
        return dataclasses.replace(item, data=item.data())
    except MagiqaError as error:
        return Failure(item.source, type(error).__name__, str(error))
