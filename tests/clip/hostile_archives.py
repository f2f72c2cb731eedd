"""Hostile and damaged `.pt` archives, written by hand: name -> (bytes, what must be said)."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

SHELL = "touch /tmp/magiqa-was-here"
DEEP = 300_000  # of a key nested so, the hash alone crashes Python's own unpickler
NUMBERS = struct.pack("<6f", 1, 2, 3, 4, 5, 6)

# -- pickles, instruction by instruction


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def sequence(*values: bytes) -> bytes:
    return b"(" + b"".join(values) + b"t"


def numbers(*values: int) -> bytes:
    return sequence(*map(number, values))


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def stack_named(module: str, name: str) -> bytes:
    return text(module) + text(name) + b"\x93"


def called(what: bytes, *arguments: bytes) -> bytes:
    return what + sequence(*arguments) + b"R"


def storage(kind: str = "FloatStorage", key: str = "0", elements: int = 6) -> bytes:
    identity = (text("storage"), named("torch", kind), text(key), text("cpu"), number(elements))
    return sequence(*identity) + b"Q"


REBUILD = named("torch._utils", "_rebuild_tensor_v2")
ORDERED = named("collections", "OrderedDict")
MODULE = named("__torch__.clip", "CLIP") + b")\x81"


def tensor(
    stored: bytes | None = None,
    offset: bytes = number(0),
    shape: bytes = numbers(2, 3),
    strides: bytes = numbers(3, 1),
) -> bytes:
    hooks = called(ORDERED)
    return called(REBUILD, stored or storage(), offset, shape, strides, b"\x89", hooks)


def mapping(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"}(" + b"".join(key + value for key, value in pairs) + b"u"


def program(body: bytes, protocol: int = 2) -> bytes:
    return b"\x80" + bytes([protocol]) + body + b"."


def one(value: bytes, name: bytes = text("w")) -> bytes:
    """A state dict of one entry."""
    return program(mapping((name, value)))


VALID = one(tensor())

# -- zip files


def archive(
    pickle: bytes = VALID, data: bytes = NUMBERS, root: str = "archive", **members: bytes
) -> bytes:
    """A zip file as torch writes it; `members` are more of them, beside data.pkl."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as out:
        out.writestr(f"{root}/data.pkl", pickle)
        out.writestr(f"{root}/version", b"3\n")
        out.writestr(f"{root}/byteorder", members.pop("byteorder", b"little"))
        out.writestr(f"{root}/data/0", data)
        for name, content in members.items():
            out.writestr(f"{root}/{name}", content)
    return file.getvalue()


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name", UserWarning)
        with zipfile.ZipFile(file, "w", compression) as out:
            for name, content in members:
                out.writestr(name, content)
    return file.getvalue()


def directory_patched(name: str, field: int, value: bytes, content: bytes | None = None) -> bytes:
    """A valid archive of which one field of one member's directory entry lies."""
    whole = bytearray(content or archive())
    entry = whole.rindex(name.encode()) - 46
    assert whole[entry : entry + 4] == b"PK\x01\x02"
    whole[entry + field : entry + field + len(value)] = value
    return bytes(whole)


def end_patched(field: int, value: bytes) -> bytes:
    whole = bytearray(archive())
    whole[len(whole) - 22 + field : len(whole) - 22 + field + len(value)] = value
    return bytes(whole)


def zip64_lie() -> bytes:
    """data/0 says in its zip64 field that it is 2**62 bytes long."""
    plain = archive()
    entry = plain.rindex(b"archive/data/0") - 46
    lie = struct.pack("<HHQQ", 1, 16, 1 << 62, 1 << 62)
    whole = bytearray(plain)
    whole[entry + 20 : entry + 28] = b"\xff" * 8
    whole[entry + 30 : entry + 32] = struct.pack("<H", len(lie))
    end = len(plain) - 22
    whole[end + 12 : end + 16] = struct.pack(
        "<I", int.from_bytes(plain[end + 12 : end + 16], "little") + len(lie)
    )
    name_end = entry + 46 + len("archive/data/0")
    return bytes(whole[:name_end] + lie + whole[name_end:])


def bomb() -> bytes:
    return zipped(("a/data.pkl", bytes(64 << 20)), compression=zipfile.ZIP_DEFLATED)


