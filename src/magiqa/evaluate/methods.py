"""What is evaluated, by name: settings of magiqa, or anybody's function of a picture.

ma-clip                 the paper's
similarity, magnitude   one cue alone; similarity is CLIP-IQA, five pairs, on these views
l1, l2                  mean |F| and ||F|| in place of the magnitude, alone
fixed-W                 w_sim is W for every view: fixed-0.8 is the paper's 0.8/0.2
clip-iqa                CLIP-IQA's own single pair, "Good photo." / "Bad photo."
NAME-whole              any of them on the picture as a whole, as CLIP-IQA's own code; no views
MODULE:FUNCTION         a Python function: path of a picture -> number, higher is better
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any, TypeAlias

from magiqa.errors import SettingsError, nearest
from magiqa.records import Failure
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


def find_method(name: str) -> Settings | Function:
    """The method of that name, not yet for a set that wants its pictures resized.

    Raises SettingsError: it names the nearest, or says why a function cannot be had.
    """
    return _function(name) if ":" in name else settings_of(name)


def settings_of(name: str) -> Settings:
    """The settings that a method's name stands for. Raises SettingsError."""
    own = name.removesuffix("-whole")
    weight = own.removeprefix("fixed-")
    if own != weight and weight.replace(".", "", 1).isdecimal() and float(weight) <= 1:
        settings = replace(PAPER, weight=float(weight))
    elif own in METHODS:
        settings = METHODS[own]
    else:
        known = [*METHODS, "fixed-0.8", "clip-iqa-whole"]
        raise SettingsError(f"method - no {name!r} - {nearest(name, known)}")
    return settings if own == name else replace(settings, coverage="whole")


def call(function: Function, path: str) -> float | Failure:
    """A function's number for a picture; what it raises, and what is no number, is a Failure."""
    try:
        number = float(function(path))
    except Exception as error:  # anybody's function raises anything
        return Failure(path, type(error).__name__, f"{path} - the method failed ({error!r})")
    if not math.isfinite(number):
        return Failure(path, "ValueError", f"{path} - the method gave {number}")
    return number


def _function(name: str) -> Function:
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(
            f"method - {name!r} cannot be imported ({error}) - give module:function, of a module "
            f"that is in this folder or installed"
        ) from error
    if not callable(found):
        raise SettingsError(f"method - {name!r} is no function - give one of a picture's path")
    function: Function = found
    return function
