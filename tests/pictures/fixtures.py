"""Pictures without content: what "flat" and "noise-like" must catch."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]


def flat(height: int, width: int) -> Iterator[tuple[str, Pixels]]:
    """One colour and smooth gradients, plain, dithered by a level, and as JPEG."""
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    down, across = down / max(1, height - 1), across / max(1, width - 1)
    colour = np.ones((height, width, 3))
    yield "black", _rounded(colour * 0)
    yield "white", _rounded(colour * 255)
    yield "one colour", _rounded(colour * [200, 30, 90])
    gradients = {
        "across": across[..., None] * [255, 255, 255],
        "down": down[..., None] * [255, 255, 255],
        "diagonal": ((across + down) / 2)[..., None] * [255, 255, 255],
        "in colour": np.stack([across * 255, down * 255, 255 - across * 255], axis=2),
        "radial": np.hypot(across - 0.5, down - 0.5)[..., None] * [300, 300, 300],
    }
    rng = np.random.default_rng(0)
    for name, values in gradients.items():
        yield f"gradient {name}", _rounded(values)
        yield f"gradient {name}, dithered", _rounded(values + rng.integers(-1, 2, values.shape))
        yield f"gradient {name}, JPEG", jpeg(_rounded(values), 85)


def noise(height: int, width: int) -> Iterator[tuple[str, Pixels]]:
    """Uniform, Gaussian and salt-and-pepper noise, in colour and grey, plain and as JPEG."""
    rng = np.random.default_rng(1)
    for channels in (1, 3):
        shape = (height, width, channels)
        kind = "grey" if channels == 1 else "colour"
        made = {f"uniform {kind}": rng.uniform(0, 255, shape)}
        for sigma in (15, 40, 100):
            made[f"Gaussian {kind} {sigma}"] = 128 + rng.normal(0, sigma, shape)
        salt = np.full(shape, 128.0)
        salt[rng.random(shape) < 0.05] = 0
        salt[rng.random(shape) < 0.05] = 255
        made[f"salt and pepper {kind}"] = salt
        for name, values in made.items():
            pixels = _rounded(np.broadcast_to(values, (height, width, 3)))
            yield name, pixels
            yield f"{name}, JPEG", jpeg(pixels, 90)


def jpeg(pixels: Pixels, quality: int) -> Pixels:
    """The pixels after JPEG."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _rounded(values: NDArray[np.float64]) -> Pixels:
    return values.round().clip(0, 255).astype(np.uint8)
