"""`MagnitudeAwareCLIP`: MA-CLIP as an nn.Module, differentiable with respect to the pictures.

The same towers, views and equations as `Scorer`'s. Needs the extra `torch`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import NamedTuple

from magiqa.clip.torch_engine import Frozen, ImageTower, is_out_of_memory, micro_batch_of

# isort: split
# below, for where there is no torch the import above says what to install
import torch
from torch import Tensor, nn

from magiqa import equations
from magiqa.clip import towers
from magiqa.clip.anchors import load_anchors
from magiqa.clip.weights import open_checkpoint
from magiqa.equations import Cues
from magiqa.errors import PictureError, SettingsError
from magiqa.pictures import views
from magiqa.pictures.decode import NOT_FINITE
from magiqa.records import Box
from magiqa.settings import Settings


class Details(NamedTuple):
    """What lies behind the scores of N pictures."""

    score: Tensor
    """(N,), like the next three the mean over a picture's views."""
    similarity: Tensor
    magnitude: Tensor
    weight: Tensor
    pairs: Tensor
    """(N, pairs), mean probability of each pair's positive text."""
    boxes: tuple[tuple[Box, ...], ...]
    """Of each picture's views: windows row by row, then the thumbnail."""
    views: tuple[Cues, ...]
    """Each picture's cues, view by view."""


class MagnitudeAwareCLIP(nn.Module):
    """How good pictures look, higher is better; each is scored on its own.

    >>> import torch
    >>> quality = MagnitudeAwareCLIP(weights=checkpoint)
    >>> pictures = torch.rand(2, 3, 260, 300, requires_grad=True)
    >>> scores = quality(pictures)
    >>> scores.shape
    torch.Size([2])
    >>> scores.sum().backward()
    """

    def __init__(
        self,
        backbone: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        *,
        tokenizer: str | os.PathLike[str] | None = None,
        micro_batch: int | None = None,
        keep_weights: bool = False,
    ) -> None:
        """Load a backbone by name (default RN50) or the checkpoint in the file `weights`.

        The weights are frozen; `keep_weights` puts them into `state_dict`. `micro_batch` views go
        through the network at once (None: 8 on a CPU, else 128; all where it is compiled); where
        memory is short it is halved. Raises WeightsError, SettingsError.
        """
        super().__init__()
        self.settings = settings or Settings()
        if self.settings.resize is not None:
            raise SettingsError(
                f"resize - got {self.settings.resize} - tensors are not resized here: resize them "
                f"before, in a way you can differentiate"
            )
        if micro_batch is not None and micro_batch < 1:
            raise SettingsError(f"micro_batch - got {micro_batch} - give at least 1")
        checkpoint = open_checkpoint(backbone, weights)
        self.backbone = checkpoint.architecture.backbone
        self.micro_batch = micro_batch
        self._whole = self.settings.coverage == "whole"
        if self._whole:
            towers.check_whole(checkpoint.architecture)
        anchors = load_anchors(checkpoint, self.settings.pairs, tokenizer)
        self.tower = ImageTower(checkpoint, self.settings.positional_embedding, keep_weights)
        self.anchors = Frozen({"texts": anchors.embeddings}, frozenset({"texts"}), keep_weights)
        self.logit_scale = anchors.logit_scale

    def forward(
        self, pictures: Tensor | Sequence[Tensor], details: bool = False
    ) -> Tensor | Details:
        """Pictures (N, 3, H, W), or a list of (3, H, W) of any sizes -> scores (N,).

        Floats are in 0..1, uint8 in 0..255; a single channel is grey. With `details` the cues and
        the views too. Scores are float32, or float64 where the module is. Raises PictureError for
        what is no picture; compiled, the values are not looked at, and NaN gives NaN.
        """
        planes = _planes(pictures, self._device, towers.STRIDE if self._whole else 1)
        boxes = tuple(
            tuple(views.boxes(picture.shape[2], picture.shape[1], self.settings.coverage))
            for picture in planes
        )
        cues = self._cues(planes, boxes)
        counts = [len(each) for each in boxes]
        means = [
            torch.stack([one.mean(0) for one in cue.split(counts)]) if planes else cue
            for cue in cues
        ]
        pairs, similarity, magnitude, weight, score = (mean.to(self._dtype) for mean in means)
        if not details:
            return score
        of_each = zip(*(cue.split(counts) for cue in cues), strict=True) if planes else ()
        cues_of_each = tuple(Cues(*parts) for parts in of_each)
        return Details(score, similarity, magnitude, weight, pairs, boxes, cues_of_each)

    @property
    def _dtype(self) -> torch.dtype:
        return self.tower.get_buffer("mean").dtype  # kept exact: float32, or float64

    @property
    def _device(self) -> torch.device:
        return self.tower.get_buffer("mean").device

    def _cues(self, planes: Sequence[Tensor], boxes: Sequence[Sequence[Box]]) -> Cues:
        """Of all views, in float64 (MPS has no more than float32), whatever the network's dtype."""
        exact = torch.float32 if self._device.type == "mps" else torch.float64
        anchors = self.anchors.arrays()["texts"].to(exact)
        if not planes:
            none = anchors.new_zeros(0)
            return Cues(none.expand(len(anchors), 0).T, none, none, none, none)
        F = self._embed(planes, boxes)
        with torch.autocast(F.device.type, enabled=False):
            return equations.cues(F.to(exact), anchors, self.logit_scale, self.settings)

    def _embed(self, planes: Sequence[Tensor], boxes: Sequence[Sequence[Box]]) -> Tensor:
        """Embeddings of all views, packed whatever pictures they are from."""
        if self._whole:
            return torch.cat([self.tower(picture[None], whole=True) for picture in planes])
        cuts = [
            (picture, box if at < len(own) - 1 else None)
            for picture, own in zip(planes, boxes, strict=True)
            for at, box in enumerate(own)
        ]
        parts = []
        while cuts:
            now = cuts[: self._size(len(cuts))]
            part = self._encode(now)
            if part is None:
                self.micro_batch = (len(now) + 1) // 2
            else:
                parts.append(part)
                cuts = cuts[len(now) :]
        return torch.cat(parts)

    def _size(self, views: int) -> int:
        if self.micro_batch is not None:
            return self.micro_batch
        if torch.compiler.is_compiling():  # the graph holds the network once
            return views
        return micro_batch_of(self._device)

    def _encode(self, cuts: Sequence[tuple[Tensor, Box | None]]) -> Tensor | None:
        """Embeddings of a micro-batch; None when there is no memory for so many views."""
        embeddings: Tensor
        if torch.compiler.is_compiling():
            embeddings = self.tower(_cut(cuts))
            return embeddings
        try:
            embeddings = self.tower(_cut(cuts))
            return embeddings
        except RuntimeError as error:
            if len(cuts) == 1 or not is_out_of_memory(error):
                raise
        return None  # out here the error is gone, and the activations that it held


