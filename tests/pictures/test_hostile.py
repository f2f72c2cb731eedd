"""Files that mean harm: a typed error or a sane picture, within bounds of time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image

from magiqa import Item, PictureError, Settings
from magiqa.pictures.decode import read
from pictures import hostile

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")

READ_ALL = """
import json, resource, sys, time
from pathlib import Path
from magiqa import Item, PictureError, Settings
from magiqa.pictures.decode import read

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
for path in sorted(Path(sys.argv[1]).iterdir()):
    for protocol in ("photo", "paper"):
        start = time.process_time()
        try:
            picture = read(Item(path.name, path), Settings(protocol=protocol))
            got = [picture.width, picture.height]
        except PictureError as error:
            got = str(error)
        print(json.dumps([path.name, protocol, got, time.process_time() - start]))
status = Path("/proc/self/status").read_text()
print(json.dumps(int(status.partition("VmHWM:")[2].split()[0]) / 1024))
"""


@LINUX
def test_the_hostile_folder(tmp_path: Path) -> None:
    folder = hostile.folder()
    assert len(folder) >= 60
    for name, (data, _) in folder.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-W", "error", "-c", READ_ALL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    *rows, peak = map(json.loads, done.stdout.splitlines())
    assert len(rows) == 2 * len(folder)
    wrong = [row for row in rows if not as_expected(row[0], row[2], folder[row[0]][1])]
    assert wrong == []
    assert [row for row in rows if row[3] > 3] == []  # seconds of a processor
    assert peak < 500  # MiB, in a process that may have 2048


def as_expected(name: str, got: Any, outcome: hostile.Outcome) -> bool:
    if isinstance(outcome, str):
        return isinstance(got, str) and bool(re.fullmatch(f"{name} - (.*({outcome}).*)", got))
    return bool(got == list(outcome))


@LINUX
def test_too_little_memory_is_a_picture_error() -> None:
    script = """
import resource, sys
from magiqa import Item, PictureError, Settings
from magiqa.pictures.decode import read
from pictures import hostile
from pathlib import Path

used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20),) * 2)
try:
    read(Item("it", hostile.png(13_000, 13_000, b"")), Settings())
except PictureError as error:
    print(error)
"""
    tests = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": tests},
    )
    wanted = "it - needs more memory than there is - score a smaller copy of it"
    assert done.stdout.strip() == wanted


MISSING = "it - there is no such file - check the path"
NO_FILE = "it - not a file but a folder or a device - name a picture"


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are POSIX's")
def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "broken.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "plain.jpg").write_bytes(b"GIF89a")
    told = {
        "folder.jpg": NO_FILE,
        "pipe.jpg": NO_FILE,
        "/dev/zero": NO_FILE,
        "broken.jpg": MISSING,
        "loop.jpg": MISSING,
        "plain.jpg/below.jpg": MISSING,
        "null\0byte.jpg": MISSING,
        "long" * 1000: r"it - (cannot be opened \(File name too long\) - |there is no such file)",
    }
    for name, text in told.items():
        with pytest.raises(PictureError, match=text):
            read(Item("it", tmp_path / name), Settings())


def test_a_file_that_may_not_be_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"locked")

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, who may open all
    text = r"it - cannot be opened \(Permission denied\) - check the path and its permissions"
    with pytest.raises(PictureError, match=text):
        read(Item("it", tmp_path / "a.jpg"), Settings())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are text")
def test_a_name_of_odd_bytes_is_read(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n\x01 %s{}.jpg")
    Path(name).write_bytes(hostile.samples()["plain.png"])
    assert read(Item("it", name), Settings()).width == hostile.SIDE


def test_postscript_never_reaches_ghostscript(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_: Any, **__: Any) -> None:
        raise AssertionError("a program was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", run)
    data, text = hostile.strange()["postscript.jpg"]
    Image.init()
    with pytest.raises(PictureError, match=str(text)):
        read(Item("it", data), Settings())


FUZZED = Settings(max_decode_pixels=1_000_000)  # so that lying sides cost little
FUZZED_PAPER = Settings(protocol="paper", max_decode_pixels=1_000_000)


@pytest.mark.parametrize("name", sorted(hostile.samples()))
def test_mutations_are_a_picture_or_a_picture_error(name: str) -> None:
    sound = hostile.samples()[name]
    draw, told = random.Random(name), list[str]()
    for turn in range(400):
        data = mutated(sound, draw)
        settings = FUZZED if turn % 2 else FUZZED_PAPER
        try:
            picture = read(Item("it", data), settings)
        except PictureError as error:
            told.append(str(error))
        else:
            assert picture.pixels.dtype == np.uint8
            assert picture.pixels.ndim == picture.pixels.shape[2] == 3
            assert picture.width * picture.height <= FUZZED.max_decode_pixels
    assert 40 < len(told) < 400  # some of both
    assert [text for text in told if not re.fullmatch("it - .+ - .+", text)] == []


def mutated(sound: bytes, draw: random.Random) -> bytes:
    """One to four changes, mostly near the start: bytes, extreme numbers, pieces moved or lost."""
    data = bytearray(sound)
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(draw.choice([64, 700, len(data)])) % len(data)
        length = draw.choice([1, 2, 4, 4, 16, 200])
        match draw.randrange(5):
            case 0:
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                data[at : at + length] = draw.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * length
            case 2:
                data[at : at + length] = draw.randbytes(length)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length] * draw.randint(1, 20)
        data = data or bytearray(b"\0")
    return bytes(data)


BEGINNINGS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\x00", b"P6 "]


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300))
@hypothesis_settings(max_examples=300, deadline=None)
def test_no_bytes_raise_anything_else(beginning: bytes, rest: bytes) -> None:
    with contextlib.suppress(PictureError):
        read(Item("it", beginning + rest), Settings())
