"""Metrics of other libraries, which the user has installed: pyiqa's, torchmetrics' and piq's."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from magiqa.errors import MagiqaError, MissingExtra, SettingsError, WeightsError, nearest
from magiqa.evaluate.rivals.metric import Metric

Made: TypeAlias = tuple[Callable[[Any], Any], bool]
"""What takes a tensor (1, 3, H, W) in 0..1, and whether lower is better."""

TORCHMETRICS = {
    "arniqa": ("torchmetrics.image.arniqa", "ARNIQA"),
    "clip_iqa": ("torchmetrics.multimodal.clip_iqa", "CLIPImageQualityAssessment"),
    "total_variation": ("torchmetrics.image", "TotalVariation"),
}
PIQ = {"clip_iqa": "CLIPIQA", "brisque": "BRISQUELoss", "total_variation": "TVLoss"}
"""Of both libraries, what needs no reference picture."""


def find(name: str) -> Metric:
    """The metric LIBRARY:NAME; the library fetches its weights. Lower is better if it says so.

    Raises MissingExtra, SettingsError, and WeightsError for what the library cannot make.
    """
    library, _, own = name.partition(":")
    try:
        made, lower_is_better = LIBRARIES[library](own)
    except MagiqaError:
        raise
    except ImportError as error:
        raise MissingExtra(
            f"{name} - {library} is not there, or not all of it ({error}) - pip install {library}"
        ) from error
    except Exception as error:  # no network, no disk, another version
        raise WeightsError(
            f"{name} - {library} cannot make it ({error!r}) - see that its weights can be fetched"
        ) from error

    def function(picture: NDArray[np.uint8]) -> float:
        import torch

        planes = np.moveaxis(picture, -1, 0)[None].astype(np.float32) / 255
        with torch.no_grad():
            return float(made(torch.from_numpy(planes)))

    return Metric(name, function, lower_is_better, f"{library} {version(library)}")


def _pyiqa(name: str) -> Made:
    library: Any = import_module("pyiqa")
    known = library.list_models("NR")
    if name not in known:
        raise SettingsError(
            f"method - pyiqa has no {name!r} that needs no reference - {nearest(name, known)}"
        )
    metric = library.create_metric(name)
    return metric, metric.lower_better


def _torchmetrics(name: str) -> Made:
    module, of_name = _known("torchmetrics", name, TORCHMETRICS)
    metric = getattr(import_module(module), of_name)()

    def alone(picture: Any) -> Any:
        metric.reset()  # it would remember every picture
        return metric(picture)

    return alone, not metric.higher_is_better


def _piq(name: str) -> Made:
    of_name = _known("piq", name, PIQ)
    # it says so in a name alone: what is called a loss is to be made small
    return getattr(import_module("piq"), of_name)(), of_name.endswith("Loss")


def _known(library: str, name: str, known: dict[str, Any]) -> Any:
    if name not in known:
        raise SettingsError(f"method - no {name!r} of {library} - {nearest(name, known)}")
    return known[name]


LIBRARIES: dict[str, Callable[[str], Made]] = {
    "pyiqa": _pyiqa,
    "torchmetrics": _torchmetrics,
    "piq": _piq,
}
