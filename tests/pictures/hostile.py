"""Files by the byte: small writers of PNG and TIFF, and a folder of files that mean harm."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

Entry = tuple[int, Sequence[int]]  # TIFF type (1 bytes, 3 short, 4 long) and values


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int,
    height: int,
    rows: bytes,
    *,
    depth: int = 8,
    colour: int = 2,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """A PNG of rows that each begin with a filter byte; chunks before and after the pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = before + png_chunk(b"IDAT", zlib.compress(rows, 9)) + after
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


def tiff(
    width: int,
    height: int,
    pixels: bytes,
    bits: Sequence[int],
    photometric: int,
    more: Mapping[int, Entry] | None = None,
    next_directory: int = 0,
) -> bytes:
    """A little-endian TIFF of one uncompressed strip; `more` adds tags or replaces them."""
    tags: dict[int, Entry] = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, bits),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [8]),
        277: (3, [len(bits)]),
        278: (4, [height]),
        279: (4, [len(pixels)]),
        **(more or {}),
    }
    if 324 in tags:  # tiles take the place of strips
        tags = {tag: entry for tag, entry in tags.items() if tag not in (273, 278, 279)}
    directory = 8 + len(pixels) + len(pixels) % 2
    beyond = directory + 2 + 12 * len(tags) + 4
    entries = heap = b""
    for tag, (kind, values) in sorted(tags.items()):
        data = struct.pack(f"<{len(values)}{ {1: 'B', 3: 'H', 4: 'I'}[kind] }", *values)
        place = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", beyond + len(heap))
        heap += data + bytes(len(data) % 2) if len(data) > 4 else b""
        entries += struct.pack("<HHI", tag, kind, len(values)) + place
    counted = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_directory)
    start = struct.pack("<2sHI", b"II", 42, directory) + pixels + bytes(len(pixels) % 2)
    return start + counted + heap


SIDE = 64
UNKNOWN = "not a picture in a format Pillow knows and magiqa reads - give"
DAMAGED = r"cannot be decoded \(.+\) - the file is damaged or cut short: fetch it again"
LARGE = "over (the|Pillow's own) limit on decoding - scale it down, or( in Python)? raise"
CUT = f"{UNKNOWN}|{DAMAGED}"

Outcome = str | tuple[int, int]
"""What the error says, or the width and height of what a file decodes to all the same."""


def samples() -> dict[str, bytes]:
    """A sound picture of 64x64 in every format and most ways to compress it."""
    across, down = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    busy = np.stack([across * 4, down * 4, (across * down) % 256], axis=2).astype(np.uint8)
    image, heic = Image.fromarray(busy), io.BytesIO()
    pillow_heif.from_pillow(image).save(heic, quality=50)
    options: dict[str, tuple[str, dict[str, Any]]] = {
        "baseline.jpg": ("JPEG", {"quality": 90}),
        "progressive.jpg": ("JPEG", {"progressive": True}),
        "plain.png": ("PNG", {}),
        "lossy.webp": ("WEBP", {}),
        "lossless.webp": ("WEBP", {"lossless": True}),
        "plain.tif": ("TIFF", {}),
        "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
        "deflate.tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
        "jpeg.tif": ("TIFF", {"compression": "jpeg"}),
        "plain.bmp": ("BMP", {}),
        "plain.gif": ("GIF", {}),
        "plain.avif": ("AVIF", {}),
        "plain.ppm": ("PPM", {}),
    }
    made = {name: saved(image, kind, **how) for name, (kind, how) in options.items()}
    return {**made, "plain.heic": heic.getvalue()}


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def folder() -> dict[str, tuple[bytes, Outcome]]:
    """Name -> what the file holds and what reading it must come to."""
    good = samples()
    return {
        **_cut(good),
        **_pngs(good),
        **_jpegs(good),
        **_tiffs(),
        **_others(good),
        **strange(),
    }


