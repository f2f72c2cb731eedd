from __future__ import annotations

import json

from magiqa import Failure, Score, ViewScore


def test_to_dict_is_json() -> None:
    view = ViewScore((0, 0, 224, 224), 0.5, 0.6, 0.7, 0.53)
    score = Score("a.jpg", 0.5, 0.4, 0.6, 0.7, {"x / y": 0.4}, 224, 224, "RN50", ("flat",), (view,))
    read = json.loads(json.dumps(score.to_dict()))
    assert read["views"][0]["box"] == [0, 0, 224, 224]
    assert read["pairs"] == {"x / y": 0.4}
    assert Failure("b.jpg", "PictureError", "why").to_dict() == {
        "source": "b.jpg",
        "kind": "PictureError",
        "text": "why",
    }
