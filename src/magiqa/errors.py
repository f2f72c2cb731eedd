"""The exceptions magiqa raises, each saying "what - got - how to mend it".

MagiqaError
├── PictureError     a picture that cannot be read, is too large or not finite
├── WeightsError     weights that are missing, damaged or of the wrong shape
├── SettingsError    a setting outside its range, or settings that contradict
├── SourceError      nothing to score where the user pointed
├── OutputError      an output that cannot be written
└── MissingExtra     a feature whose optional libraries are not installed
"""

from __future__ import annotations

from collections.abc import Iterable


class MagiqaError(Exception):
    """Root of everything magiqa raises on purpose."""


class PictureError(MagiqaError):
    """A picture that cannot be read, is too large or not finite."""


class WeightsError(MagiqaError):
    """Weights that are missing, damaged or of the wrong shape."""


class SettingsError(MagiqaError, ValueError):
    """A setting outside its range, or settings that contradict each other."""


class SourceError(MagiqaError):
    """Nothing to score where the user pointed."""


class OutputError(MagiqaError):
    """An output that cannot be written."""


class MissingExtra(MagiqaError, ImportError):  # noqa: N818
    """A feature whose optional libraries are not installed."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: the nearest known ones, else all.

    >>> nearest("RN5O", ["RN50", "ViT-B/32"])
    'did you mean RN50?'
    """
    import difflib

    names = list(known)
    by_lower = {known_name.lower(): known_name for known_name in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(by_lower[lower] for lower in close)}?"
    return f"choose from {', '.join(names)}"
