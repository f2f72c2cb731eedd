"""How much a service takes in: of a request, and at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from magiqa.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a stranger may ask for. Raises SettingsError.

    Memory holds at most `concurrency` bodies and DECODED_AHEAD decoded pictures
    (serve/batching.py).
    """

    body: int = 24 << 20
    """Bytes of a request's body, all files together."""
    files: int = 16
    """Pictures in a request."""
    pixels: int = 50_000_000
    """Of a picture, by its header, before it is decoded."""
    concurrency: int = 64
    """Requests that are received and answered at a time."""
    queue: int = 256
    """Pictures that are accepted and not yet scored."""
    seconds: float = 30.0
    """From the first byte of a request's body to its answer."""

    def __post_init__(self) -> None:
        """Refuse what would serve nobody."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 < value < math.inf:
                raise SettingsError(f"{field.name} - got {value} - give a finite number above 0")
        if self.files > self.queue:
            raise SettingsError(
                f"queue - got {self.queue} for up to {self.files} files a request - let one "
                f"request's files fit into the queue"
            )
