"""Distortions of pictures with a continuous severity, 0 (none, or nearly) to 1 (ruined).

Each is a function of (picture, severity, rng): bytes (H, W, 3) in and out. The same state of the
generator at two severities draws the same pattern, stronger or weaker. The kinds are those of
KADID-10k and TID2013 that need no reference, and what cameras, the web and generators do besides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from distortions import (
    blurs,
    camera,
    codecs,
    colours,
    noises,
    resampling,
    structure,
    tones,
)
from distortions.pixels import Bytes

Distort: TypeAlias = Callable[[Bytes, float, np.random.Generator], Bytes]


class Kind(NamedTuple):
    """One distortion and what it does to whom looks at it."""

    family: str
    distort: Distort
    weight: float
    """How bad severity 1 is, 0..1; a greyed picture may please, a blurred one does not."""


def _kinds(family: str, weights: dict[Distort, float]) -> dict[str, Kind]:
    return {
        f"{family}.{distort.__name__}": Kind(family, distort, weight)
        for distort, weight in weights.items()
    }


KINDS: dict[str, Kind] = {
    **_kinds(
        "blur",
        {
            blurs.gaussian: 1.0,
            blurs.defocus: 1.0,
            blurs.motion: 1.0,
            blurs.shake: 1.0,
            blurs.partial: 0.7,
        },
    ),
    **_kinds(
        "noise",
        {
            noises.white: 1.0,
            noises.grey: 1.0,
            noises.chroma: 0.9,
            noises.coarse: 1.0,
            noises.impulse: 1.0,
            noises.multiplicative: 1.0,
            noises.film_grain: 0.9,
            camera.high_iso: 1.0,
            structure.lines: 0.9,
        },
    ),
    **_kinds(
        "compression",
        {
            codecs.jpeg: 1.0,
            codecs.jpeg_fine_colour: 1.0,
            codecs.jpeg2000: 1.0,
            codecs.webp: 0.9,
            codecs.avif: 0.9,
            codecs.reposted: 1.0,
        },
    ),
    **_kinds(
        "rescaling",
        {
            resampling.bicubic: 1.0,
            resampling.bilinear: 1.0,
            resampling.lanczos: 1.0,
            resampling.aliased: 1.0,
            resampling.pixelate: 1.0,
            resampling.enlarged: 1.0,
        },
    ),
    **_kinds(
        "camera",
        {
            camera.low_light: 1.0,
            camera.smeared: 1.0,
            camera.denoised: 0.9,
            camera.snapshot: 1.0,
        },
    ),
    **_kinds("ringing", {resampling.over_sharpened: 0.9, resampling.ringing: 1.0}),
    **_kinds(
        "tone",
        {
            tones.brighten: 0.7,
            tones.darken: 0.8,
            tones.mean_shift: 0.6,
            tones.less_contrast: 0.8,
            tones.more_contrast: 0.7,
            tones.gamma: 0.6,
            tones.haze: 0.8,
            tones.flare: 0.6,
            tones.banding: 0.9,
            tones.dither: 0.9,
        },
    ),
    **_kinds(
        "colour",
        {
            colours.less_colour: 0.4,
            colours.more_colour: 0.7,
            colours.cast: 0.6,
            colours.colour_shift: 0.7,
            colours.colour_bleeding: 0.5,
            colours.palette: 0.8,
            colours.aberration: 0.7,
        },
    ),
    **_kinds(
        "structure",
        {
            structure.blocks: 0.9,
            structure.misplaced: 0.9,
            structure.jitter: 1.0,
            structure.warp: 0.8,
            structure.checkers: 0.9,
            structure.repeated: 0.7,
            structure.melted: 1.0,
            structure.scrambled: 1.0,
            structure.invented: 1.0,
        },
    ),
}
"""Every distortion by family and name."""

SHARES = {
    "structure": 0.27,
    "colour": 0.03,
    "blur": 0.20,
    "tone": 0.05,
    "noise": 0.22,
    "camera": 0.05,
    "ringing": 0.03,
    "rescaling": 0.07,
    "compression": 0.08,
}
"""How often each family is drawn, in the order in which a mixture is applied: the scene, the lens,
the sensor, the camera, the web."""

OFTEN = {
    "blur.partial": 4.0,
    "blur.motion": 4.0,
    "blur.shake": 2.0,
    "structure.scrambled": 3.0,
    "structure.invented": 2.0,
    "structure.melted": 2.0,
}
"""Kinds that are harder to rank, or met more often, are drawn more often in their family."""


def distort(picture: Bytes, kind: str, severity: float, seed: int) -> Bytes:
    """A picture (H, W, 3) under one kind of distortion, severity 0..1, its pattern by the seed."""
    return KINDS[kind].distort(picture, float(severity), np.random.default_rng(seed))


def mixture(rng: np.random.Generator, count: int, alike: bool = False) -> list[str]:
    """So many kinds of different families, in the order of a camera and web pipeline.

    Families and kinds are as likely as `SHARES` and `OFTEN` say, or all alike.
    """
    order = list(SHARES)
    shares = None if alike else list(SHARES.values())
    families = rng.choice(order, size=count, replace=False, p=shares)
    found = []
    for family in sorted(families, key=order.index):
        names = [name for name in KINDS if KINDS[name].family == family]
        often = np.array([1.0 if alike else OFTEN.get(name, 1.0) for name in names])
        found.append(str(rng.choice(names, p=often / often.sum())))
    return found
