"""The towers on torch, on a CPU: the same numbers as on ONNX Runtime."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from conftest import CHECKPOINTS
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import recipe
from magiqa import Failure, PictureError, Scorer, Settings, SettingsError
from magiqa.clip import cuda
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.torch_engine import (
    ImageTower,
    TorchEncoder,
    cut_windows,
    ieee,
    is_out_of_memory,
    micro_batch_of,
)
from magiqa.clip.weights import Checkpoint
from magiqa.pictures import views
from magiqa.settings import Coverage

VIEWS = np.random.default_rng(0).uniform(0, 255, (3, 3, 224, 224)).astype(np.float32)
SIZES = [(224, 224), (260, 300), (480, 225), (100, 640), (1, 1), (384, 512)]
PICTURES = [recipe.picture(*size, seed=seed) for seed, size in enumerate(SIZES)]


@pytest.mark.parametrize("positional_embedding", [False, True])
@pytest.mark.parametrize("architecture", ["tiny-resnet", "tiny-vit"])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 2e-6), ("float16", 4e-3), ("bfloat16", 3e-2)]
)
def test_embeddings_are_those_of_the_other_engine(
    architecture: str, positional_embedding: bool, dtype: Any, tolerance: float
) -> None:
    checkpoint = Checkpoint(recipe.checkpoint_file(architecture, CHECKPOINTS), "")
    wanted = OnnxEncoder(checkpoint, positional_embedding)(VIEWS)
    encoder = TorchEncoder(checkpoint, positional_embedding, dtype=dtype)
    got = encoder(VIEWS)
    assert got.dtype == np.float32
    assert encoder.dimensions == got.shape[1]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())
    assert encoder.engine == f"torch {torch.__version__} cpu {dtype}"


def test_both_engines_score_alike(tiny: Scorer, checkpoint: Path) -> None:
    there = tiny.score_many(PICTURES)
    here = Scorer(weights=checkpoint, engine="torch").score_many(PICTURES)
    for ours, theirs in zip(here, there, strict=True):
        assert ours.score == pytest.approx(theirs.score, abs=1e-6)
        assert ours.pairs == pytest.approx(theirs.pairs, abs=1e-6)
        assert [view.box for view in ours.views] == [view.box for view in theirs.views]
        for one, other in zip(ours.views, theirs.views, strict=True):
            assert one.magnitude == pytest.approx(other.magnitude, abs=5e-6)


@pytest.mark.parametrize("micro_batch", [1, 2, 5, 64])
def test_a_batch_equals_one_by_one_whatever_the_micro_batch(
    checkpoint: Path, micro_batch: int
) -> None:
    scorer = Scorer(weights=checkpoint, engine="torch", micro_batch=micro_batch)
    for together, picture in zip(scorer.score_many(PICTURES), PICTURES, strict=True):
        assert together.score == pytest.approx(scorer(picture).score, abs=1e-5)


def test_a_failure_takes_its_pictures_place(checkpoint: Path) -> None:
    scorer = Scorer(weights=checkpoint, engine="torch")
    rows = scorer.score_many([PICTURES[0], "gone.jpg", PICTURES[1]], on_error="return")
    assert [isinstance(row, Failure) for row in rows] == [False, True, False]


def test_whole_pictures(checkpoint: Path) -> None:
    whole = Settings(coverage="whole")
    there = Scorer(weights=checkpoint, settings=whole)(PICTURES[1])
    here = Scorer(weights=checkpoint, settings=whole, engine="torch")(PICTURES[1])
    assert here.score == pytest.approx(there.score, abs=1e-6)
    vit = recipe.checkpoint_file("tiny-vit", CHECKPOINTS)
    with pytest.raises(SettingsError, match=r"coverage='whole' - vit32-\S+ takes 224x224 alone"):
        Scorer(weights=vit, settings=whole, engine="torch")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_near_and_its_equations_exact(checkpoint: Path, dtype: Any) -> None:
    scorer = Scorer(weights=checkpoint, engine="torch", dtype=dtype)
    exact = Scorer(weights=checkpoint, engine="torch")
    for half, full in zip(scorer.score_many(PICTURES), exact.score_many(PICTURES), strict=True):
        assert half.score == pytest.approx(full.score, abs=0.01)
        for view in half.views:  # rounded to half precision this would not hold
            fused = view.weight * view.similarity + (1 - view.weight) * view.magnitude
            assert view.score == pytest.approx(fused, abs=1e-12)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "xpu", "cpu:7", "graphics"])
def test_an_absent_device_is_told_with_the_ones_there_are(
    checkpoint: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    told = rf"device - '{name}' is not there for torch \S+ - choose from cpu, or install"
    with pytest.raises(SettingsError, match=told):
        Scorer(weights=checkpoint, engine="torch", device=name)


def test_wrong_use_is_told(checkpoint: Path) -> None:
    with pytest.raises(SettingsError, match=r"dtype - got 'float61' - did you mean float16"):
        Scorer(weights=checkpoint, engine="torch", dtype="float61")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=r"engine - got 'jax' - choose from onnx, torch"):
        Scorer(weights=checkpoint, engine="jax")  # type: ignore[arg-type]
    with pytest.raises(
        SettingsError, match=r"device - got 'cuda' with engine='onnx' - it is torch"
    ):
        Scorer(weights=checkpoint, device="cuda")
    with pytest.raises(SettingsError, match=r"dtype - got 'float32' with engine='onnx'"):
        Scorer(weights=checkpoint, dtype="float32")
    with pytest.raises(SettingsError, match=r"provider - got 'X' with engine='torch' - it is ONNX"):
        Scorer(weights=checkpoint, engine="torch", provider="X")


def test_threads_are_torchs_own(checkpoint: Path) -> None:
    before = torch.get_num_threads()
    try:
        Scorer(weights=checkpoint, engine="torch", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def short_of_memory(most: int, sizes: list[int]) -> Callable[..., Tensor]:
    """ImageTower.forward on a device with room for so many views."""
    forward = ImageTower.forward

    def limited(self: ImageTower, views: Tensor, whole: bool = False) -> Tensor:
        sizes.append(len(views))
        if len(views) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return forward(self, views, whole)

    return limited


def test_where_memory_is_short_micro_batches_are_halved(
    checkpoint: Path, tiny: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(ImageTower, "forward", short_of_memory(2, sizes))
    scorer = Scorer(weights=checkpoint, engine="torch")
    scores = scorer.score_many(PICTURES)
    assert sizes[:3] == [8, 4, 2]
    assert max(sizes[3:]) == 2  # and stays small
    for score, picture in zip(scores, PICTURES, strict=True):
        assert score.score == pytest.approx(tiny(picture).score, abs=1e-5)


def test_no_memory_at_all_is_a_memory_error_that_holds_nothing(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageTower, "forward", short_of_memory(0, []))
    with pytest.raises(MemoryError, match="CUDA out of memory") as caught:
        TorchEncoder(Checkpoint(checkpoint, ""))(VIEWS)
    assert caught.value.__context__ is None  # its traceback would keep the activations
    whole = Scorer(weights=checkpoint, engine="torch", settings=Settings(coverage="whole"))
    with pytest.raises(PictureError, match="260 as a whole needs more memory than there is"):
        whole(PICTURES[1])


def test_other_errors_are_not_taken_for_it(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Tensor:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(ImageTower, "forward", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        TorchEncoder(Checkpoint(checkpoint, ""))(VIEWS)


def test_the_cpus_own_words_for_it_are_known() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 58)
    assert is_out_of_memory(caught.value)


def test_more_views_at_once_on_a_gpu() -> None:
    assert micro_batch_of(torch.device("cpu")) == 8
    assert micro_batch_of(torch.device("cuda:1")) == 128


def test_pixels_of_any_layout_are_placed(checkpoint: Path) -> None:
    encoder = TorchEncoder(Checkpoint(checkpoint, ""))
    pixels = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    fixed = pixels.copy()
    fixed.flags.writeable = False
    for array in (pixels, fixed, pixels[:, ::-1], pixels.transpose(0, 2, 1)):
        np.testing.assert_array_equal(encoder.place(array).numpy(), array)
    assert encoder.place(pixels).data_ptr() == pixels.ctypes.data  # no copy on a CPU


@settings(deadline=None, max_examples=40)
@given(
    width=st.integers(224, 700),
    height=st.integers(224, 500),
    coverage=st.sampled_from(["paper", "full"]),
    begin=st.integers(0, 5),
)
def test_windows_are_cut_row_by_row(
    width: int, height: int, coverage: Coverage, begin: int
) -> None:
    picture = np.moveaxis(recipe.picture(height, width, 0), -1, 0)
    boxes = views.boxes(width, height, coverage)[begin:-1]  # a micro-batch may begin anywhere
    expected, found = (np.zeros((len(boxes), 3, 224, 224), np.float32) for _ in range(2))
    views.cut(expected, picture, boxes)
    with Copies() as copies:  # type: ignore[no-untyped-call]
        cut_windows(torch.from_numpy(found), torch.from_numpy(picture), boxes)
    np.testing.assert_array_equal(found, expected)
    rows = len({box[1] for box in boxes})
    assert copies.count <= rows * (2 if coverage == "full" else 1)


class Copies(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts copies."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func is torch.ops.aten.copy_.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("wanted", [("tf32", "none"), ("ieee", "none"), ("tf32", "tf32")])
def test_tf32_is_off_inside_and_as_it_was_outside(wanted: tuple[str, str]) -> None:
    backends: Any = torch.backends  # whose new switches have no types
    switches = backends.cudnn.conv, backends.cuda.matmul

    def now() -> tuple[str, ...]:
        return tuple(switch.fp32_precision for switch in switches)

    first = now()
    try:
        for switch, value in zip(switches, wanted, strict=True):
            switch.fp32_precision = value
        with ieee():
            assert now() == ("ieee", "ieee")
        assert now() == wanted
    finally:
        for switch, value in zip(switches, first, strict=True):
            switch.fp32_precision = value


def test_a_cpu_asks_nothing_of_gpus(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stream(*_: object) -> None:
        raise AttributeError("module 'torch.mps' has no attribute 'current_device'")

    monkeypatch.setattr(torch.cuda, "stream", stream)  # on a Mac even stream(None) does so
    assert Scorer(weights=checkpoint, engine="torch")(PICTURES[1]).views


def test_no_memory_to_copy_to_is_a_memory_error_too(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Tensor:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(TorchEncoder, "place", full)
    encoder = TorchEncoder(Checkpoint(checkpoint, ""))
    with pytest.raises(MemoryError, match="CUDA out of memory"):
        encoder(VIEWS)
    assert encoder.micro_batch == 2  # three views were too many


def test_a_copy_that_fails_costs_the_next_ones_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(count: int, pin_memory: bool = False) -> Tensor:
        if pin_memory:
            raise RuntimeError("CUDA error: out of memory")
        return torch.empty(count, dtype=torch.uint8)

    monkeypatch.setattr(cuda, "event", lambda: SimpleNamespace(synchronize=lambda: None))
    monkeypatch.setattr(cuda, "_bytes", full)
    staging = cuda.Staging()
    for _ in range(3):  # there are two parts
        with pytest.raises(RuntimeError, match="out of memory"):
            staging.copy(VIEWS, torch.device("cpu"))


def test_exact_arrays_come_back_whatever_happens_between(checkpoint: Path) -> None:
    tower = ImageTower(Checkpoint(checkpoint, "")).double().half()
    kinds = {values.dtype for values in tower.arrays().values()}
    assert kinds == {torch.float16, torch.float32}
    assert {values.dtype for values in tower.double().float().arrays().values()} == {torch.float32}


def test_without_torch_the_engine_says_what_to_install(checkpoint: Path) -> None:
    probe = (
        "import sys; sys.modules['torch'] = None\n"
        "import magiqa\n"
        "try: magiqa.Scorer(weights=sys.argv[1], engine='torch')\n"
        "except magiqa.MissingExtra as error: print(error)\n"
        "try: import magiqa.torch\n"
        "except magiqa.MissingExtra as error: print(error)\n"
        "print(magiqa.Scorer(weights=sys.argv[1]).backbone)"
    )
    command = [sys.executable, "-c", probe, str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    missing = "engine - torch is not installed - pip install 'magiqa[torch]'"
    assert done.stdout.splitlines() == [missing, missing, "resnet-1-1-1-1x8"]


def test_the_core_does_not_load_torch(checkpoint: Path) -> None:
    probe = (
        "import sys, numpy, magiqa\n"
        "magiqa.Scorer(weights=sys.argv[1])(numpy.zeros((250, 250, 3), numpy.uint8))\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", probe, str(checkpoint)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