def storage_bomb() -> bytes:
    data = zipped(("a/data/0", bytes(64 << 20)), compression=zipfile.ZIP_DEFLATED)
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as out:
        big = tensor(storage(elements=16 << 20), shape=numbers(16 << 20), strides=numbers(1))
        out.writestr("a/data.pkl", one(big))
    return file.getvalue()


def swapped_pickle_checksum() -> bytes:
    whole = archive()
    assert whole.count(VALID) == 1
    return whole.replace(VALID, VALID.replace(text("w"), text("v")))


def diamonds(levels: int) -> bytes:
    """Modules of which each holds the one below twice: 2 ** levels paths."""
    body = MODULE + mapping((text("w"), tensor())) + b"b"
    for level in range(levels):
        put = b"r" + struct.pack("<I", level)
        get = b"j" + struct.pack("<I", level)
        body += put + MODULE + mapping((text("a"), get), (text("b"), get)) + b"b"
    return program(body)


def module_in_itself() -> bytes:
    return program(MODULE + b"q\x00" + mapping((text("m"), b"h\x00")) + b"b")


SYSTEM = named("posix", "system")
ARGUMENT = text(SHELL)

Builder = Callable[[], bytes]


def pickled(body: bytes) -> Builder:
    return lambda: archive(program(body))


def view(**changes: Any) -> Builder:
    return lambda: archive(one(tensor(**changes)))


ASKS = "asks for 'posix system', which no weights need; nothing was run"
NEVER = "instruction, which PyTorch never writes"
OUTSIDE = "reaches outside 6 elements"
IMPOSSIBLE = "parameter w: impossible offset, shape or strides"
CALLS = "calls something in a way PyTorch does not"
KEYS = "with keys of a strange kind"
NAME = "parameter name that is no text"
STORAGE = "refers to a storage in an unknown way"
STATE = "gives a state to what takes none"
NEVER_PUT = "is no whole pickle"
DAMAGED_ZIP = "is a damaged or cut zip file"
ELSEWHERE = "is not where the zip directory says"