def _cut(cuts: Sequence[tuple[Tensor, Box | None]]) -> Tensor:
    """Views (N, 3, 224, 224) of (picture, box of a window or None for the thumbnail)."""
    return torch.stack(
        [views.thumbnail(one) if box is None else views.window(one, box) for one, box in cuts]
    )


def _planes(pictures: Tensor | Sequence[Tensor], device: torch.device, least: int) -> list[Tensor]:
    """Each picture as (3, H, W), float32 or float64 in 0..255; raises PictureError."""
    if isinstance(pictures, Tensor) and pictures.ndim != 4:
        raise PictureError(
            f"pictures - got a tensor of shape {tuple(pictures.shape)} - give (N, 3, H, W), or a "
            f"list of (3, H, W)"
        )
    each = list(pictures.unbind()) if isinstance(pictures, Tensor) else list(pictures)
    for index, picture in enumerate(each):
        if not isinstance(picture, Tensor):
            raise PictureError(f"picture {index} - got {type(picture).__name__} - give a tensor")
        if picture.ndim != 3 or picture.shape[0] not in (1, 3) or 0 in picture.shape:
            raise PictureError(
                f"picture {index} - got shape {tuple(picture.shape)} - give (3, H, W), or grey "
                f"(1, H, W); blend transparency before"
            )
        if min(picture.shape[1:]) < least:
            raise PictureError(
                f"picture {index} - got shape {tuple(picture.shape)}, a side under {least} - leave "
                f"it out, or cut views (coverage)"
            )
        if picture.dtype != torch.uint8 and not picture.dtype.is_floating_point:
            raise PictureError(
                f"picture {index} - got {picture.dtype} - give floats in 0..1, or uint8"
            )
        if picture.device != device:
            raise PictureError(
                f"picture {index} - is on {picture.device}, the module on {device} - move one of "
                f"them"
            )
    if not torch.compiler.is_compiling():
        _check_values(each)
    return [_scaled(picture).expand(3, -1, -1) for picture in each]


def _scaled(picture: Tensor) -> Tensor:
    if picture.dtype == torch.uint8:
        return picture.float()
    return picture.to(torch.promote_types(picture.dtype, torch.float32)) * 255


def _check_values(pictures: Sequence[Tensor]) -> None:
    """Refuse floats beyond 0..1, reading from the device once."""
    floats = [(at, each) for at, each in enumerate(pictures) if each.is_floating_point()]
    if not floats:
        return
    extremes = torch.stack([torch.stack(each.detach().aminmax()).float() for _, each in floats])
    for (index, _), (low, high) in zip(floats, extremes.tolist(), strict=True):
        if not (math.isfinite(low) and math.isfinite(high)):
            raise PictureError(f"picture {index} - {NOT_FINITE}")
        if low < 0 or high > 1:
            raise PictureError(
                f"picture {index} - got floats in {low:.4g}..{high:.4g} - give floats in 0..1, or "
                f"uint8"
            )
