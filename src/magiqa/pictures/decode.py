"""Whatever holds a picture -> upright RGB pixels, under the protocol of the settings."""

from __future__ import annotations

import io
import math
import os
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from magiqa.errors import PictureError
from magiqa.pictures import warning
from magiqa.records import Item, Picture
from magiqa.settings import Settings

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")


def read(item: Item, settings: Settings) -> Picture:
    """Read an item's data: a path, encoded bytes, a PIL image, an array or a torch tensor.

    Arrays are (H, W, 3) or grey (H, W), uint8 or float in 0..1; tensors (3, H, W), likewise. They
    are resized only by `settings.resize`. Raises PictureError.
    """
    data = item.data
    if isinstance(data, str | os.PathLike | bytes | bytearray | memoryview | Image.Image):
        image = _decode(item.source, data, settings)
        (width, height), image = image.size, _scaled(image, settings)
        pixels: Pixels = np.asarray(image)
        notes = ["downscaled"] if settings.resize is None and image.size != (width, height) else []
    else:
        pixels = _from_array(item.source, data)
        height, width = pixels.shape[:2]
        pixels = pixels if settings.resize is None else _resized_array(pixels, settings.resize)
        notes = []
    return Picture(item.source, pixels, width, height, (*notes, *warning.of_pixels(pixels)))


def _decode(source: str, data: Any, settings: Settings) -> Image.Image:
    """An upright RGB image, 8 bits a channel, at its own size."""
    try:
        if isinstance(data, Image.Image):
            return _to_rgb(source, data, settings)
        with _open(source, data) as image:
            return _to_rgb(source, image, settings)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(
            f"{source} - not a picture in a format Pillow knows - give JPEG, PNG, WebP, TIFF, BMP, "
            f"GIF or AVIF"
        ) from None
    except Image.DecompressionBombError:
        raise PictureError(_too_large(source, "more pixels than Pillow's own limit")) from None
    except Exception as error:  # decoders raise anything on damaged files
        raise PictureError(
            f"{source} - cannot be decoded ({error or type(error).__name__}) - the file is damaged "
            f"or cut short: fetch it again"
        ) from error


def _open(source: str, data: Any) -> Image.Image:
    if isinstance(data, str | os.PathLike):
        path = Path(data)
        if not path.exists():
            raise PictureError(f"{source} - there is no such file - check the path")
        if path.is_dir():
            raise PictureError(f"{source} - this is a folder - score its pictures one by one")
        if path.stat().st_size == 0:
            raise PictureError(f"{source} - the file is empty (0 bytes) - fetch it again")
        file: Path | io.BytesIO = path
    else:
        file = io.BytesIO(data)
    with warnings.catch_warnings():
        # the limit is our own, on the header; Pillow's global one is left as it is
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(file)


def _to_rgb(source: str, image: Image.Image, settings: Settings) -> Image.Image:
    if image.width * image.height > settings.max_decode_pixels:
        raise PictureError(_too_large(source, f"{image.width}x{image.height}"))
    if settings.protocol == "paper":
        return image.convert("RGB")
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode in _SIXTEEN_BITS:
        deep = np.asarray(image).astype(np.int64).clip(0, 65535)
        image = Image.fromarray(((deep * 255 + 32767) // 65535).astype(np.uint8))
        profile = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    return _to_srgb(image, profile).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB; an embedded profile that does not fit it is passed over."""
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(
            image, own, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted or image


def _scaled(image: Image.Image, settings: Settings) -> Image.Image:
    """The image at the size it is scored at."""
    size = settings.resize
    if size is None and settings.protocol == "photo" and settings.max_pixels is not None:
        factor = math.sqrt(settings.max_pixels / (image.width * image.height))
        if factor < 1:
            size = (
                max(1, round(image.width * factor)),
                max(1, round(image.height * factor)),
            )
    if size is None or size == image.size:
        return image
    return image.resize(size, Image.Resampling.BICUBIC)


def _from_array(source: str, data: Any) -> Pixels:
    """(H, W, 3) uint8, or float32 in 0..255, of an array or tensor."""
    tensor = hasattr(data, "detach")  # torch's, without importing it
    array = np.asarray(data.detach().cpu() if tensor else data)
    layout = "(3, H, W)" if tensor else "(H, W, 3)"
    if tensor and array.ndim == 3:
        array = np.moveaxis(array, 0, -1)
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise PictureError(
            f"{source} - got an array of shape {np.shape(data)} - give {layout}, or grey (H, W)"
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f":
        raise PictureError(
            f"{source} - got an array of {array.dtype} - give uint8 (0..255) or floats (0..1)"
        )
    if not np.isfinite(array).all():
        raise PictureError(f"{source} - holds NaN or infinite pixels - mend or drop the picture")
    if array.min() < 0 or array.max() > 1:
        raise PictureError(
            f"{source} - got floats in {array.min():.4g}..{array.max():.4g} - give floats in 0..1, "
            f"or uint8"
        )
    return array.astype(np.float32) * np.float32(255)


def _resized_array(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    if pixels.dtype == np.uint8:
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))
    channels = [
        Image.fromarray(pixels[:, :, channel]).resize(size, Image.Resampling.BICUBIC)
        for channel in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2).clip(0, 255)


def _too_large(source: str, got: str) -> str:
    return (
        f"{source} - {got} is over the limit on decoding - raise Settings.max_decode_pixels if "
        f"you trust the file"
    )