HOSTILE: dict[str, tuple[Builder, str]] = {
    # code
    "GLOBAL and REDUCE": (pickled(called(SYSTEM, ARGUMENT)), ASKS),
    "the same inside a state dict": (lambda: archive(one(called(SYSTEM, ARGUMENT))), ASKS),
    "STACK_GLOBAL": (pickled(called(stack_named("posix", "system"), ARGUMENT)), ASKS),
    "a dotted name": (
        pickled(called(stack_named("collections", "OrderedDict.__init__.__globals__"))),
        "asks for 'collections OrderedDict.__init__.__globals__'",
    ),
    "names joined from two": (
        pickled(called(stack_named("collections OrderedDict", "fromkeys"))),
        "asks for 'collections OrderedDict fromkeys'",
    ),
    "a TorchScript name that reaches out": (
        pickled(called(stack_named("__torch__.os", "system;x"))),
        "asks for '__torch__.os system;x'",
    ),
    "a global named by numbers": (pickled(number(1) + number(2) + b"\x93"), "asks for ''"),
    "eval": (pickled(called(named("builtins", "eval"), ARGUMENT)), "asks for 'builtins eval'"),
    "getattr": (pickled(called(named("builtins", "getattr"))), "asks for 'builtins getattr'"),
    "a whole torch module": (
        pickled(named("clip.model", "CLIP") + b")\x81}b"),
        "asks for 'clip.model CLIP'",
    ),
    "numpy's own unpickling": (
        pickled(called(named("numpy.core.multiarray", "_reconstruct"))),
        "asks for 'numpy.core.multiarray _reconstruct'",
    ),
    "copyreg": (
        pickled(called(named("copyreg", "_reconstructor"))),
        "asks for 'copyreg _reconstructor'",
    ),
    "escape codes in a name": (
        pickled(named("\x1b]0;owned\x07", "x")),
        r"asks for '\x1b]0;owned\x07 x'",
    ),
    "INST": (pickled(b"(" + ARGUMENT + b"iposix\nsystem\n"), f"a INST {NEVER}"),
    "OBJ": (pickled(b"(" + SYSTEM + ARGUMENT + b"o"), ASKS),
    "OBJ of an allowed name": (pickled(b"(" + ORDERED + b"o"), f"a OBJ {NEVER}"),
    "NEWOBJ": (pickled(SYSTEM + sequence(ARGUMENT) + b"\x81"), ASKS),
    "NEWOBJ of a storage class": (pickled(named("torch", "FloatStorage") + b")\x81"), CALLS),
    "NEWOBJ with arguments": (
        pickled(named("__torch__", "M") + sequence(ARGUMENT) + b"\x81"),
        CALLS,
    ),
    "NEWOBJ_EX": (pickled(named("__torch__", "M") + b")}\x92"), f"a NEWOBJ_EX {NEVER}"),
    "EXT1": (pickled(b"\x82\x01"), f"a EXT1 {NEVER}"),
    "EXT2": (pickled(b"\x83\x01\x00"), f"a EXT2 {NEVER}"),
    "EXT4": (pickled(b"\x84\x01\x00\x00\x00"), f"a EXT4 {NEVER}"),
    "PERSID": (pickled(b"Pposix\n"), f"a PERSID {NEVER}"),
    "NEXT_BUFFER": (pickled(b"\x97"), f"a NEXT_BUFFER {NEVER}"),
    "BUILD of a global": (pickled(ORDERED + mapping((text("__class__"), SYSTEM)) + b"b"), ASKS),
    "BUILD that renames a global": (
        pickled(REBUILD + mapping((text("__code__"), text("x"))) + b"b"),
        STATE,
    ),
    "BUILD with slots": (pickled(MODULE + b"N" + mapping((text("state"), b"}")) + b"\x86b"), STATE),
    "BUILD of a tensor": (pickled(tensor() + mapping((text("offset"), number(9))) + b"b"), STATE),
    "__setstate__ in a state": (
        pickled(MODULE + mapping((text("__setstate__"), SYSTEM)) + b"b}b"),
        ASKS,
    ),
    "__reduce__ in a state": (
        pickled(MODULE + mapping((text("__reduce__"), ORDERED)) + b"b"),
        "holds no tensors",
    ),
    "a call of text": (pickled(text("system") + sequence(ARGUMENT) + b"R"), CALLS),
    "a call of a module object": (pickled(MODULE + b")R"), CALLS),
    "a call without a tuple": (pickled(ORDERED + b"]R"), CALLS),
    "OrderedDict with arguments": (pickled(called(ORDERED, b"]")), CALLS),
    "tensor rebuilt of nothing": (pickled(called(REBUILD)), CALLS),
    "parameter rebuilt of text": (
        pickled(called(named("torch._utils", "_rebuild_parameter"), ARGUMENT, b"\x89", b"}")),
        CALLS,
    ),
    # persistent ids
    "a persistent id that is text": (pickled(ARGUMENT + b"Q"), STORAGE),
    "a persistent id of another kind": (
        lambda: archive(one(sequence(text("module"), ORDERED, ARGUMENT) + b"Q")),
        STORAGE,
    ),
    "a storage class that is none": (
        pickled(sequence(text("storage"), ORDERED, text("0"), text("cpu"), number(6)) + b"Q"),
        STORAGE,
    ),
    "a storage class that is text": (
        pickled(
            sequence(text("storage"), text("FloatStorage"), text("0"), text("cpu"), number(6))
            + b"Q"
        ),
        STORAGE,
    ),
    "a storage key that climbs": (view(stored=storage(key="../../etc/passwd")), STORAGE),
    "a storage key that is no number": (view(stored=storage(key="0\x000")), STORAGE),
    "a storage that is not there": (
        view(stored=storage(key="7")),
        "parameter w: member archive/data/7 is missing",
    ),
    "a storage of less than nothing": (view(stored=storage(elements=-6)), STORAGE),
    "a storage longer than its member": (
        view(stored=storage(elements=7)),
        "parameter w: its storage has 24 bytes, which are not 7 float32",
    ),
    "a huge storage": (
        view(stored=storage(elements=1 << 62), shape=numbers(1 << 62), strides=numbers(1)),
        "parameter w: its storage has 24 bytes",
    ),
    "half passed off as float": (
        view(stored=storage("HalfStorage")),
        "parameter w: its storage has 24 bytes, which are not 6 float16",
    ),
    "complex numbers": (
        view(stored=storage("ComplexFloatStorage")),
        "asks for 'torch ComplexFloatStorage'",
    ),
    "quantised numbers": (view(stored=storage("QInt8Storage")), "asks for 'torch QInt8Storage'"),
    "an untyped storage": (
        pickled(named("torch.storage", "UntypedStorage")),
        "asks for 'torch.storage UntypedStorage'",
    ),
    # views
    "a shape beyond the storage": (view(shape=numbers(3, 3)), OUTSIDE),
    "an offset beyond the storage": (view(offset=number(1)), OUTSIDE),
    "an offset far beyond": (view(offset=number(1 << 70)), IMPOSSIBLE),
    "an offset beyond, of an empty tensor": (
        view(offset=number(7), shape=numbers(0), strides=numbers(1)),
        OUTSIDE,
    ),
    "strides beyond the storage": (view(strides=numbers(4, 1)), OUTSIDE),
    "huge strides": (view(strides=numbers(1 << 62, 1)), OUTSIDE),
    "a negative stride": (view(offset=number(5), strides=numbers(-3, -1)), IMPOSSIBLE),
    "a negative offset": (view(offset=number(-1)), IMPOSSIBLE),
    "a negative side": (view(shape=numbers(-2, -3)), IMPOSSIBLE),
    "two negative sides whose product fits": (view(shape=numbers(-1, -6)), IMPOSSIBLE),
    "sides whose product overflows": (
        view(shape=numbers(1 << 32, 1 << 32), strides=numbers(0, 0)),
        "reaches outside",
    ),
    "an empty tensor with sides that overflow": (
        view(shape=numbers(0, 1 << 62, 1 << 62), strides=numbers(0, 0, 0)),
        "reaches outside",
    ),
    "one element repeated": (
        view(shape=numbers(1 << 30), strides=numbers(0)),
        "repeats 6 elements - save it .contiguous()",
    ),
    "overlapping rows": (view(shape=numbers(5, 2), strides=numbers(1, 1)), "repeats 6 elements"),
    "more strides than sides": (view(strides=numbers(3, 1, 1)), IMPOSSIBLE),
    "no strides": (view(strides=b")"), IMPOSSIBLE),
    "a shape of text": (view(shape=sequence(text("2"), text("3"))), IMPOSSIBLE),
    "a shape of truth values": (view(shape=sequence(b"\x88", b"\x88")), IMPOSSIBLE),
    "a shape of fractions": (
        view(shape=sequence(*[b"G" + struct.pack(">d", 2.5)] * 2)),
        IMPOSSIBLE,
    ),
    "a shape that is a list": (view(shape=b"]"), CALLS),
    "an offset of text": (view(offset=text("0")), CALLS),
    "an offset that is true": (
        view(offset=b"\x88", shape=numbers(1), strides=numbers(1)),
        IMPOSSIBLE,
    ),
    "a hundred dimensions": (
        view(shape=numbers(*[1] * 100), strides=numbers(*[1] * 100)),
        IMPOSSIBLE,
    ),
    "a side of two thousand bits": (view(shape=numbers(1 << 2000, 1)), IMPOSSIBLE),
    # names
    "a name that is a number": (lambda: archive(one(tensor(), number(1))), NAME),
    "a name that is nothing": (lambda: archive(one(tensor(), b"N")), KEYS),
    "a name that is a tuple": (lambda: archive(one(tensor(), b")")), KEYS),
    "a name that is a list": (lambda: archive(one(tensor(), b"]")), KEYS),
    "a name that is a tensor": (lambda: archive(one(tensor(), tensor())), KEYS),
    "names whose hashes collide": (
        pickled(mapping(*((number(((1 << 61) - 1) * n), b"N") for n in range(2, 9)))),
        KEYS,
    ),
    "an empty name": (lambda: archive(one(tensor(), text(""))), NAME),
    "a name with control characters": (lambda: archive(one(tensor(), text("w\x1b[2J"))), NAME),
    "a name with half a surrogate": (
        lambda: archive(one(tensor(), text(b"\xed\xa0\x80"))),
        "is no whole pickle",
    ),
    "a name that is not UTF-8": (
        lambda: archive(one(tensor(), text(b"\xff\xfe"))),
        "is no whole pickle",
    ),
    "a name of a megabyte": (
        lambda: archive(one(tensor(), text("w" * (1 << 20)))),
        "parameter name of 1048576 letters",
    ),
    "two parameters of one name": (
        pickled(
            MODULE
            + mapping(
                (text("a.w"), tensor()), (text("a"), MODULE + mapping((text("w"), tensor())) + b"b")
            )
            + b"b"
        ),
        "not the only one",
    ),
    # the machine
    "an empty pickle": (lambda: archive(b""), "data.pkl ends too early"),
    "a pickle without an end": (lambda: archive(VALID[:-1]), "data.pkl ends too early"),
    "a pickle cut in a text": (
        lambda: archive(b"\x80\x02X\xff\xff\xff\x7fab"),
        "data.pkl ends too early",
    ),
    "a text of 2**63 bytes": (
        lambda: archive(b"\x80\x04\x8d" + b"\xff" * 7 + b"\x7f" + b"ab."),
        f"a BINUNICODE8 {NEVER}",
    ),
    "a text of 4 GB": (pickled(b"X\xff\xff\xff\xffab"), "data.pkl ends too early"),
    "a global without a line's end": (pickled(b"cposix"), "asks for 'posix '"),
    "an unknown instruction": (pickled(b"\xff"), "is no whole pickle"),
    "a text instruction with a bad escape": (pickled(b"S'\\d'\n"), f"a STRING {NEVER}"),
    "a number of a million digits": (pickled(b"L" + b"9" * 1_000_000 + b"L\n"), f"a LONG {NEVER}"),
    "LONG4": (pickled(b"\x8b\x04\x00\x00\x00\x01\x02\x03\x04"), f"a LONG4 {NEVER}"),
    "nothing at all": (pickled(b""), NEVER_PUT),
    "a stack underflow": (pickled(b"R"), NEVER_PUT),
    "an item for no list": (pickled(b"Na"), NEVER_PUT),
    "a missing mark": (pickled(b"t"), NEVER_PUT),
    "an unknown memo": (pickled(b"h\x05"), NEVER_PUT),
    "a memo of nothing": (pickled(b"q\x00"), NEVER_PUT),
    "a memo index of 2**32 - 1": (pickled(b"Nr\xff\xff\xff\xff"), "no state dict and no module"),
    "items for a number": (pickled(b"K\x01(Ne"), "fills no list or dictionary"),
    "pairs for a tuple": (pickled(b")(NNu"), "fills no list or dictionary"),
    "a key without a value": (pickled(b"}(" + text("w") + b"u"), "is no whole pickle"),
    "DUP": (pickled(b"}2"), f"a DUP {NEVER}"),
    "POP": (pickled(b"}N0"), f"a POP {NEVER}"),
    "a set": (pickled(b"\x8f"), f"a EMPTY_SET {NEVER}"),
    "a list in itself": (pickled(b"]q\x00h\x00a"), "no state dict and no module"),
    "a dictionary in itself": (
        pickled(b"}q\x00" + text("state_dict") + b"h\x00s"),
        "holds no tensors",
    ),
    "a module in itself": (lambda: archive(module_in_itself()), "parameter name of 501 letters"),
    "2**60 paths to one module": (lambda: archive(diamonds(60)), "more than 100000 entries"),
    "nested tuples": (pickled(b")" + b"\x85" * DEEP), "no state dict"),
    "nested lists": (pickled(b"]" * DEEP + b"a" * (DEEP - 1)), "no state dict"),
    "a great many marks": (pickled(b"(" * DEEP), NEVER_PUT),
    "a key of deeply nested tuples": (pickled(b"})" + b"\x85" * DEEP + b"Ns"), KEYS),
    "a storage id of deeply nested tuples": (
        pickled(b")" + b"\x85" * DEEP + b"Q"),
        STORAGE,
    ),
    "a state dict of deeply nested tuples": (
        lambda: archive(one(b")" + b"\x85" * DEEP)),
        "holds no tensors",
    ),
    "a pickle of five megabytes": (lambda: archive(bytes(5 << 20)), "has 5242880 bytes, too many"),
    # what is no checkpoint
    "a number alone": (pickled(b"K\x01"), "no state dict and no module"),
    "a tensor alone": (pickled(tensor()), "no state dict and no module"),
    "an empty state dict": (pickled(b"}"), "holds no tensors under parameter names"),
    "a wrapped state dict that is none": (
        pickled(mapping((text("state_dict"), b"K\x01"))),
        "no state dict and no module",
    ),
    # the zip file
    "an empty file": (lambda: b"", "is no zip file: it begins with b''"),
    "a bare pickle": (lambda: VALID, "is no zip file: it begins with b'\\x80\\x02}('"),
    "the format before 1.6": (
        lambda: b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + VALID,
        "format from before 1.6, a pickle and no zip file - load it with torch",
    ),
    "magic and no more": (lambda: b"PK\x03\x04", DAMAGED_ZIP),
    "a file cut in half": (lambda: archive()[: len(archive()) // 2], DAMAGED_ZIP),
    "a file without its last byte": (lambda: archive()[:-1], DAMAGED_ZIP),
    "a file without its middle": (lambda: archive()[:60] + archive()[80:], "-"),
    "a zip file of something else": (
        lambda: zipped(("a.txt", b"hello")),
        "0 members NAME/data.pkl",
    ),
    "data.pkl in no folder": (lambda: zipped(("data.pkl", VALID)), "0 members NAME/data.pkl"),
    "data.pkl in a deeper folder": (lambda: zipped(("a/b/data.pkl", VALID)), "0 members"),
    "two roots": (lambda: zipped(("a/data.pkl", VALID), ("b/data.pkl", VALID)), "2 members"),
    "data.pkl twice": (
        lambda: zipped(("a/data.pkl", VALID), ("a/data.pkl", VALID)),
        "two members of the same name",
    ),
    "a storage twice": (
        lambda: zipped(("a/data.pkl", VALID), ("a/data/0", NUMBERS), ("a/data/0", NUMBERS)),
        "two members of the same name",
    ),
    "a root that climbs": (lambda: zipped(("../data.pkl", VALID)), "member ../data/0 is missing"),
    "a root with escape codes": (
        lambda: zipped(("\x1b[2Ja/data.pkl", VALID)),
        "member ?[2Ja/data/0 is missing",
    ),
    "no storage": (lambda: zipped(("a/data.pkl", VALID)), "member a/data/0 is missing"),
    "a compressed pickle of 64 MB": (bomb, "member a/data.pkl is compressed or encrypted"),
    "a compressed storage of 64 MB": (storage_bomb, "parameter w: member a/data/0 is compressed"),
    "an encrypted storage": (
        lambda: directory_patched("archive/data/0", 8, b"\x01\x00"),
        "is compressed or encrypted",
    ),
    "an unknown compression": (
        lambda: directory_patched("archive/data/0", 10, b"\x63\x00"),
        "is compressed or encrypted",
    ),
    "a zip version of the future": (
        lambda: directory_patched("archive/data/0", 6, b"\xff\x00"),
        DAMAGED_ZIP,
    ),
    "a storage longer than the file": (
        lambda: directory_patched("archive/data/0", 20, b"\xff\xff\xff\x7f" * 2),
        ELSEWHERE,
    ),
    "a storage of two lengths": (
        lambda: directory_patched("archive/data/0", 24, b"\xff\x00\x00\x00"),
        ELSEWHERE,
    ),
    "a zip64 storage of 2**62 bytes": (zip64_lie, ELSEWHERE),
    "a zip64 field that is missing": (
        lambda: directory_patched("archive/data/0", 20, b"\xff" * 8),
        "-",
    ),
    "a storage that begins elsewhere": (
        lambda: directory_patched("archive/data/0", 42, b"\x05\x00\x00\x00"),
        ELSEWHERE,
    ),
    "a storage that begins behind the end": (
        lambda: directory_patched("archive/data/0", 42, b"\xff\xff\xff\x7f"),
        ELSEWHERE,
    ),
    "a directory that is too long": (lambda: end_patched(12, b"\xff\xff\xff\x7f"), DAMAGED_ZIP),
    "a directory of five megabytes": (
        lambda: zipped(*((f"a/{n:0200}", b"") for n in range(20_000))),
        "its zip directory takes",
    ),
    "a directory that begins too late": (lambda: end_patched(16, b"\xff\xff\xff\x7f"), "-"),
    "a checksum that does not match": (swapped_pickle_checksum, "does not match its checksum"),
    "a member name that is not UTF-8": (
        lambda: directory_patched(
            "archive/data/0", 46, b"\xff", directory_patched("archive/data/0", 8, b"\x00\x08")
        ),
        DAMAGED_ZIP,
    ),
    "big-endian numbers": (
        lambda: archive(byteorder=b"big"),
        "its byteorder is b'big', only b'little' is read",
    ),
    "an unknown byte order": (lambda: archive(byteorder=b"middle"), "byteorder is b'middle'"),
    "a byte order of a megabyte": (lambda: archive(byteorder=bytes(1 << 20)), "its byteorder is"),
}

HOSTILE_ON_READ: dict[str, tuple[Builder, str]] = {
    "numbers changed": (
        lambda: archive().replace(NUMBERS, bytes(24)),
        "member archive/data/0 does not match its checksum",
    ),
    "whole numbers": (
        view(stored=storage("IntStorage")),
        "parameter w is stored as int32 - save the checkpoint in float32",
    ),
}