def _cut(good: Mapping[str, bytes]) -> dict[str, tuple[bytes, Outcome]]:
    """Every sample cut after 16 bytes, a third and nine tenths."""
    return {
        f"cut-at-{length}-{name}": (data[:length], CUT)
        for name, data in good.items()
        for length in (16, len(data) // 3, len(data) * 9 // 10)
    }


def _pngs(good: Mapping[str, bytes]) -> dict[str, tuple[bytes, Outcome]]:
    row = b"\0" + bytes(3 * SIDE)
    zeros = zlib.compress(bytes(300_000_000), 9)
    text = png_chunk(b"zTXt", b"note\0\0" + zeros)
    many = png_chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(1_000_000), 9)) * 100
    profile = png_chunk(b"iCCP", b"ICC\0\0" + zeros)
    plain = good["plain.png"]
    return {
        "huge-header.png": (png(60_000, 60_000, row), LARGE),
        "widest-header.png": (png(2**31 - 1, 1, row), LARGE),
        "over-the-limit-by-a-row.png": (png(13_378, 13_378, row), LARGE),
        "promises-13000-rows.png": (png(13_000, 13_000, row), DAMAGED),
        "zero-wide.png": (png(0, SIDE, row), CUT),
        "zero-high.png": (png(SIDE, 0, row), CUT),
        "side-over-31-bits.png": (png(2**32 - 1, 2**32 - 1, row), LARGE),
        "no-such-depth.png": (png(SIDE, SIDE, row * SIDE, depth=7), CUT),
        "no-such-filter.png": (png(SIDE, SIDE, (b"\x09" + row[1:]) * SIDE), DAMAGED),
        "pixels-bomb.png": (png(SIDE, SIDE, bytes(200_000_000)), (SIDE, SIDE)),
        "text-bomb.png": (png(SIDE, SIDE, row * SIDE, before=text), CUT),
        "text-bomb-after.png": (png(SIDE, SIDE, row * SIDE, after=text), CUT),
        "hundred-texts.png": (png(SIDE, SIDE, row * SIDE, before=many), CUT),
        "profile-bomb.png": (png(SIDE, SIDE, row * SIDE, before=profile), CUT),
        "profile-garbage.png": (
            png(SIDE, SIDE, row * SIDE, before=png_chunk(b"iCCP", b"a\0\0" + zlib.compress(b"b"))),
            (SIDE, SIDE),
        ),
        "palette-missing.png": (png(SIDE, SIDE, bytes(65) * SIDE, colour=3), (SIDE, SIDE)),
        "wrong-checksum.png": (plain[:29] + b"\0\0\0\0" + plain[33:], CUT),
        "chunk-of-4-gigabytes.png": (plain[:33] + b"\xff\xff\xff\xfftEXt" + plain[41:], CUT),
        "thousands-of-chunks.png": (
            png(SIDE, SIDE, row * SIDE, before=png_chunk(b"tEXt", b"a\0b") * 20_000),
            (SIDE, SIDE),
        ),
        "no-pixels.png": (plain[:33] + png_chunk(b"IEND", b""), CUT),
        "signature-alone.png": (plain[:8], CUT),
        "frames-promised.png": (
            png(SIDE, SIDE, row * SIDE, before=png_chunk(b"acTL", b"\xff" * 8)),
            (SIDE, SIDE),
        ),
    }


