"""Whatever holds a picture -> upright RGB pixels, under the protocol of the settings."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from magiqa.errors import PictureError
from magiqa.pictures import warning
from magiqa.records import Item, Picture
from magiqa.settings import Settings

Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

BAND = 256  # rows that leave Pillow at once, which holds four bytes for a pixel and copies freely
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP", "TIFF", "AVIF")  # as Pillow names them
HEVC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")  # more than 8 bits, always grey
ORIENTATION = 0x0112  # EXIF tag
NOT_FINITE = "holds NaN or infinite pixels - mend or drop the picture"
STORED: dict[int, Callable[[Pixels], Pixels]] = {
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.swapaxes(0, 1),
    6: lambda upright: upright.swapaxes(0, 1)[::-1],
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
    8: lambda upright: upright.swapaxes(0, 1)[:, ::-1],
}
"""EXIF orientation -> a view of upright pixels in the order in which the file stores them."""


def read(item: Item, settings: Settings) -> Picture:
    """Read an item's data: a path, encoded bytes, a PIL image, an array or a torch tensor.

    Arrays are (H, W, 3) or grey (H, W), uint8 or float in 0..1; tensors (3, H, W), likewise. They
    are resized only by `settings.resize`. A format is recognised by content, never by name; those
    read are FORMATS and, with the extra "files", HEIC. Raises PictureError.
    """
    try:
        return _read(item, settings)
    except MemoryError as error:
        raise PictureError(
            f"{item.source} - needs more memory than there is - score a smaller copy of it"
        ) from error


def leave_limit_to_settings() -> None:
    """Switch Pillow's own limit on pixels off, in a process that is ours alone."""
    Image.MAX_IMAGE_PIXELS = None


def _read(item: Item, settings: Settings) -> Picture:
    data = item.data
    encoded = isinstance(data, str | os.PathLike | bytes | bytearray | memoryview | Image.Image)
    pixels = _decoded(item.source, data, settings) if encoded else _from_array(item.source, data)
    height, width = pixels.shape[:2]
    size, notes = settings.resize, []
    if size is None and encoded and settings.protocol == "photo":
        size = _within(settings.max_pixels, width, height)
        notes = ["downscaled"] if size not in (None, (width, height)) else []
    if size is not None and size != (width, height):
        pixels = _resized(pixels, size)
    return Picture(item.source, pixels, width, height, (*notes, *warning.of_pixels(pixels)))


def _decoded(source: str, data: Any, settings: Settings) -> Pixels:
    """Upright RGB pixels of an encoded picture or a PIL image, at its own size."""
    try:
        with warnings.catch_warnings():
            # what a decoder finds odd is its own affair; the limit on pixels is ours, below
            warnings.simplefilter("ignore")
            if isinstance(data, Image.Image):
                return _pixels(source, data, settings)
            with _file(source, data) as file, _open(source, file) as image:
                return _pixels(source, image, settings)
    except (PictureError, MemoryError):
        raise
    except UnidentifiedImageError:
        raise PictureError(
            f"{source} - not a picture in a format Pillow knows and magiqa reads - give JPEG, PNG, "
            f"WebP, TIFF, BMP, GIF, AVIF, PPM or HEIC"
        ) from None
    except Image.DecompressionBombError:
        raise PictureError(
            f"{source} - over Pillow's own limit on decoding - scale it down, or raise "
            f"PIL.Image.MAX_IMAGE_PIXELS and Settings.max_decode_pixels if you trust the file"
        ) from None
    except Exception as error:  # decoders raise anything on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(
            f"{source} - cannot be decoded ({reason}) - the file is damaged or cut short: fetch it "
            f"again"
        ) from error


def _file(source: str, data: Any) -> IO[bytes]:
    if not isinstance(data, str | os.PathLike):
        return io.BytesIO(data)
    path = Path(data)
    try:
        if not path.exists():
            raise PictureError(f"{source} - there is no such file - check the path")
        if not path.is_file():
            raise PictureError(f"{source} - not a file but a folder or a device - name a picture")
        if path.stat().st_size == 0:
            raise PictureError(f"{source} - the file is empty (0 bytes) - fetch it again")
        return path.open("rb")
    except OSError as error:
        raise PictureError(
            f"{source} - cannot be opened ({error.strerror}) - check the path and its permissions"
        ) from None


def _open(source: str, file: IO[bytes]) -> Image.Image:
    """Pillow's image of a file, by content. Other formats are never tried: some run programs."""
    box = file.read(64)
    end = min(int.from_bytes(box[:4], "big"), len(box))
    brands = [box[at : at + 4] for at in range(8, end, 4)]
    if box[4:8] != b"ftyp" or not any(brand in HEVC_BRANDS for brand in brands):
        return Image.open(file, formats=FORMATS)
    try:
        from pillow_heif import HeifImageFile  # its opener need not be registered for everyone
    except ImportError:
        raise PictureError(
            f"{source} - a HEIC picture, which takes pillow-heif - pip install 'magiqa[files]'"
        ) from None
    file.seek(0)
    image: Image.Image = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return image


