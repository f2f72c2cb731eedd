"""Both engines on a CPU with RN50, beside the usual module in eager PyTorch (needs torch)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

import inputs
from magiqa.clip.architecture import read_architecture
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.clip.torch_engine import TorchEncoder
from magiqa.clip.weights import open_checkpoint
from report import Report
from speed import ROUNDS, VIEWS, Work, _ratio, _views, alternate
from usual_module import UsualTower


def main() -> None:
    inputs.prepare()
    os.environ["MAGIQA_CACHE"] = str(inputs.WARM_CACHE)
    report = Report(
        "engines",
        f"RN50, {VIEWS} views at once, one thread, CPU time of the thread, alternating, medians of "
        f"{ROUNDS} rounds; ratios are taken within a round",
    )
    path = inputs.checkpoint("RN50")
    views = _views(VIEWS)
    onnx = OnnxEncoder(open_checkpoint(None, path), threads=1)
    ours = TorchEncoder(open_checkpoint(None, path), threads=1)
    parameters = load_file(path)
    shapes = {name: tuple(values.shape) for name, values in parameters.items()}
    visual = {
        name.removeprefix("visual."): values
        for name, values in parameters.items()
        if name.startswith("visual.")
    }
    usual = UsualTower(read_architecture(shapes, str(path)), visual).eval()
    compiled = torch.compile(ours._tower, dynamic=False)
    batch = torch.from_numpy(views)
    works: dict[str, Work] = {
        "onnx": partial(onnx, views),
        "torch": partial(ours, views),
        "torch, compiled": partial(_without_gradients, compiled, batch),
        "usual": partial(_without_gradients, usual, batch),
    }
    wanted = onnx(views)
    apart = float(np.abs(ours(views) - wanted).max() / np.abs(wanted).max())
    report.add("largest difference of embeddings between the engines", apart, at_most=1e-4)
    seconds = alternate(works)
    for name, spent in seconds.items():
        report.add(f"{name}", VIEWS / median(spent), "views/s")
    faster = _ratio(seconds["usual"], seconds["torch"])
    report.add("engine torch over the usual module, both eager", faster, at_least=1)
    for name in ("torch", "torch, compiled"):
        report.add(f"{name} over engine onnx", _ratio(seconds["onnx"], seconds[name]))
    report.write()


@torch.inference_mode()
def _without_gradients(tower: Callable[[Tensor], object], views: Tensor) -> object:
    return tower(views)


if __name__ == "__main__":
    main()
