"""Towers -> torch: on any device, in half precision, with gradients."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from itertools import groupby
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from magiqa.clip import towers
from magiqa.clip.towers import Floats
from magiqa.clip.weights import Checkpoint
from magiqa.errors import MissingExtra, SettingsError, nearest
from magiqa.pictures.views import SIDE, STRIDE, Cut, thumbnail
from magiqa.records import Box

try:
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    from magiqa.clip.cuda import Graph, Staging, queue, within
    from magiqa.clip.torch_ops import OPS
except ModuleNotFoundError:
    raise MissingExtra("engine - torch is not installed - pip install 'magiqa[torch]'") from None

Dtype: TypeAlias = Literal["float32", "float16", "bfloat16"]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
NOT_ENOUGH = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")
"""In RuntimeErrors: CUDA and MPS, the CPU's allocator (twice), CUDA's libraries."""
_FLAGS = threading.Lock()


class Frozen(nn.Module):
    """Arrays as buffers: they move with the module, learn nothing, and have no place in its state.

    A half-precision module keeps those named `exact` in float32.
    """

    def __init__(
        self, arrays: Mapping[str, Floats], exact: frozenset[str], persistent: bool
    ) -> None:
        super().__init__()
        self._names = {name: name.replace(".", "_") for name in arrays}
        self._exact = exact
        for name, values in arrays.items():
            tensor = torch.from_numpy(np.require(values, requirements=["C", "W"]))
            if tensor.ndim == 4:
                tensor = tensor.to(memory_format=torch.channels_last)
            self.register_buffer(self._names[name], tensor, persistent=persistent)

    def arrays(self, half: torch.dtype | None = None) -> dict[str, Tensor]:
        """All of them by name, in `half` precision where that is given and they are not exact."""
        found = {name: self.get_buffer(attribute) for name, attribute in self._names.items()}
        if half is None:
            return found
        return {
            name: values if name in self._exact else values.to(half)
            for name, values in found.items()
        }

    def _apply(self, fn: Any, recurse: bool = True) -> Frozen:
        before = {name: self.get_buffer(self._names[name]) for name in self._exact}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, values in before.items():
            now = self.get_buffer(self._names[name])
            if now.itemsize < 4:
                self._buffers[self._names[name]] = values.to(now.device, torch.float32)
        return self


class ImageTower(Frozen):
    """The image tower of a checkpoint: differentiable with respect to the views."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        positional_embedding: bool = False,
        persistent: bool = False,
    ) -> None:
        """`persistent` puts the weights into `state_dict`. Raises WeightsError."""
        self.architecture = checkpoint.architecture
        weights = towers.prepare_image(checkpoint.read, self.architecture, positional_embedding)
        # half precision is for the blocks: pixels less their mean have more digits than it, and the
        # attention pool's logits may lie beyond float16; neither takes a hundredth of the time
        residual = self.architecture.patch is None
        exact = {
            name
            for name in weights
            if name == "mean" or (residual and not name.startswith(("conv", "layer")))
        }
        super().__init__(weights, frozenset(exact), persistent)

    def forward(self, views: Tensor, whole: bool = False) -> Tensor:
        """Views (N, 3, 224, 224), values 0..255 -> unnormalised embeddings (N, D).

        With `whole`, one picture (1, 3, H, W), see `towers.image_tower`. Under autocast the blocks
        alone are in half precision.
        """
        kind = views.device.type
        half = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None
        with torch.autocast(kind, enabled=False):
            weights = self.arrays(half)
            views = views.contiguous(memory_format=torch.channels_last)  # as the kernels are
            embeddings = towers.image_tower(OPS, weights, self.architecture, views, whole)
            return embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))