def _pixels(source: str, image: Image.Image, settings: Settings) -> Pixels:
    if image.width * image.height > settings.max_decode_pixels:
        raise PictureError(
            f"{source} - {image.width}x{image.height} is over the limit on decoding - scale it "
            f"down, or in Python raise Settings.max_decode_pixels if you trust the file"
        )
    if 0 in image.size:
        raise PictureError(
            f"{source} - {image.width}x{image.height}, so it has no pixels - give one that has"
        )
    image.load()  # first, because it turns a TIFF upright, and a PNG may end with its EXIF data
    photo = settings.protocol == "photo"
    orientation = _orientation(image) if photo else 1
    convert = _photo_rgb(source, image) if photo else _converted
    sides = image.size if orientation > 4 else image.size[::-1]
    pixels: Pixels = np.moveaxis(np.empty((3, *sides), np.uint8), 0, -1)
    stored = STORED[orientation](pixels) if orientation in STORED else pixels
    for top in range(0, image.height, BAND):
        bottom = min(top + BAND, image.height)
        band = image.crop((0, top, image.width, bottom))
        if image.mode == "F" and not np.isfinite(np.asarray(band)).all():
            raise PictureError(f"{source} - {NOT_FINITE}")
        stored[top:bottom] = np.asarray(convert(band))
    return pixels


def _orientation(image: Image.Image) -> int:
    """How the file stores the picture, 1..8; 1 where it says nothing or nonsense."""
    try:
        orientation = int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data are no reason to lose a picture
        return 1
    return orientation if orientation in STORED else 1


def _converted(band: Image.Image, mode: str = "RGB") -> Image.Image:
    return band if band.mode == mode else band.convert(mode)


def _photo_rgb(source: str, image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What turns a band of this image into sRGB of 8 bits: depth, profile, transparency."""
    grey = image.mode in ("1", "L", "LA", "La", *DEEP)
    mode = "L" if grey else "CMYK" if image.mode == "CMYK" else "RGB"
    to_srgb = _srgb_transform(image.info.get("icc_profile"), mode)

    def convert(band: Image.Image) -> Image.Image:
        band = band.convert("LA") if band.mode == "La" else band
        opacity = _opacity(band) if band.has_transparency_data else None
        colours = _eight_bits(source, band) if band.mode in DEEP else _converted(band, mode)
        if to_srgb is not None:
            colours = ImageCms.applyTransform(colours, to_srgb) or colours
        rgb = _converted(colours)
        if opacity is None:
            return rgb
        return Image.composite(rgb, Image.new("RGB", rgb.size, "white"), opacity)

    return convert


def _opacity(band: Image.Image) -> Image.Image:
    if band.mode not in DEEP:
        return band.convert("RGBA").getchannel("A")
    opaque = np.asarray(band) != band.info["transparency"]  # Pillow would compare clipped values
    return Image.fromarray(opaque.astype(np.uint8) * 255)


def _eight_bits(source: str, band: Image.Image) -> Image.Image:
    """Grey of 0..65535, or of floats in 0..1, rounded to 8 bits."""
    deep = np.asarray(band)
    top = 1 if band.mode == "F" else 65535
    low, high = deep.min(), deep.max()
    if low < 0 or high > top:
        raise PictureError(
            f"{source} - holds values in {low:.6g}..{high:.6g}, beyond 0..{top} - save it with "
            f"8 or 16 bits a channel"
        )
    return Image.fromarray((deep * (255 / top) + 0.5).astype(np.uint8))


def _srgb_transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From an embedded profile to sRGB; None without one, or with one that does not fit."""
    if not profile:
        return None
    try:
        own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(own, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, TypeError):
        return None


def _within(max_pixels: int | None, width: int, height: int) -> tuple[int, int] | None:
    """The size, aspect kept, of a picture that has too many pixels; None when it has not."""
    if max_pixels is None or width * height <= max_pixels:
        return None
    factor = math.sqrt(max_pixels / (width * height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Pillow's bicubic, a channel at a time; floats are kept within 0..255."""
    channels = [
        np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.BICUBIC))
        for channel in np.moveaxis(pixels, -1, 0)
    ]
    resized = np.moveaxis(np.stack(channels), 0, -1)
    return resized if pixels.dtype == np.uint8 else resized.clip(0, 255)


def _from_array(source: str, data: Any) -> Pixels:
    """(H, W, 3) uint8, or float32 in 0..255, of an array or tensor."""
    if hasattr(data, "read"):
        raise PictureError(f"{source} - got an open file - give its path, or the bytes in it")
    tensor = hasattr(data, "detach")  # torch's, without importing it
    try:
        array = np.asarray(data.detach().cpu() if tensor else data)
    except (TypeError, ValueError) as error:  # lists of odd lengths; bfloat16, which numpy lacks
        raise PictureError(
            f"{source} - got {type(data).__name__} that is no array ({error}) - give an array of "
            f"uint8, or of float32 in 0..1"
        ) from error
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
        raise PictureError(f"{source} - {NOT_FINITE}")
    if array.min() < 0 or array.max() > 1:
        raise PictureError(
            f"{source} - got floats in {array.min():.4g}..{array.max():.4g} - give floats in 0..1, "
            f"or uint8"
        )
    return array.astype(np.float32) * np.float32(255)
