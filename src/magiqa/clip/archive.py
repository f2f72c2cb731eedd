"""PyTorch's `.pt` archives, read with numpy alone: nothing in them is ever run.

Two kinds, both zip files whose members are stored uncompressed: `torch.save` of a state dict, and
TorchScript (`torch.jit.save`; OpenAI's released CLIP files). In both, `data.pkl` tells the name,
shape and place of each tensor and `data/N` holds the bytes of one storage.
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magiqa.clip.architecture import Shape
from magiqa.clip.pickled import UNDAMAGED, Refused, Tensor, named_tensors
from magiqa.clip.towers import Floats
from magiqa.errors import WeightsError

_ZIP = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"  # torch.save before 1.6: its magic number

_LONGEST_READ = 4 << 20  # bytes of a zip directory or data.pkl; RN50's are a thirtieth of that
_MOST_DIMENSIONS = 32  # numpy 1's limit
_MOST_ELEMENTS = 1 << 40  # of an empty tensor, its zero sides left out: else numpy overflows


def is_archive(path: str | os.PathLike[str]) -> bool:
    """Whether a file's first bytes are those of a `.pt` file, whatever its name.

    True as well for the format from before PyTorch 1.6, which `Archive` refuses by name.
    """
    with _opened(path) as file:
        return file.read(len(_LEGACY)).startswith((_ZIP, _LEGACY))


class Archive:
    """The tensors of one `.pt` file by their dotted names, read one at a time.

    Opening reads the zip directory and `data.pkl` and checks every tensor's place; the file stays
    closed between reads. TorchScript tells tensor attributes from buffers in its code alone, so
    both are listed. Every method raises WeightsError for what cannot be trusted.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises WeightsError when the file is damaged, hostile or of another format."""
        self.path = Path(path)
        self._members: dict[str, _Member] = {}  # by parameter
        with _opened(self.path) as file:
            directory = _directory(file)
            roots = [name[:-9] for name in directory if re.fullmatch(r"[^/]+/data\.pkl", name)]
            if len(roots) != 1:
                mend = "give a .pt file of torch.save or torch.jit.save, or safetensors"
                raise Refused(f"is a zip file with {len(roots)} members NAME/data.pkl", mend)
            root = roots[0]
            if f"{root}/byteorder" in directory:  # PyTorch before 2.1 wrote none
                order = _read(file, _find(file, directory, f"{root}/byteorder")).tobytes()
                if order != b"little":
                    mend = "load it with torch and save it as safetensors"
                    raise Refused(f"its byteorder is {order[:9]!r}, only b'little' is read", mend)
            program = _read(file, _find(file, directory, f"{root}/data.pkl")).tobytes()
            self._tensors: dict[str, Tensor] = named_tensors(program)
            for name, tensor in self._tensors.items():
                member = _find(file, directory, f"{root}/data/{tensor.key}", f"parameter {name}: ")
                _check(name, tensor, member.size)
                self._members[name] = member

    def shapes(self) -> dict[str, Shape]:
        """Name -> shape of every tensor."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def dtype(self, name: str) -> str:
        """What a tensor is stored as: "float16", "bfloat16", "int64", ..."""
        if name not in self._tensors:
            raise WeightsError(f"{self.path} - holds no parameter {name} - {UNDAMAGED}")
        return self._tensors[name].dtype

    def read(self, name: str) -> Floats:
        """One tensor of floats, widened or narrowed to float32, contiguous."""
        dtype = self.dtype(name)
        if dtype not in ("float64", "float32", "float16", "bfloat16"):
            mend = "save the checkpoint in float32, float16 or bfloat16"
            raise WeightsError(f"{self.path} - parameter {name} is stored as {dtype} - {mend}")
        tensor = self._tensors[name]
        if 0 in tensor.shape:
            return np.zeros(tensor.shape, np.float32)
        width = tensor.stored_as.itemsize
        with _opened(self.path) as file:
            raw = _read(file, self._members[name], tensor.offset * width, tensor.end * width)
        strides = [step * width if side > 1 else 0 for side, step in tensor.axes]
        values = np.ndarray(tensor.shape, tensor.stored_as, raw.data, 0, strides)
        if dtype == "bfloat16":  # the upper half of a float32
            wide = values.astype("<u4", order="C")
            wide <<= 16
            values = wide.view("<f4")
        with np.errstate(over="ignore", invalid="ignore"):  # float64 may become infinite
            return values.astype(np.float32, order="C", copy=False)


