"""The authors' own numbers, through the public API (tests/golden, tolerances from its README)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CHECKPOINTS

import recipe
from magiqa import Scorer, Settings
from magiqa.records import Embedded, Failure, Item

GOLDEN = json.loads((Path(__file__).parent / "golden" / "golden.json").read_text())
BIG = {"RN50", "RN101", "ViT-B/32", "ViT-L/14"}


def settings_of(case: dict[str, Any]) -> Settings:
    params = case["params"]
    return Settings(
        protocol="paper",
        resize=case["resize"] and tuple(case["resize"]),
        positional_embedding=case.get("positional_embedding", False),
        box_cox_lambda=params.get("box_lam", 0.5),
        alpha=params.get("alpha", 1.0),
        base_similarity=params.get("base_cos", 1.0),
        base_magnitude=params.get("base_norm", 0.6),
    )


# Two windows of this picture bring RN101's attention pool to a tie: logits of 50,000, the first two
# less than 3 apart. The golden there is 2.5e-5 from float64's result (docs/decisions/0006), and
# torch as far on the other side (0013).
TIES = {("RN101", 5, "onnx"): ([4, 5], 6e-5, 2e-5), ("RN101", 5, "torch"): ([4, 5], 1e-4, 4e-5)}


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(name, marks=pytest.mark.slow if name in BIG else ()) for name in GOLDEN],
)
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_every_case_of(architecture: str, engine: Any) -> None:
    weights = recipe.checkpoint_file(architecture, CHECKPOINTS)
    texts = np.asarray(GOLDEN[architecture]["text_head"]).reshape(5, 2, 4)
    scorers: dict[bool, Scorer] = {}
    known: dict[str, Embedded | Failure] = {}
    for case in GOLDEN[architecture]["cases"]:
        settings = settings_of(case)
        network = settings.positional_embedding
        if network not in scorers:
            scorers[network] = Scorer(weights=weights, settings=settings, engine=engine)
        scorer = scorers[network]
        scorer.settings = settings  # cases that differ in these alone share a network

        # and those that differ in the equations alone share their embeddings
        views = f"{case['image']} {case['resize']} {network}"
        if views not in known:
            item = Item("", recipe.picture(**case["image"]))
            [known[views]] = scorer.stream_embeddings([item], "raise")
        embedded = known[views]
        assert isinstance(embedded, Embedded)
        score = scorer.score_embedded(embedded)
        assert len(score.views) == case["views"]
        near(score.score, case["score"])
        key = (architecture, case["image"]["seed"], engine)
        tied, tolerance, of_pairs = TIES.get(key, ([], 0, 2e-5))
        near(list(score.pairs.values()), case["pairs"], of_pairs)
        for name, golden in (
            ("similarity", "similarity"),
            ("magnitude", "magnitude"),
            ("weight", "weight_similarity"),
            ("score", "fused"),
        ):
            for index, (view, wanted) in enumerate(zip(score.views, case[golden], strict=True)):
                near(getattr(view, name), wanted, tolerance if index in tied else 2e-5)
        near(scorer.anchors.embeddings[..., :4], texts, 5e-6)

        norms = np.linalg.norm(embedded.embeddings, axis=1)
        relative = (embedded.embeddings[0, :4] - case["embedding_head"]) / norms[0]
        near(norms / case["embedding_norm"], 1, 2e-4 if tied else 1e-5)
        near(relative, 0, 1e-5)


def near(got: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance)
