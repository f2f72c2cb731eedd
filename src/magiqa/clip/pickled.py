"""The tensors a PyTorch pickle describes, by name: read without running anything in it.

A pickle is a program for a small stack machine. Python's own imports and calls what the program
asks for, and even behind an allow-list it can be made to overflow the C stack (the hash of a
deeply nested key) or to allocate at will (a large memo index). So there is a machine of our own
here, for the two dozen instructions PyTorch writes: a global is a name that is compared, a call
makes one of the values below or is refused, and no instruction reaches anything else.
"""

from __future__ import annotations

import io
import re
import struct
from dataclasses import dataclass, field
from pickletools import opcodes
from typing import Any

import numpy as np

from magiqa.clip.architecture import Shape

UNDAMAGED = "give an undamaged checkpoint"
_STATE_DICT = "load it with torch and save its state_dict() with torch.save or as safetensors"

_MOST_ENTRIES = 100_000  # attributes and parameters; RN50x64 has a few thousand
_LONGEST_NAME = 500

_DTYPES = {  # torch's storage class -> our name, numpy's type of the stored bytes
    "torch DoubleStorage": ("float64", "<f8"),
    "torch FloatStorage": ("float32", "<f4"),
    "torch HalfStorage": ("float16", "<f2"),
    "torch BFloat16Storage": ("bfloat16", "<u2"),
    "torch LongStorage": ("int64", "<i8"),
    "torch IntStorage": ("int32", "<i4"),
    "torch ShortStorage": ("int16", "<i2"),
    "torch CharStorage": ("int8", "<i1"),
    "torch ByteStorage": ("uint8", "<u1"),
    "torch BoolStorage": ("bool", "<u1"),
}
_LIST = {f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool")}
_ORDERED_DICT, _TYPE_TAG = "collections OrderedDict", "torch.jit._pickle restore_type_tag"
_TENSOR, _PARAMETER = "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"
_KNOWN = {_ORDERED_DICT, _TYPE_TAG, _TENSOR, _PARAMETER, *_LIST, *_DTYPES}
_MODULE_CLASS = re.compile(r"__torch__[.\w]* \w+")
_INSTRUCTIONS = {opcode.code.encode("latin-1"): opcode.name for opcode in opcodes}
_ARGUMENT_BYTES = {  # of the number behind an instruction
    **dict.fromkeys(("PROTO", "BININT1", "LONG1", "SHORT_BINUNICODE", "BINPUT", "BINGET"), 1),
    "BININT2": 2,
    **dict.fromkeys(("BINUNICODE", "LONG_BINPUT", "LONG_BINGET"), 4),
    "FRAME": 8,
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


class Refused(Exception):  # noqa: N818
    """What is wrong and how to mend it; `archive` puts the file in front."""

    def __init__(self, got: str, mend: str = UNDAMAGED) -> None:
        # names out of the file may be long, or steer a terminal
        shown = "".join(letter if letter.isprintable() else "?" for letter in got[:400])
        super().__init__(f"{shown} - {mend}")


@dataclass(frozen=True, slots=True)
class _Global:
    """The name of something in a module; only ever compared."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    """One `data/KEY` member, as the pickle describes it."""

    key: str
    kind: str
    elements: int


@dataclass(slots=True)
class _Module:
    """Stands in for an object of a TorchScript class."""

    state: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view of a storage, counted in elements."""

    storage: _Storage
    offset: int
    shape: Shape
    strides: Shape

    @property
    def key(self) -> str:
        """Which `data/KEY` member holds it."""
        return self.storage.key

    @property
    def dtype(self) -> str:
        """Its type, as torch calls it."""
        return _DTYPES[self.storage.kind][0]

    @property
    def stored_as(self) -> np.dtype[Any]:
        """The type of the stored bytes; bfloat16 is two of them."""
        return np.dtype(_DTYPES[self.storage.kind][1])

    @property
    def axes(self) -> list[tuple[int, int]]:
        """Side and stride of each dimension."""
        return list(zip(self.shape, self.strides, strict=True))

    @property
    def end(self) -> int:
        """Behind the last element that is used."""
        last = sum((side - 1) * stride for side, stride in self.axes)
        return self.offset + (0 if 0 in self.shape else last + 1)


class _Machine:
    """Program, stack, marks and memo of a pickle; `step` is the list of all it can do."""

    def __init__(self, program: bytes) -> None:
        self.program = io.BytesIO(program)
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # the stacks under each mark
        self.memo: dict[int, Any] = {}

    def run(self) -> object:
        """The object the program describes, made of plain values and the ones above."""
        try:
            while (name := _INSTRUCTIONS[self.take(1)]) != "STOP":
                self.step(name)
            return self.stack.pop()
        except (LookupError, ValueError) as error:  # of stack and memo; of a text's encoding
            raise Refused("data.pkl is no whole pickle") from error

    def step(self, name: str) -> None:  # noqa: PLR0912, PLR0915 a case each
        stack, argument = self.stack, self.number(_ARGUMENT_BYTES.get(name, 0))
        match name:
            case "PROTO" | "FRAME":
                pass
            case "BININT" | "LONG1":
                size = 4 if name == "BININT" else argument
                stack.append(int.from_bytes(self.take(size), "little", signed=True))
            case "BININT1" | "BININT2":
                stack.append(argument)
            case "BINFLOAT":
                stack.extend(struct.unpack(">d", self.take(8)))
            case "BINUNICODE" | "SHORT_BINUNICODE":
                stack.append(self.take(argument).decode())
            case "NONE" | "NEWTRUE" | "NEWFALSE" | "EMPTY_TUPLE":
                stack.append(_CONSTANTS[name])
            case "EMPTY_LIST" | "EMPTY_DICT":
                stack.append([] if name == "EMPTY_LIST" else {})
            case "MARK":
                self.below.append(stack)
                self.stack = []
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                stack.append(tuple([stack.pop() for _ in range(int(name[-1]))][::-1]))
            case "TUPLE":
                self.stack = self.below.pop()
                self.stack.append(tuple(stack))
            case "APPENDS" | "SETITEMS":
                self.stack = self.below.pop()
                _extend(self.stack[-1], stack)
            case "APPEND" | "SETITEM":
                items = [stack.pop() for _ in range(1 if name == "APPEND" else 2)][::-1]
                _extend(stack[-1], items)
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(self.memo[argument])
            case "GLOBAL":
                module, attribute = self.program.readline(), self.program.readline()
                stack.append(_named(f"{module.decode()[:-1]} {attribute.decode()[:-1]}"))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                plain = type(attribute) is str and type(module) is str
                stack.append(_named(f"{module} {attribute}" if plain else ""))
            case "REDUCE" | "NEWOBJ":
                arguments, callee = stack.pop(), stack.pop()
                stack.append(_made(callee, arguments))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "BUILD":
                state = stack.pop()
                _fill(stack[-1], state)
            case _:
                raise Refused(f"data.pkl holds a {name} instruction, which PyTorch never writes")

    def take(self, size: int) -> bytes:
        taken = self.program.read(size)
        if len(taken) != size:
            raise Refused("data.pkl ends too early")
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")


def _extend(target: object, items: list[Any]) -> None:
    """Append to a list or set keys and values, which alternate, in a dictionary."""
    keys, values = items[::2], items[1::2]
    if type(target) is list:
        target.extend(items)
    elif type(target) is dict and all(map(_plain, keys)):
        target.update(zip(keys, values, strict=True))
    else:
        raise Refused("data.pkl fills no list or dictionary, or one with keys of a strange kind")


def _plain(key: object) -> bool:
    # the hash of a nested tuple recurses in C without a limit; large numbers' hashes collide
    return type(key) is str or (type(key) is int and abs(key) < 1 << 31)


def _named(name: str) -> _Global:
    if name not in _KNOWN and not _MODULE_CLASS.fullmatch(name):
        mend = f"if you trust it, {_STATE_DICT}"
        raise Refused(
            f"data.pkl asks for {name[:99]!r}, which no weights need; nothing was run", mend
        )
    return _Global(name)


def _storage(identity: object) -> _Storage:
    match identity:
        case "storage", _Global(kind), str(key), str(), int(elements):
            if kind in _DTYPES and re.fullmatch("[0-9]{1,9}", key) and elements >= 0:
                return _Storage(key, kind, elements)
    raise Refused("data.pkl refers to a storage in an unknown way")


def _made(callee: object, arguments: object) -> object:
    """What a call makes; nothing is called."""
    match callee, arguments:
        case _Global(), list():  # would match a tuple's pattern
            pass
        case _Global(name), (_Storage() as held, int(offset), tuple(shape), tuple(steps), *_) if (
            name == _TENSOR
        ):
            return Tensor(held, offset, shape, steps)
        case _Global(name), (Tensor() as tensor, _, _) if name == _PARAMETER:
            return tensor
        case _Global(name), () if name == _ORDERED_DICT:
            return {}
        case _Global(name), () if _MODULE_CLASS.fullmatch(name):
            return _Module()
        case _Global(name), (list(items),) if name in _LIST:
            return items
        case _Global(name), (value, str()) if name == _TYPE_TAG:
            return value
    raise Refused("data.pkl calls something in a way PyTorch does not")


def _fill(target: object, state: object) -> None:
    match target, state:
        case _Module(), dict():
            target.state = state
        case dict(), dict():  # the `_metadata` of a state dict
            pass
        case _:
            raise Refused("data.pkl gives a state to what takes none")


def named_tensors(program: bytes) -> dict[str, Tensor]:
    """Dotted name -> tensor of a state dict, wrapped in {"state_dict": ...} or not, or a module.

    Raises Refused. The views are not compared with their storages here.
    """
    root = _Machine(program).run()
    if isinstance(root, dict):
        root = root.get("state_dict", root)
    if not isinstance(root, dict | _Module):
        raise Refused("data.pkl holds no state dict and no module", _STATE_DICT)
    found: dict[str, Tensor] = {}
    pending = [("", root if isinstance(root, dict) else root.state)]
    entries = 0
    while pending:  # a module may hold itself: names and entries are bounded
        prefix, state = pending.pop()
        entries += len(state)
        if entries > _MOST_ENTRIES:
            raise Refused(f"data.pkl has more than {_MOST_ENTRIES} entries")
        for key, value in state.items():
            if not isinstance(value, Tensor | _Module):
                continue
            name = f"{prefix}{key}"
            if type(key) is not str or not key or not key.isprintable() or name in found:
                raise Refused("data.pkl has a parameter name that is no text or not the only one")
            if len(name) > _LONGEST_NAME:
                raise Refused(f"data.pkl has a parameter name of {len(name)} letters")
            if isinstance(value, Tensor):
                found[name] = value
            else:
                pending.append((f"{name}.", value.state))
    if not found:
        raise Refused("data.pkl holds no tensors under parameter names", _STATE_DICT)
    return found