def _jpegs(good: Mapping[str, bytes]) -> dict[str, tuple[bytes, Outcome]]:
    plain, slow = good["baseline.jpg"], good["progressive.jpg"]
    frame = plain.index(b"\xff\xc0")
    tables = plain.index(b"\xff\xc4")
    scan = plain.index(b"\xff\xda")
    table = plain[tables : tables + 2 + int.from_bytes(plain[tables + 2 : tables + 4], "big")]
    last = slow[slow.rindex(b"\xff\xda") : -2]

    def sides(height: int, width: int) -> bytes:
        return plain[: frame + 5] + struct.pack(">HH", height, width) + plain[frame + 9 :]

    return {
        "widest.jpg": (sides(65_535, 65_535), LARGE),
        "promises-5000-rows.jpg": (sides(5_000, 5_000), (5_000, 5_000)),
        "zero-wide.jpg": (sides(SIDE, 0), CUT),
        "zero-high.jpg": (sides(0, SIDE), CUT),
        "tables-again-and-again.jpg": (
            plain[:tables] + table * 5_000 + plain[tables:],
            (SIDE, SIDE),
        ),
        "thousand-scans.jpg": (slow[:-2] + last * 1_000 + b"\xff\xd9", (SIDE, SIDE)),
        "scan-without-tables.jpg": (plain[:tables] + plain[scan:], (SIDE, SIDE)),
        "no-scan.jpg": (plain[:scan] + b"\xff\xd9", CUT),
        "ends-early.jpg": (plain[: scan + 300] + b"\xff\xd9", (SIDE, SIDE)),
        "restart-markers.jpg": (plain[: scan + 100] + b"\xff\xd0" * 5_000, (SIDE, SIDE)),
        "segment-past-the-end.jpg": (b"\xff\xd8\xff\xe1\xff\xff" + plain[2:400], CUT),
        "exif-loop.jpg": (
            plain[:2] + _segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0") + plain[2:],
            (SIDE, SIDE),
        ),
        "profile-in-256-parts.jpg": (
            plain[:2]
            + b"".join(
                _segment(0xE2, b"ICC_PROFILE\0" + bytes([part, 255]) + bytes(5_000))
                for part in range(256)
            )
            + plain[2:],
            (SIDE, SIDE),
        ),
        "mpo-index-garbage.jpg": (
            plain[:2] + _segment(0xE2, b"MPF\0" + b"\xff" * 40) + plain[2:],
            (SIDE, SIDE),
        ),
        "start-alone.jpg": (b"\xff\xd8\xff", CUT),
        "ff-without-end.jpg": (b"\xff\xd8" + b"\xff" * 1_000_000, CUT),
    }


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _tiffs() -> dict[str, tuple[bytes, Outcome]]:
    pixels = bytes(SIDE * SIDE)

    def grey(more: Mapping[int, Entry], side: int = SIDE, next_directory: int = 0) -> bytes:
        return tiff(side, side, pixels, [8], 1, more, next_directory)

    looping = grey({}, next_directory=8 + len(pixels))
    return {
        "loop.tif": (looping, (SIDE, SIDE)),
        "loop-of-subdirectories.tif": (
            grey({330: (4, [8 + len(pixels)] * 50), 34_665: (4, [8 + len(pixels)])}),
            (SIDE, SIDE),
        ),
        "huge.tif": (grey({}, 2**31 - 1), LARGE),
        "zero.tif": (grey({}, 0), CUT),
        "strip-past-the-end.tif": (grey({273: (4, [2**31])}), DAMAGED),
        "strip-shorter-than-said.tif": (grey({}, 512), DAMAGED),
        "hundred-thousand-strips.tif": (
            grey({273: (4, [8] * 100_000), 279: (4, [1] * 100_000), 278: (4, [1])}),
            (SIDE, SIDE),
        ),
        "huge-tile.tif": (
            grey({322: (4, [2**30]), 323: (4, [2**30]), 324: (4, [8]), 325: (4, [4096])}),
            CUT,
        ),
        "zero-rows-a-strip.tif": (grey({278: (4, [0])}), CUT),
        "no-such-compression.tif": (grey({259: (3, [65_000])}), CUT),
        "lzw-of-nothing.tif": (grey({259: (3, [5])}), DAMAGED),
        "deflate-of-nothing.tif": (grey({259: (3, [8])}), DAMAGED),
        "no-such-bits.tif": (grey({258: (3, [77])}), CUT),
        "thousand-channels.tif": (grey({277: (3, [1_000])}), CUT),
        "directory-past-the-end.tif": (b"II*\0" + b"\xff\xff\xff\x7f", CUT),
        "directory-of-65535.tif": (b"II*\0\x08\0\0\0\xff\xff" + bytes(100), CUT),
        "no-directory.tif": (b"II*\0\0\0\0\0", CUT),
        "profile-of-a-wrong-type.tif": (grey({34_675: (4, [7])}), (SIDE, SIDE)),
    }


