"""Ctrl-C and SIGTERM, taken as the wish to stop well."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class Interrupts:
    """The first signal calls `stop`; the second ends the process at once."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self.received: int | None = None
        self._stop = stop
        self._before: dict[signal.Signals, Any] = {}

    @property
    def exit_code(self) -> int | None:
        """130 after Ctrl-C, 143 after SIGTERM, None without a signal."""
        return None if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        for each in (signal.SIGINT, signal.SIGTERM):
            self._before[each] = signal.signal(each, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)

    def _take(self, number: int, _: FrameType | None) -> None:
        self.received = number
        # first, for Python drops a second one that it has yet to handle when its handler goes
        for each in self._before:  # nothing that still runs could hold up the second one
            signal.signal(each, signal.SIG_DFL)
        self._stop()
