"""What else a picture's embeddings tell: one similarity for each attribute preset."""

from __future__ import annotations

import numpy as np

from magiqa import equations
from magiqa.errors import SettingsError
from magiqa.records import Embedded
from magiqa.scorer import Scorer
from magiqa.settings import PRESETS

NAMES = ("brightness", "noisiness", "colorfulness", "sharpness", "contrast")


class Attributes:
    """The attribute presets that a scorer's backbone knows, asked all at once."""

    def __init__(self, scorer: Scorer) -> None:
        known = {}
        for name in NAMES:
            try:
                known[name] = scorer.anchors_of(PRESETS[name])
            except SettingsError:  # a backbone without texts, which never learned this one
                continue
        self.names = tuple(known)
        self._logit_scale = scorer.anchors.logit_scale
        self._anchors = np.array(
            [each.embeddings[0] for each in known.values()], np.float64
        )  # (attributes, 2, D)

    def __call__(self, embedded: Embedded) -> dict[str, float]:
        """Each attribute's similarity, 0..1: how near to "Bright photo." as against "Dark photo.".

        The same number as `Score.similarity` under that preset; no magnitude is in it, for that is
        no measure of brightness.
        """
        if not self.names:
            return {}
        F = embedded.embeddings.astype(np.float64)
        means = equations.pair_probabilities(F, self._anchors, self._logit_scale).mean(axis=0)
        return dict(zip(self.names, map(float, means), strict=True))