def _others(good: Mapping[str, bytes]) -> dict[str, tuple[bytes, Outcome]]:
    bmp, webp = good["plain.bmp"], good["lossy.webp"]
    avif, heic = good["plain.avif"], good["plain.heic"]

    def bmp_sides(width: int, height: int) -> bytes:
        return bmp[:18] + struct.pack("<ii", width, height) + bmp[26:]

    run = struct.pack("<IiiHHIIiiII", 40, 13_000, 13_000, 1, 8, 1, 0, 0, 0, 256, 0)
    run_length = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 1078) + run + bytes(1024)
    screen = struct.pack("<6sHHBBB", b"GIF89a", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    small = struct.pack("<6sHHBBB", b"GIF89a", 1, 1, 0x80, 0, 0) + bytes(6)
    return {
        "huge.bmp": (bmp_sides(2**31 - 1, 2**31 - 1), LARGE),
        "negative-width.bmp": (bmp_sides(-SIDE, SIDE), LARGE),
        "lowest-height.bmp": (bmp_sides(SIDE, -(2**31)), LARGE),
        "zero.bmp": (bmp_sides(0, 0), CUT),
        "pixels-past-the-end.bmp": (bmp[:10] + b"\xff\xff\xff\x7f" + bmp[14:], DAMAGED),
        "run-length-of-13000-rows.bmp": (run_length + b"\xff\x01" * 100 + b"\0\x01", DAMAGED),
        "no-such-header.bmp": (bmp[:14] + b"\x63\0\0\0" + bmp[18:], CUT),
        "huge-screen-tiny-frame.gif": (screen + frame + b";", LARGE),
        "frame-beyond-the-screen.gif": (
            small + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;",
            LARGE,
        ),
        "no-frame.gif": (small + b";", CUT),
        "blocks-without-end.gif": (small + b"!\xfe" + b"\xff" * 1_000_000, CUT),
        "comments-without-end.gif": (small + b"!\xfe\x01a\0" * 200_000, CUT),
        "hundred-thousand-frames.gif": (small + frame * 100_000 + b";", (1, 1)),
        "no-such-code-size.gif": (small + b",\0\0\0\0\x01\0\x01\0\0\xff\x02D\x01\0;", DAMAGED),
        "zero-screen.gif": (struct.pack("<6sHHBBB", b"GIF89a", 0, 0, 0, 0, 0) + b";", CUT),
        "lying-length.webp": (webp[:4] + b"\xff\xff\xff\x7f" + webp[8:], CUT),
        "lying-chunk.webp": (webp[:16] + b"\xff\xff\xff\x7f" + webp[20:], CUT),
        "huge-canvas.webp": (
            b"RIFF"
            + struct.pack("<I", 22 + len(webp) - 8)
            + b"WEBPVP8X\x0a\0\0\0"
            + bytes(4)
            + b"\xff" * 6
            + webp[12:],
            f"{CUT}|{LARGE}",
        ),
        "sides-swapped-for-others.avif": (_lying_sides(avif, 60_000), CUT),
        "box-of-nothing.avif": (avif[:36] + bytes(4) + avif[40:], CUT),
        "zero-sides.avif": (_lying_sides(avif, 0), CUT),
        "sides-swapped-for-others.heic": (_lying_sides(heic, 60_000), f"{CUT}|{LARGE}"),
        "zero-sides.heic": (_lying_sides(heic, 0), CUT),
        "brand-alone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", CUT),
        "huge.ppm": (b"P6 99999 99999 255\n", LARGE),
        "zero.ppm": (b"P6 0 0 255\n", CUT),
        "negative.ppm": (b"P6 -5 -5 255\n", CUT),
        "number-without-end.ppm": (b"P6 " + b"9" * 1_000_000, CUT),
        "comment-without-end.ppm": (b"P6 #" + b"a" * 1_000_000, CUT),
        "text-of-too-few.ppm": (b"P3 64 64 255\n1 2 3", DAMAGED),
    }


def _lying_sides(data: bytes, side: int) -> bytes:
    """Width and height in the file's `ispe` boxes replaced; the coded picture stays."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", side, side) + data[at + 8 :]


def strange() -> dict[str, tuple[bytes, Outcome]]:
    """What no picture is, or none that is read here; some formats would run a program."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", b"no picture")
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n"
    picture = Image.new("RGB", (SIDE, SIDE))
    return {
        "empty.jpg": (b"", r"the file is empty \(0 bytes\) - fetch it again"),
        "nulls.jpg": (bytes(100_000), UNKNOWN),
        "text.jpg": (b"no picture at all", UNKNOWN),
        "page.jpg": (b"<!doctype html><title>404</title>", UNKNOWN),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9"/>', UNKNOWN),
        "archive.png": (archive.getvalue(), UNKNOWN),
        "postscript.jpg": (postscript, UNKNOWN),
        "document.pdf": (b"%PDF-1.7\n", UNKNOWN),
        "program.png": (b"\x7fELF\x02\x01\x01" + bytes(100), UNKNOWN),
        "jpeg2000.jpg": (saved(picture, "JPEG2000"), UNKNOWN),
        "icon.ico": (saved(picture, "ICO"), UNKNOWN),
        "targa.tga": (saved(picture, "TGA"), UNKNOWN),
        "photoshop.psd": (b"8BPS\0\x01" + bytes(6) + struct.pack(">HII", 3, 64, 64), UNKNOWN),
        "fits.fits": (b"SIMPLE  =                    T".ljust(2880), UNKNOWN),
        "metafile.wmf": (b"\xd7\xcd\xc6\x9a" + bytes(100), UNKNOWN),
        "film.mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", UNKNOWN),
    }