class TorchEncoder:
    """The image tower of a checkpoint on a device: numpy in, numpy out."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        positional_embedding: bool = False,
        threads: int | None = None,
        device: str = "cpu",
        dtype: Dtype = "float32",
        whole: bool = False,
        micro_batch: int | None = None,
    ) -> None:
        """`device` is "cpu", "cuda", "cuda:N" or "mps", and must be there.

        `threads`, on a CPU, becomes torch's own number, the process's. `micro_batch` views are
        what it will mostly be given, None: 8, on a GPU 128. Raises SettingsError, WeightsError.
        """
        if dtype not in DTYPES:
            raise SettingsError(f"dtype - got {dtype!r} - {nearest(str(dtype), DTYPES)}")
        self.device = device_of(device)
        if whole:
            towers.check_whole(checkpoint.architecture)
        if threads is not None and self.device.type == "cpu":
            torch.set_num_threads(threads)
        tower = ImageTower(checkpoint, positional_embedding)
        self._tower = tower.to(self.device, DTYPES[dtype]).eval()
        self._whole = whole
        on_cuda = self.device.type == "cuda"
        self._ieee = on_cuda and dtype == "float32"
        # a GPU cuts views in one queue while it encodes others in another
        self._cuts, self._encodes = (queue(self.device) if on_cuda else None for _ in range(2))
        self._staging = Staging() if on_cuda else None
        self.micro_batch = micro_batch or micro_batch_of(self.device)
        self._graph: Graph | None = None
        self._one_at_a_time = threading.Lock()
        self.dimensions = tower.architecture.embedding
        self.engine = f"torch {torch.__version__} {device} {dtype}"

    def room(self, shape: tuple[int, ...]) -> Tensor:
        """Memory for views to be cut into, where `cut` cuts them."""
        with within(self._cuts):
            return torch.empty(shape, device=self.device)

    def place(self, array: NDArray[Any]) -> Tensor:
        """An array where views are cut and encoded: shared on a CPU, else copied to the device."""
        if self._staging is not None:
            with within(self._cuts):
                return self._staging.copy(array, self.device)
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self.device)

    def cut(self, out: Tensor, picture: Tensor, cuts: Sequence[Cut]) -> None:
        """`views.cut` where `place` puts things, in few operations, for each takes Python's lock.

        A thumbnail is one operation of a GPU, not forty small ones.
        """
        with within(self._cuts):
            boxes = [box for box in cuts if box is not None]
            cut_windows(out, picture, boxes)
            if len(boxes) < len(cuts):
                out[-1].copy_(thumbnail(picture) if self._cuts is None else _resized(picture))

    @torch.inference_mode()
    def __call__(self, views: Tensor | Floats) -> Floats:
        """Views (N, 3, 224, 224), values 0..255 -> unnormalised embeddings (N, D).

        With `whole`, one picture (1, 3, H, W) with no side under 32 -> (1, D). Raises MemoryError
        when there is none for so many views.
        """
        try:
            batch = self.place(views) if isinstance(views, np.ndarray) else views
            if self._cuts and self._encodes:
                self._encodes.wait_stream(self._cuts)
            with within(self._encodes), ieee() if self._ieee else nullcontext():
                found: Floats = self._embed(batch).cpu().numpy()
            return found
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error)
        with self._one_at_a_time:  # a graph of so many views is of no use any more
            if self._encodes:
                self._encodes.synchronize()
            self._graph, self.micro_batch = None, (len(views) + 1) // 2
        raise MemoryError(reason)  # out here, where no traceback keeps the activations alive

    def _embed(self, views: Tensor) -> Tensor:
        """The tower, of a full micro-batch on CUDA as a Graph."""
        if self._encodes is None or self._whole or len(views) != self.micro_batch:
            found: Tensor = self._tower(views, self._whole)
            return found
        with self._one_at_a_time:
            self._graph = self._graph or Graph(self._tower, views)
            return self._graph(views)


def cut_windows(out: Tensor, picture: Tensor, boxes: Sequence[Box]) -> None:
    """The first views of `out`: a picture's windows, neighbours of a row all at once."""
    colour, down, across = picture.stride()
    begin = 0
    # in a row of neighbours each box lies a stride further than the one before
    for _, row in groupby(
        enumerate(boxes), lambda each: (each[1][0] - STRIDE * each[0], each[1][1])
    ):
        count = len(list(row))
        left, top, _, _ = boxes[begin]
        windows = picture.as_strided(
            (count, len(picture), SIDE, SIDE),
            (STRIDE * across, colour, down, across),
            picture.storage_offset() + top * down + left * across,
        )
        out[begin : begin + count].copy_(windows)
        begin += count


def _resized(picture: Tensor) -> Tensor:
    """`views.thumbnail` by torch's own kernel."""
    return functional.interpolate(picture[None].float(), (SIDE, SIDE), mode="bilinear")[0]


def device_of(name: str) -> torch.device:
    """The device of that name; SettingsError where it is not there."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    here = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    here += ["mps"] if torch.backends.mps.is_available() else []
    if device not in {torch.device(name) for each in here for name in (each, each.split(":")[0])}:
        raise SettingsError(
            f"device - {name!r} is not there for torch {torch.__version__} - choose from "
            f"{', '.join(here)}, or install the torch that is made for it"
        )
    return device


def micro_batch_of(device: torch.device) -> int:
    """How many views go through the network at once, unless told."""
    return 8 if device.type == "cpu" else 128


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it says that a device, or the machine, has no memory left for so much at once."""
    return any(words in str(error) for words in NOT_ENOUGH)


@contextmanager
def ieee() -> Iterator[None]:
    """CUDA's float32 as it is, not as TF32, torch's own default for convolutions.

    The switches are the whole process's, so one thread at a time.
    """
    cudnn, cuda = torch.backends.cudnn, torch.backends.cuda
    switches: list[tuple[Any, str, Any]] = [
        (cudnn, "allow_tf32", False),
        (cuda.matmul, "allow_tf32", False),
    ]
    if hasattr(cudnn, "conv"):  # torch 2.9 has others, and refuses to read the old ones after them
        switches = [(each, "fp32_precision", "ieee") for each in (cudnn.conv, cuda.matmul)]
    with _FLAGS:
        before = [getattr(owner, name) for owner, name, _ in switches]
        for owner, name, value in switches:
            setattr(owner, name, value)
        try:
            yield
        finally:
            for (owner, name, _), value in zip(switches, before, strict=True):
                setattr(owner, name, value)
