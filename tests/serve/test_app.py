"""What the service answers, asked over HTTP."""

from __future__ import annotations

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import recipe
from magiqa import PRESETS, Item, Scorer, Settings
from magiqa.pictures import decode, quality_map
from serve.conftest import encoded, number, raw

SIZES = [(240, 300), (500, 400), (90, 120), (224, 224), (1000, 900)]


def test_many_files_are_rows_in_their_order_with_the_offline_numbers(
    client: httpx.Client, tiny: Scorer
) -> None:
    data = [encoded(*size, seed) for seed, size in enumerate(SIZES)]
    files = [("files", (f"{at}.png", each)) for at, each in enumerate(data)]
    answer = client.post("/v1/score", files=files)
    assert answer.status_code == 200
    content = answer.json()
    assert (content["backbone"], content["fingerprint"]) == (
        tiny.backbone,
        tiny.settings.fingerprint,
    )
    for at, (row, score) in enumerate(zip(content["pictures"], tiny.score_many(data), strict=True)):
        assert row["source"] == f"{at}.png"
        for cue in ("score", "similarity", "magnitude", "weight"):
            assert row[cue] == pytest.approx(getattr(score, cue), abs=1e-6)
        assert row["pairs"] == pytest.approx(score.pairs, abs=1e-5)
        assert (row["width"], row["height"]) == (score.width, score.height)
        assert (row["views"], row["warnings"]) == (len(score.views), list(score.warnings))


@pytest.mark.parametrize("kind", ["image/png", "Application/Octet-Stream", "image/whatever"])
def test_the_body_may_be_the_picture(client: httpx.Client, tiny: Scorer, kind: str) -> None:
    data = encoded(300, 400)
    answer = client.post("/v1/score", content=data, headers={"Content-Type": kind})
    [row] = answer.json()["pictures"]
    assert row["score"] == pytest.approx(tiny(data).score, abs=1e-6)


def test_attributes_are_the_similarities_under_their_presets(
    client: httpx.Client, checkpoint: Any
) -> None:
    data = encoded(300, 400)
    [row] = client.post("/v1/score", **raw(data)).json()["pictures"]
    assert list(row["attributes"]) == [*PRESETS][3:]
    for name, value in row["attributes"].items():
        asked = Scorer(weights=checkpoint, settings=Settings(prompts=name))
        assert value == pytest.approx(asked(data).similarity, abs=1e-6)


def test_a_file_may_be_called_what_is_no_unicode(client: httpx.Client) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="+2AA-.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x; charset=utf-7"}
    answer = client.post(
        "/v1/score", content=head + encoded(240, 300) + b"\r\n--x--\r\n", headers=kind
    )
    [row] = answer.json()["pictures"]
    assert (answer.status_code, row["source"]) == (200, "\\ud800.png")


def test_a_bad_file_is_a_row_among_the_others(client: httpx.Client) -> None:
    files = [("files", ("bad.jpg", b"a text")), ("files", ("good.png", encoded(240, 240)))]
    answer = client.post("/v1/score", files=files)
    assert answer.status_code == 200
    bad, good = answer.json()["pictures"]
    assert bad["source"] == "bad.jpg"
    assert bad["error_kind"] == "PictureError"
    assert bad["error"].startswith("bad.jpg - not a picture in a format")
    assert "score" in good


