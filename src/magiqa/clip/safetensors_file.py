"""Safetensors files, read a tensor at a time; bfloat16, which numpy does not know, included."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from magiqa.clip.architecture import Shape
from magiqa.clip.towers import Floats
from magiqa.errors import WeightsError

_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class SafetensorsFile:
    """The tensors of one safetensors file by name; the file stays closed between reads."""

    def __init__(self, path: Path) -> None:
        """Raises WeightsError when the file is damaged or of another format."""
        from safetensors import SafetensorError, safe_open

        self.path = path
        try:
            with safe_open(path, framework="np"):  # checks the header against the file's size
                pass
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                self._header: dict[str, Any] = json.loads(file.read(length))
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(
                f"{path} - not a readable safetensors file ({error}) - give a CLIP checkpoint: "
                f"safetensors, or a .pt file of torch.save or torch.jit.save"
            ) from error
        self._header.pop("__metadata__", None)
        self._start = 8 + length

    def shapes(self) -> dict[str, Shape]:
        """Name -> shape of every tensor."""
        return {name: tuple(entry["shape"]) for name, entry in self._header.items()}

    def read(self, name: str) -> Floats:
        """One tensor of floats, widened or narrowed to float32, contiguous."""
        entry = self._header[name]
        if entry["dtype"] not in _FLOATS:
            raise WeightsError(
                f"{self.path} - parameter {name} is stored as {entry['dtype']} - save the "
                f"checkpoint in float32, float16 or bfloat16"
            )
        stored_as, shape = np.dtype(_FLOATS[entry["dtype"]]), entry["shape"]
        begin, end = (self._start + offset for offset in entry["data_offsets"])
        with self.path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if not self._start <= begin <= end <= size or (
                end - begin != math.prod(shape) * stored_as.itemsize
            ):
                raise WeightsError(
                    f"{self.path} - parameter {name} is not where the header says - give an "
                    f"undamaged checkpoint"
                )
            file.seek(begin)
            values = np.fromfile(file, stored_as, math.prod(shape)).reshape(shape)
        if entry["dtype"] == "BF16":  # the upper half of a float32
            values = (values.astype("<u4") << 16).view("<f4")
        with np.errstate(over="ignore", invalid="ignore"):  # float64 may become infinite
            return values.astype(np.float32, copy=False)
