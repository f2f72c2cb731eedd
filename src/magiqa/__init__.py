"""magiqa: how good does a picture look? No reference picture, no training (MA-CLIP)."""

__version__ = "0.1.0"

TYPE_CHECKING = False  # typing's own would cost half of this module's import time
if TYPE_CHECKING:
    from magiqa.errors import (
        MagiqaError,
        MissingExtra,
        OutputError,
        PictureError,
        SettingsError,
        SourceError,
        WeightsError,
    )
    from magiqa.pictures.quality_map import quality_map
    from magiqa.records import Failure, Item, Score, ViewScore
    from magiqa.runs.pipeline import score_paths
    from magiqa.scorer import Scorer
    from magiqa.settings import PRESETS, Settings

_HOME = {
    "Failure": "records",
    "Item": "records",
    "MagiqaError": "errors",
    "MissingExtra": "errors",
    "OutputError": "errors",
    "PRESETS": "settings",
    "PictureError": "errors",
    "Score": "records",
    "Scorer": "scorer",
    "Settings": "settings",
    "SettingsError": "errors",
    "SourceError": "errors",
    "ViewScore": "records",
    "WeightsError": "errors",
    "quality_map": "pictures.quality_map",
    "score_paths": "runs.pipeline",
}

__all__ = [
    "PRESETS",
    "Failure",
    "Item",
    "MagiqaError",
    "MissingExtra",
    "OutputError",
    "PictureError",
    "Score",
    "Scorer",
    "Settings",
    "SettingsError",
    "SourceError",
    "ViewScore",
    "WeightsError",
    "quality_map",
    "score_paths",
]


def __getattr__(name: str) -> object:
    """Public names are loaded when first asked for (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'magiqa' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"magiqa.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
