"""One frozen `Settings`: every knob of the method and of the picture protocol."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal, TypeAlias, get_args

from magiqa.errors import SettingsError, nearest

PromptPair: TypeAlias = tuple[str, str]
Magnitude: TypeAlias = Literal["box-cox", "l1", "l2"]
Coverage: TypeAlias = Literal["paper", "full", "whole"]
Protocol: TypeAlias = Literal["photo", "paper"]

PRESETS: dict[str, tuple[PromptPair, ...]] = {
    "ensemble": (
        ("Good image", "bad image"),
        ("Sharp image", "blurry image"),
        ("sharp edges", "blurry edges"),
        ("High resolution image", "low resolution image"),
        ("Noise-free image", "noisy image"),
    ),
    "paper-text": (("a good photo", "a bad photo"),),
    "clip-iqa": (("Good photo.", "Bad photo."),),
    "brightness": (("Bright photo.", "Dark photo."),),
    "noisiness": (("Clean photo.", "Noisy photo."),),
    "colorfulness": (("Colorful photo.", "Dull photo."),),
    "sharpness": (("Sharp photo.", "Blurry photo."),),
    "contrast": (("High contrast photo.", "Low contrast photo."),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every knob of the method and of the picture protocol; the defaults are the paper's.

    Two equal Settings give equal numbers for equal weights and pictures; `fingerprint` names them.
    Equation numbers are those of the paper (docs/method.md). Raises SettingsError.
    """

    prompts: str | tuple[PromptPair, ...] = "ensemble"
    """A preset of PRESETS, or own (positive, negative) pairs of texts."""
    magnitude: Magnitude = "box-cox"
    """Magnitude cue: "box-cox" (Eq. 8-10), or the ablations "l1" (mean |F|) and "l2" (||F||)."""
    box_cox_lambda: float = 0.5
    """Exponent of the Box-Cox transform, Eq. 9; 0 is the logarithm."""
    weight: float | Literal["adaptive"] = "adaptive"
    """w_sim, Eq. 12-14, or a fixed weight in 0..1: 1 is the similarity alone, 0 the magnitude."""
    alpha: float = 1.0
    """How strongly the cues' disagreement moves the weights, Eq. 12-13."""
    base_similarity: float = 1.0
    """Fusion constant of the similarity, Eq. 12."""
    base_magnitude: float = 0.6
    """Fusion constant of the magnitude, Eq. 13."""
    positional_embedding: bool = False
    """Keep the image tower's positional embedding; the paper leaves it out."""
    coverage: Coverage = "paper"
    """"paper" leaves the right and bottom remainder to the thumbnail, "full" adds edge windows;
    "whole" is a single view, the picture itself at its own size, for residual backbones alone."""
    protocol: Protocol = "photo"
    """"photo": upright, sRGB, over white, at most max_pixels; "paper": as the authors' code."""
    max_pixels: int | None = 1024 * 768
    """Under "photo", a larger picture is scaled down to this many pixels; None: native size."""
    resize: tuple[int, int] | None = None
    """(width, height) every picture is brought to before views are cut; None: its own size."""
    max_decode_pixels: int = 178_956_970
    """A file whose header promises more pixels is refused before it is decoded."""

    def __post_init__(self) -> None:
        """Bring equal settings to equal values and refuse what cannot be."""
        for name in ("box_cox_lambda", "alpha", "base_similarity", "base_magnitude"):
            self._set(name, _finite(name, getattr(self, name)))
        if self.weight != "adaptive":
            weight = math.nan if isinstance(self.weight, str) else _finite("weight", self.weight)
            if not 0.0 <= weight <= 1.0:
                raise SettingsError(
                    f'weight - got {self.weight!r} - give a number in 0..1 or "adaptive"'
                )
            self._set("weight", weight)
        for name, allowed in (
            ("magnitude", get_args(Magnitude)),
            ("coverage", get_args(Coverage)),
            ("protocol", get_args(Protocol)),
        ):
            value = getattr(self, name)
            if value not in allowed:
                raise SettingsError(f"{name} - got {value!r} - {nearest(str(value), allowed)}")
        if self.magnitude != "box-cox" and self.weight not in (0.0, 1.0):
            raise SettingsError(
                f"magnitude={self.magnitude!r} - got weight={self.weight!r} - the paper fuses "
                f"only Box-Cox magnitudes: add weight=0 for the magnitude alone"
            )
        if self.coverage == "whole" and self.positional_embedding:
            raise SettingsError(
                'positional_embedding - got True with coverage="whole" - it is made for 224x224: '
                "leave one of them out"
            )
        if self.max_pixels is not None:
            self._set("max_pixels", _count("max_pixels", self.max_pixels))
        self._set("max_decode_pixels", _count("max_decode_pixels", self.max_decode_pixels))
        if self.resize is not None:
            if not isinstance(self.resize, Sequence) or len(self.resize) != 2:
                raise SettingsError(f"resize - got {self.resize!r} - give (width, height)")
            self._set("resize", tuple(_count("resize", side) for side in self.resize))
        if not isinstance(self.prompts, str):
            self._set("prompts", _own_pairs(self.prompts))
        elif self.prompts not in PRESETS:
            raise SettingsError(
                f"prompts - no preset {self.prompts!r} - {nearest(self.prompts, PRESETS)}"
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def pairs(self) -> tuple[PromptPair, ...]:
        """The prompt pairs: positive text, negative text."""
        return PRESETS[self.prompts] if isinstance(self.prompts, str) else self.prompts

    def to_dict(self) -> dict[str, Any]:
        """Every setting, ready for JSON; `Settings(**settings.to_dict())` is equal to it."""
        return dataclasses.asdict(self)

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits that name these settings, equal for equal ones on any machine."""
        content = {**self.to_dict(), "prompts": self.pairs}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def pair_name(pair: PromptPair) -> str:
    """The name a prompt pair has in scores and columns."""
    return f"{pair[0]} / {pair[1]}"


def _finite(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise SettingsError(f"{name} - got {value!r} - give a finite number")
    return float(value)


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise SettingsError(f"{name} - got {value!r} - give a whole number of at least 1")
    return int(value)


def _own_pairs(prompts: object) -> tuple[PromptPair, ...]:
    pairs = tuple(prompts) if isinstance(prompts, tuple | list) else ()
    if not pairs:
        raise SettingsError(
            f"prompts - got {prompts!r} - give a preset's name or (positive, negative) pairs"
        )
    for pair in pairs:
        if not (
            isinstance(pair, tuple | list)
            and len(pair) == 2
            and all(isinstance(text, str) and text.strip() for text in pair)
        ):
            raise SettingsError(f"prompt pair - got {pair!r} - give two texts that are not empty")
        if any("\ud800" <= letter <= "\udfff" for text in pair for letter in text):
            raise SettingsError(f"prompt pair - got {pair!r} - give it in UTF-8")
        if pair[0].strip() == pair[1].strip():
            raise SettingsError(f"prompt pair - both texts are {pair[0]!r} - give two that differ")
    if len(set(map(tuple, pairs))) < len(pairs):
        raise SettingsError(f"prompts - got {prompts!r} - give each pair once")
    return tuple((pair[0], pair[1]) for pair in pairs)
