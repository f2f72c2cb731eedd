"""Whole pictures scored with a file of nano's weights: magiqa's views, engine and equations."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from distortions.pixels import Bytes
from export import NanoFile
from magiqa import equations
from magiqa.clip.onnx_engine import OnnxEncoder
from magiqa.pictures import views
from magiqa.settings import Settings


class Scores(NamedTuple):
    """A picture's cues, means over its views."""

    similarity: float
    magnitude: float
    score: float


class NanoScorer:
    """What `magiqa.Scorer` does, for a file that it cannot open yet."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        file = NanoFile(path)
        self.encoder = OnnxEncoder(file, threads=threads)  # type: ignore[arg-type]
        self._anchors = file.anchors("ensemble").astype(np.float64)
        self._logit_scale = file.logit_scale
        self._settings = Settings()

    def __call__(self, picture: Bytes) -> Scores:
        """Score a picture (H, W, 3) at its own size."""
        planes = picture.transpose(2, 0, 1)
        height, width = picture.shape[:2]
        *windows, _ = views.boxes(width, height)
        cut = [views.window(planes, box).astype(np.float32) for box in windows]
        F = self.encoder(np.stack([*cut, views.thumbnail(planes)])).astype(np.float64)
        cues = equations.cues(F, self._anchors, self._logit_scale, self._settings)
        return Scores(*(float(cue.mean()) for cue in (cues.similarity, cues.magnitude, cues.score)))