_Directory = dict[str, zipfile.ZipInfo]


class _Reader(io.BufferedReader):
    """A file of which zipfile may read no directory longer than a checkpoint's."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LONGEST_READ:
            raise Refused(f"its zip directory takes {size} bytes, too many")
        return super().read(size)

    @property
    def size(self) -> int:
        return os.fstat(self.fileno()).st_size


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[_Reader]:
    try:
        with _Reader(io.FileIO(path)) as file:
            yield file
    except Refused as refusal:
        raise WeightsError(f"{path} - {refusal}") from refusal
    except OSError as error:
        raise WeightsError(f"{path} - cannot be read ({error.strerror}) - {UNDAMAGED}") from error


@dataclass(frozen=True, slots=True)
class _Member:
    """Where the bytes of one stored member are."""

    name: str
    start: int
    size: int
    checksum: int


def _directory(file: _Reader) -> _Directory:
    head = file.read(len(_LEGACY))
    if head == _LEGACY:
        mend = "load it with torch (weights_only=True) and save it as safetensors"
        raise Refused("is in PyTorch's format from before 1.6, a pickle and no zip file", mend)
    if not head.startswith(_ZIP):
        raise Refused(f"is no zip file: it begins with {head[:4]!r}")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except Refused:
        raise
    except Exception as error:  # struct.error, UnicodeDecodeError, NotImplementedError, ...
        raise Refused(f"is a damaged or cut zip file ({error})") from error
    directory = {entry.filename: entry for entry in entries}
    if len(directory) != len(entries):
        raise Refused("has two members of the same name")
    return directory


def _find(file: _Reader, directory: _Directory, name: str, user: str = "") -> _Member:
    """A member by name, its place checked; `user` begins what is said otherwise."""
    entry = directory.get(name)
    if entry is None:
        raise Refused(f"{user}member {name} is missing")
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        mend = "give the file as torch wrote it, with members stored plainly"
        raise Refused(f"{user}member {name} is compressed or encrypted", mend)
    begin = entry.header_offset
    file.seek(begin if 0 <= begin < file.size else 0)
    header = file.read(30)  # a local header up to the member's name
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = begin + 30 + lengths
    inside = begin >= 0 and start + entry.file_size <= file.size
    if not header.startswith(_ZIP) or entry.compress_size != entry.file_size or not inside:
        raise Refused(f"{user}member {name} is not where the zip directory says")
    return _Member(name, start, entry.file_size, entry.CRC)


def _read(file: _Reader, member: _Member, begin: int = 0, end: int | None = None) -> NDArray[Any]:
    """Bytes begin..end of a storage, or a small member; all of one must match its checksum."""
    if end is None and member.size > _LONGEST_READ:
        raise Refused(f"member {member.name} has {member.size} bytes, too many")
    raw = np.empty((member.size if end is None else end) - begin, np.uint8)
    file.seek(member.start + begin)
    if file.readinto(raw.data) != raw.size:
        raise Refused(f"member {member.name} was cut since the file was opened")
    # torch writes a checksum of 0 when told to leave it out (set_crc32_options)
    if raw.size == member.size and member.checksum not in (0, zlib.crc32(raw.data)):
        raise Refused(f"member {member.name} does not match its checksum")
    return raw


def _check(name: str, tensor: Tensor, size: int) -> None:
    """Refuse a view that its storage of `size` bytes cannot give."""
    offset, shape, strides, held = tensor.offset, tensor.shape, tensor.strides, tensor.storage
    if held.elements * tensor.stored_as.itemsize != size:
        count = f"{held.elements} {tensor.dtype}"
        raise Refused(f"parameter {name}: its storage has {size} bytes, which are not {count}")
    possible = all(type(n) is int and 0 <= n < 1 << 63 for n in (offset, *shape, *strides))
    if not possible or len(shape) != len(strides) or len(shape) > _MOST_DIMENSIONS:
        raise Refused(f"parameter {name}: impossible offset, shape or strides")
    view = f"shape {shape} with strides {strides} from {offset} on"
    if tensor.end > held.elements or math.prod(n or 1 for n in shape) > _MOST_ELEMENTS:
        raise Refused(f"parameter {name}: {view} reaches outside {held.elements} elements")
    if math.prod(shape) > held.elements:
        mend = "save it .contiguous()"
        raise Refused(f"parameter {name}: {view} repeats {held.elements} elements", mend)