def test_nothing_but_bad_files_is_a_problem(client: httpx.Client) -> None:
    answer = client.post("/v1/score", **raw(b"a text"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"] == problem["pictures"][0]["error"]
    assert problem["detail"].startswith("body - not a picture in a format Pillow knows")


@pytest.mark.parametrize("cue", ["score", "similarity", "magnitude"])
def test_the_map_is_the_offline_map(client: httpx.Client, tiny: Scorer, cue: Any) -> None:
    data = encoded(300, 420)
    answer = client.post("/v1/map", params={"cue": cue}, **raw(data))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    pixels = decode.read(Item("", data), Settings()).pixels
    expected = quality_map.draw(tiny(data), pixels, cue)
    with Image.open(io.BytesIO(answer.content)) as drawn:
        np.testing.assert_allclose(np.asarray(drawn, int), np.asarray(expected, int), atol=1)


def test_a_map_of_one_form_file_is_the_same(client: httpx.Client) -> None:
    data = encoded(300, 420)
    by_form = client.post("/v1/map", files={"file": ("a.png", data)})
    assert by_form.content == client.post("/v1/map", **raw(data)).content


@pytest.mark.parametrize(
    ("height", "width", "text"),
    [(240, 300, "has one window"), (90, 120, "has a side under 224 pixels")],
)
def test_what_has_no_map_is_told(client: httpx.Client, height: int, width: int, text: str) -> None:
    answer = client.post("/v1/map", **raw(encoded(height, width)))
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"body - nothing to map: {width}x{height} {text}")


def test_a_map_is_of_one_picture(client: httpx.Client) -> None:
    files = [("files", ("a.png", encoded(300, 420)))] * 2
    answer = client.post("/v1/map", files=files)
    assert answer.status_code == 400
    assert answer.json()["detail"] == "map - got 2 pictures - send one in a request"


def test_info_tells_what_scores_rest_on(client: httpx.Client, tiny: Scorer) -> None:
    content = client.get("/v1/info").json()
    assert content["provenance"]["fingerprint"] == tiny.settings.fingerprint
    assert content["provenance"]["weights_hash"] == tiny.provenance["weights_hash"]
    assert content["limits"]["files"] == 16


def test_health(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"alive": True}
    assert client.get("/readyz").json() == {"ready": True}


def test_the_document_describes_every_address(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/score",
        "/v1/map",
        "/v1/info",
    }
    bodies = document["paths"]["/v1/score"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "image/*", "application/octet-stream"} == set(bodies)
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert operation["description"]


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nothing", 404, "GET /nothing - not found - see /openapi.json for what there is"),
        (
            "GET",
            "/v1/score",
            405,
            "GET /v1/score - method not allowed - see /openapi.json for what this address takes",
        ),
        (
            "POST",
            "/v1/map?cue=beauty",
            422,
            "cue - got 'beauty' - give 'score', 'similarity' or 'magnitude'",
        ),
    ],
)
def test_the_frameworks_errors_are_told_as_problems(
    client: httpx.Client, method: str, path: str, status: int, detail: str
) -> None:
    answer = client.request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["detail"]) == (status, status, detail)


def test_metrics_count(client: httpx.Client) -> None:
    before = number(client, "magiqa_pictures_total")
    views = number(client, "magiqa_micro_batch_views_sum")
    client.post("/v1/score", **raw(encoded(224, 352)))
    client.post("/v1/score", **raw(b"a text"))
    assert number(client, "magiqa_pictures_total") == before + 1
    assert number(client, "magiqa_micro_batch_views_sum") == views + 3
    assert number(client, 'magiqa_errors_total{kind="PictureError"}') >= 1
    assert number(client, "magiqa_queue_pictures") == 0
    scored = 'magiqa_requests_total{method="POST",path="/v1/score",status="200"}'
    assert number(client, scored) >= 1


def test_the_scores_of_a_small_recipe_picture_are_exact(client: httpx.Client, tiny: Scorer) -> None:
    pixels = recipe.picture(200, 180, seed=3)
    [row] = client.post("/v1/score", **raw(encoded(200, 180, 3))).json()["pictures"]
    assert row["score"] == pytest.approx(tiny(pixels).score, abs=1e-9)
    assert row["warnings"] == ["thumbnail-only"]


def test_the_document_can_be_read(client: httpx.Client) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"]
    for text in (
        "<h2>POST /v1/map</h2>",
        "score, similarity, magnitude (default score)",
        "<dt>body</dt><dd>multipart/form-data, application/octet-stream, image/*</dd>",
        "<dt>429</dt><dd>Too much at a time: try again after Retry-After seconds: application/prob",
    ):
        assert text in answer.text
    assert "<script" not in answer.text
