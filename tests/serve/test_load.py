"""A few seconds of what benchmarks/serve.py does for half a minute: nothing is lost or mixed up."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

import recipe
from magiqa import Scorer
from serve.conftest import number, serving

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
import serve_client

sys.path.pop()  # or tests/runs would be benchmarks/runs.py to tests that are collected later


def test_many_clients_at_once_get_what_is_theirs(tiny: Scorer, tmp_path: Path) -> None:
    for seed in range(40):
        size = (200, 200 + seed % 3 * 120)  # one view, or two
        Image.fromarray(recipe.picture(*size, seed)).save(tmp_path / f"{seed:02}.png")
    paths = sorted(tmp_path.iterdir())
    scores = tiny.score_many(paths)
    offline = {path.name: score.score for path, score in zip(paths, scores, strict=True)}
    assert len({round(score, 4) for score in offline.values()}) > 35  # a mix-up would show
    with serving(tiny) as client:
        port = client.base_url.port
        assert port
        answers = asyncio.run(serve_client.ask(port, tmp_path, clients=64, seconds=4))
        counted = number(client, "magiqa_pictures_total")
    assert len(answers) >= 64
    assert counted == len(answers) + 1  # the warm-up
    for name, score, _ in answers:
        assert score == pytest.approx(offline[name], abs=1e-6), json.dumps(name)
