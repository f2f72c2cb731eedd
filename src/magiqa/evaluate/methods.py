"""What is evaluated, by name: settings of magiqa, a rival, or anybody's function of a picture.

ma-clip                 the paper's
similarity, magnitude   one cue alone; similarity is CLIP-IQA, five pairs, on these views
l1, l2                  mean |F| and ||F|| in place of the magnitude, alone
fixed-W                 w_sim is W for every view: fixed-0.8 is the paper's 0.8/0.2
clip-iqa                CLIP-IQA's own single pair, "Good photo." / "Bad photo."
NAME-whole              any of them on the picture as a whole, as CLIP-IQA's own code; no views
piqe, niqe, ilniqe      rivals, lower is better; niqe=FILE and ilniqe=FILE by that model
pyiqa:NAME              a metric of that library, also torchmetrics:NAME, piq:NAME
MODULE:FUNCTION         a Python function: path of a picture -> number, higher is better
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias

from magiqa.clip.cache import file_sha256
from magiqa.errors import SettingsError, nearest
from magiqa.evaluate.rivals import adapters
from magiqa.evaluate.rivals.metric import Metric
from magiqa.settings import Settings

Function: TypeAlias = Callable[[str], float]

PAPER = Settings(protocol="paper")
METHODS: dict[str, Settings] = {
    "ma-clip": PAPER,
    "similarity": replace(PAPER, weight=1),
    "magnitude": replace(PAPER, weight=0),
    "l1": replace(PAPER, magnitude="l1", weight=0),
    "l2": replace(PAPER, magnitude="l2", weight=0),
    "clip-iqa": replace(PAPER, prompts="clip-iqa", weight=1),
}


RIVALS = ("piqe", "niqe", "ilniqe")


def find_method(name: str) -> Settings | Metric | Function:
    """The method of that name, not yet for a set that wants its pictures resized.

    Raises what `find_metric` raises; its SettingsError names the nearest method, or says why a
    function cannot be had.
    """
    if name.partition("=")[0] in RIVALS or _library(name):
        return find_metric(name)
    return _function(name) if ":" in name else settings_of(name)


def find_metric(name: str) -> Metric:
    """The rival of that name. Raises SettingsError, MissingExtra, WeightsError."""
    if _library(name):
        return adapters.find(name)
    own, given, file = name.partition("=")
    model = Path(file) if given else None
    if own in ("niqe", "ilniqe"):
        from magiqa.evaluate.rivals.ilniqe import IlNiqe
        from magiqa.evaluate.rivals.models import DATA
        from magiqa.evaluate.rivals.niqe import Niqe

        metric = (Niqe if own == "niqe" else IlNiqe)(model)
        return Metric(name, metric, True, file_sha256(model or DATA / f"{own}.npz"))
    if name == "piqe":
        from magiqa.evaluate.rivals.piqe import piqe

        return Metric(name, piqe, True)
    known = [*RIVALS, *(f"{library}:NAME" for library in adapters.LIBRARIES)]
    raise SettingsError(f"rival - no {name!r} - {nearest(name, known)}")


def _library(name: str) -> bool:
    library, colon, _ = name.partition(":")
    return bool(colon) and library in adapters.LIBRARIES


def settings_of(name: str) -> Settings:
    """The settings that a method's name stands for. Raises SettingsError."""
    own = name.removesuffix("-whole")
    weight = own.removeprefix("fixed-")
    if own != weight and weight.replace(".", "", 1).isdecimal() and float(weight) <= 1:
        settings = replace(PAPER, weight=float(weight))
    elif own in METHODS:
        settings = METHODS[own]
    else:
        known = [*METHODS, "fixed-0.8", "clip-iqa-whole", *RIVALS]
        raise SettingsError(f"method - no {name!r} - {nearest(name, known)}")
    return settings if own == name else replace(settings, coverage="whole")


def _function(name: str) -> Function:
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except Exception as error:  # a module may raise anything while it is imported
        raise SettingsError(
            f"method - {name!r} cannot be imported ({type(error).__name__}: {error}) - give "
            f"module:function, of a module that is in this folder or installed"
        ) from error
    if not callable(found):
        raise SettingsError(f"method - {name!r} is no function - give one of a picture's path")
    function: Function = found
    return function
