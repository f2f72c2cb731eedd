from __future__ import annotations

import io
import math
import random
import resource
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recipe
from archives import as_openai_stores, state_dict_file, torchscript_file
from clip import hostile_archives as hostile
from magiqa.clip import archive
from magiqa.clip.archive import Archive, is_archive
from magiqa.clip.pickled import Refused
from magiqa.errors import WeightsError

# -- nothing is ever run: Python reports each of these to its audit hooks

_RUNS = ("os.", "subprocess.", "exec", "compile", "import", "pickle.", "ctypes.", "socket.", "pty.")
_seen: list[str] | None = None


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _seen is not None and (event == "open" or event.startswith(_RUNS)):
        _seen.append(f"{event} {arguments[0]}" if event == "open" else event)


sys.addaudithook(_audit)


@contextmanager
def nothing_runs(path: Path) -> Iterator[None]:
    """Nothing is executed or imported, and no other file is opened."""
    global _seen  # noqa: PLW0603 an audit hook cannot be taken off
    "".encode("cp437")  # imported by zipfile when it first meets a name of the old kind
    seen: list[str] = []
    _seen = seen
    try:
        yield
    finally:
        _seen = None
    assert set(seen) <= {f"open {path}"}


def _peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def refused(path: Path, attempt: Callable[[], object]) -> str:
    """What is said; the attempt takes little memory, too."""
    before = _peak_kilobytes()
    with nothing_runs(path), pytest.raises(WeightsError) as caught:
        attempt()
    assert _peak_kilobytes() - before < 256 << 10
    message = str(caught.value)
    assert message.startswith(f"{path} - ")
    assert message.count(" - ") >= 2
    assert len(message) < 1000
    assert message.isprintable()
    return message


def test_the_hook_would_see_a_run(tmp_path: Path) -> None:
    import os

    with pytest.raises(AssertionError), nothing_runs(tmp_path):
        os.system("true")


@pytest.mark.parametrize("name", hostile.HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, name: str) -> None:
    build, says = hostile.HOSTILE[name]
    path = tmp_path / "hostile.pt"
    path.write_bytes(build())
    assert says in refused(path, lambda: Archive(path))


@pytest.mark.parametrize("name", hostile.HOSTILE_ON_READ)
def test_a_damaged_parameter_is_refused(tmp_path: Path, name: str) -> None:
    build, says = hostile.HOSTILE_ON_READ[name]
    path = tmp_path / "hostile.pt"
    path.write_bytes(build())
    archive = Archive(path)
    assert says in refused(path, lambda: archive.read("w"))


def test_the_hand_made_archives_are_right_but_for_their_fault(tmp_path: Path) -> None:
    path = tmp_path / "valid.pt"
    path.write_bytes(hostile.archive())
    with nothing_runs(path):
        values = Archive(path).read("w")
    np.testing.assert_array_equal(values, [[1, 2, 3], [4, 5, 6]])
    loaded = torch.load(path, weights_only=True)
    np.testing.assert_array_equal(loaded["w"], values)


def test_a_file_that_changes_after_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(hostile.archive())
    archive = Archive(path)
    path.write_bytes(b"PK\x03\x04")
    assert "was cut since the file was opened" in refused(path, lambda: archive.read("w"))
    path.unlink()
    assert "cannot be read (No such file" in refused(path, lambda: archive.read("w"))


def test_a_parameter_it_does_not_hold(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(hostile.archive())
    archive = Archive(path)
    assert "holds no parameter v" in refused(path, lambda: archive.read("v"))
    assert "holds no parameter v" in refused(path, lambda: archive.dtype("v"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    assert "cannot be read (No such file" in refused(path, lambda: Archive(path))
    assert "cannot be read (No such file" in refused(path, lambda: is_archive(path))
    assert "cannot be read (Is a directory" in refused(tmp_path, lambda: Archive(tmp_path))


# -- fuzz


def _mutated(content: bytes, dice: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        at = dice.randrange(len(changed))
        match dice.randrange(6):
            case 0:
                changed[at] = dice.randrange(256)
            case 1:
                changed[at] ^= 1 << dice.randrange(8)
            case 2:
                del changed[at : at + dice.choice((1, 2, 4, 30))]
            case 3:
                changed[at:at] = dice.randbytes(dice.choice((1, 2, 4)))
            case 4:
                end = at + dice.randrange(1, 40)
                to = dice.randrange(len(changed))
                changed[to:to] = changed[at:end]
            case _:
                changed[at : at + 4] = dice.choice((b"\xff" * 4, bytes(4), b"\xff\xff\xff\x7f"))
        if not changed:
            return b""
    return bytes(changed)


def _with_pickle(members: dict[str, bytes], pickle: bytes) -> bytes:
    changed = {n: pickle if n.endswith("data.pkl") else c for n, c in members.items()}
    return hostile.zipped(*changed.items())


def _is_harmless(path: Path) -> bool:
    """Whether everything can be read; if not, it is refused in the right way."""
    message = None
    with nothing_runs(path):
        try:
            archive = Archive(path)
            for name, shape in archive.shapes().items():
                assert math.prod(shape) <= 6
                if "float" in archive.dtype(name):
                    values = archive.read(name)
                    assert values.shape == shape
                    assert values.dtype == np.float32
        except WeightsError as error:
            message = str(error)
    assert message is None or message.startswith(f"{path} - ")
    return message is None


@pytest.mark.parametrize("kind", ["torchscript", "state dict"])
@pytest.mark.parametrize("what", ["file", "pickle"])
def test_mutations_are_refused_or_harmless(tmp_path: Path, kind: str, what: str) -> None:
    path = tmp_path / "a.pt"
    tensors = {
        "a.weight": torch.arange(6.0).reshape(3, 2).t(),
        "a.bias": torch.ones(3).half(),
        "b.0.w": torch.zeros((), dtype=torch.bfloat16),
        "count": torch.tensor(3),
    }
    (torchscript_file if kind == "torchscript" else state_dict_file)(tensors, path)
    whole = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        members = {name: file.read(name) for name in file.namelist() if "/code/" not in name}
    pickle = next(content for name, content in members.items() if name.endswith("data.pkl"))
    dice = random.Random(f"{kind} {what}")
    outcomes = {"refused": 0, "harmless": 0}
    for _ in range(1000):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile's, of names that are there twice
            if what == "file":
                path.write_bytes(_mutated(whole, dice))
            else:
                path.write_bytes(_with_pickle(members, _mutated(pickle, dice)))
        outcomes["harmless" if _is_harmless(path) else "refused"] += 1
    assert outcomes["refused"] > 100
    assert outcomes["harmless"] > 20


# -- what torch writes


def _views() -> dict[str, torch.Tensor]:
    """Views of all kinds, in names as CLIP has them."""
    draw = torch.Generator().manual_seed(0)
    shared = torch.randn(8, 6, generator=draw)
    return {
        "whole": torch.randn(2, 3, 4, generator=draw),
        "shared.a": shared,
        "shared.b": shared,
        "shared.row": shared[3],
        "shared.column": shared[:, 2],
        "shared.block": shared[2:7:2, 1:5],
        "shared.t": shared.t(),
        "shared.permuted": shared.view(2, 4, 6).permute(2, 0, 1),
        "shared.last": shared[7, 5],
        "channels_last": torch.randn(2, 3, 4, 5, generator=draw).to(
            memory_format=torch.channels_last
        ),
        "zero_d": torch.tensor(2.5),
        "empty": torch.zeros(0),
        "empty.b.c": torch.zeros(3, 0, 2),
        "empty.of_shared": shared[8:],
        "one": torch.randn(1, 1, generator=draw),
        "special": torch.tensor([float("inf"), float("-inf"), float("nan"), -0.0, 1e-45]),
        "layer.0.weight": torch.randn(5, 5, generator=draw),
    }


@pytest.fixture(params=["state dict", "torchscript", "protocol 4", "wrapped", "parameters"])
def write(request: pytest.FixtureRequest) -> Callable[[dict[str, torch.Tensor], Path], object]:
    def wrapped(tensors: dict[str, torch.Tensor], path: Path) -> None:
        torch.save({"epoch": 3, "state_dict": tensors, "lr": 0.5, "best": None}, path)

    def parameters(tensors: dict[str, torch.Tensor], path: Path) -> None:
        torch.save(
            {n: torch.nn.Parameter(t, requires_grad=False) for n, t in tensors.items()}, path
        )

    return {
        "state dict": state_dict_file,
        "torchscript": torchscript_file,
        "protocol 4": lambda tensors, path: state_dict_file(tensors, path, pickle_protocol=4),
        "wrapped": wrapped,
        "parameters": parameters,
    }[request.param]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_every_view_is_read_as_torch_reads_it(
    tmp_path: Path, write: Callable[[Any, Path], object], dtype: torch.dtype
) -> None:
    path = tmp_path / "weights of mine.pt"
    tensors: dict[str, torch.Tensor] = {}
    casts: dict[int, torch.Tensor] = {}
    for name, view in _views().items():  # a cast of its own would end the sharing
        base = view if view._base is None else view._base
        cast = casts.setdefault(base.data_ptr(), base.to(dtype))
        tensors[name.replace("empty.", "none.")] = cast.as_strided(
            view.shape, view.stride(), view.storage_offset()
        )
    assert tensors["shared.a"].data_ptr() == tensors["shared.t"].data_ptr()
    write(tensors, path)
    assert is_archive(path)
    with nothing_runs(path):
        archive = Archive(path)
        read = {name: archive.read(name) for name in archive.shapes()}
    assert archive.shapes() == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name, tensor in tensors.items():
        assert archive.dtype(name) == str(dtype).removeprefix("torch.")
        assert read[name].dtype == np.float32
        assert read[name].flags.c_contiguous
        expected = tensor.float().numpy()
        # bit by bit, but for which nan it is
        np.testing.assert_array_equal(np.signbit(read[name]), np.signbit(expected), name)
        np.testing.assert_array_equal(read[name], expected, name)


class Mixed(torch.nn.Module):
    """What scripted modules hold besides parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding="same", bias=False).bfloat16()
        self.norm = torch.nn.BatchNorm2d(4)
        self.blocks = torch.nn.Sequential(torch.nn.Linear(4, 4).half(), torch.nn.ReLU())
        self.tied = self.blocks[0]
        self.register_parameter("absent", None)
        self.register_buffer("mask", torch.tensor([True, False]))
        self.scale = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
        self.sizes, self.ratios, self.flags = [1, 2], [0.5], [True]
        self.names, self.label, self.pair = {"a": 1}, "clip", (1, 2.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("how", ["script", "trace", "state dict"])
def test_a_module_of_mixed_types(tmp_path: Path, how: str) -> None:
    path = tmp_path / "mixed.pt"
    module = Mixed()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`torch\.jit\.\w+` is (deprecated|not supported)")
        if how == "script":
            torch.jit.save(torch.jit.script(module), path)
        elif how == "trace":
            traced = torch.jit.trace(module, torch.zeros(1))  # type: ignore[no-untyped-call]
            torch.jit.save(traced, path)
        else:
            torch.save(module.state_dict(), path)
        expected = module.state_dict()
        if how != "state dict":
            expected = torch.jit.load(path).state_dict()  # type: ignore[no-untyped-call]
    archive = Archive(path)
    assert set(archive.shapes()) == set(expected)
    for name, tensor in expected.items():
        assert archive.shapes()[name] == tuple(tensor.shape)
        assert archive.dtype(name) == str(tensor.dtype).removeprefix("torch.")
        if tensor.is_floating_point():
            np.testing.assert_array_equal(archive.read(name), tensor.float().numpy())
        else:
            with pytest.raises(WeightsError, match=f"parameter {name} is stored as (int64|bool)"):
                archive.read(name)


def test_openai_s_layout_holds_the_checkpoint(tmp_path: Path) -> None:
    checkpoint = recipe.checkpoint("tiny-resnet")
    stored = as_openai_stores(checkpoint)
    archive = Archive(torchscript_file(stored, tmp_path / "RN.pt"))
    assert archive.shapes() == {name: values.shape for name, values in stored.items()}
    assert archive.dtype("visual.conv1.weight") == "float16"
    assert archive.dtype("visual.bn1.weight") == "float32"
    assert archive.dtype("input_resolution") == "int64"
    for name, values in checkpoint.items():
        np.testing.assert_array_equal(archive.read(name), values)


def test_a_file_written_without_checksums(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.serialization.set_crc32_options(False)
    try:
        state_dict_file({"w": torch.ones(3)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    np.testing.assert_array_equal(Archive(path).read("w"), np.ones(3))


def test_the_format_before_1_6_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    state_dict_file({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=False)
    assert is_archive(path)
    message = refused(path, lambda: Archive(path))
    assert "format from before 1.6" in message
    assert message.endswith("load it with torch (weights_only=True) and save it as safetensors")


def test_expanded_tensors_are_refused(tmp_path: Path) -> None:
    path = state_dict_file({"w": torch.ones(1).expand(5)}, tmp_path / "a.pt")
    assert "repeats 1 elements - save it .contiguous()" in refused(path, lambda: Archive(path))


def test_float64_beyond_float32_is_infinite(tmp_path: Path) -> None:
    path = state_dict_file(
        {"w": torch.tensor([1e300, 0.1], dtype=torch.float64)}, tmp_path / "a.pt"
    )
    np.testing.assert_array_equal(Archive(path).read("w"), np.array([np.inf, 0.1], np.float32))


def test_formats_are_told_apart_by_content(tmp_path: Path) -> None:
    assert not is_archive(recipe.checkpoint_file("tiny-vit", tmp_path))
    (tmp_path / "empty.pt").touch()
    assert not is_archive(tmp_path / "empty.pt")


def test_a_member_beyond_any_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "far.pt"
    path.write_bytes(b"PK\x03\x04" + bytes(60))
    entry = zipfile.ZipInfo("data.pkl")
    entry.header_offset = 2**63 + 5  # as a zip64 directory may say
    with (
        archive._Reader(io.FileIO(path)) as file,
        pytest.raises(Refused, match="is not where the zip directory says"),
    ):
        archive._find(file, {"data.pkl": entry}, "data.pkl")
