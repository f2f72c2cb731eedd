"""One scorer for many requests: shared micro-batches, places, cancelling, failing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from magiqa import Scorer
from magiqa.pictures.pool import DecodePool
from serve.conftest import Gated, encoded, number, raw, serving, wait_for

ONE_VIEW = encoded(200, 200)


def ask(client: httpx.Client) -> httpx.Response:
    return httpx.post(f"{client.base_url}/v1/score", timeout=30, **raw(ONE_VIEW))


def test_requests_that_wait_share_micro_batches(checkpoint: Path) -> None:
    gated = Gated(checkpoint, micro_batch=8)
    with serving(gated) as client, ThreadPoolExecutor(20) as threads:
        gated.batches.clear()
        gated.at_gate.clear()
        gated.gate.clear()
        first = threads.submit(ask, client)
        assert gated.at_gate.wait(20)  # it went through alone, waiting for nobody
        others = [threads.submit(ask, client) for _ in range(16)]
        wait_for(lambda: number(client, "magiqa_queue_pictures") == 17)
        wait_for(lambda: len(gated.batches) == 0)
        wait_for(lambda: client.get("/healthz").status_code == 200)
        # all of them are decoded before the gate opens
        threading.Event().wait(0.5)
        gated.gate.set()
        assert {each.result().status_code for each in (first, *others)} == {200}
    assert gated.batches == [1, 8, 8]


def test_pictures_of_requests_are_never_mixed_up(tiny: Scorer) -> None:
    data = [encoded(200 + 16 * (seed % 9), 210 + 16 * (seed % 7), seed) for seed in range(40)]
    expected = [score.score for score in tiny.score_many(data)]
    with serving(tiny, jobs=2) as client, ThreadPoolExecutor(16) as threads:

        def score(at: int) -> float:
            answer = client.post("/v1/score", **raw(data[at]))
            value: float = answer.json()["pictures"][0]["score"]
            return value

        found = list(threads.map(score, list(range(40)) * 3))
    assert found == pytest.approx(expected * 3, abs=1e-6)


def test_a_full_queue_says_when_to_come_again(gated: Gated) -> None:
    with serving(gated, queue=2, files=2) as client, ThreadPoolExecutor(2) as threads:
        gated.gate.clear()
        files = [("files", ("a.png", ONE_VIEW))] * 2
        taken = threads.submit(client.post, "/v1/score", files=files)
        wait_for(lambda: number(client, "magiqa_queue_pictures") == 2)
        answer = ask(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["detail"] == (
            "queue - 2 of 2 places are taken, 1 more are asked for - try again in a second"
        )
        gated.gate.set()
        assert taken.result().status_code == 200
        assert ask(client).status_code == 200


def test_requests_at_a_time_are_limited(gated: Gated) -> None:
    with serving(gated, concurrency=1) as client, ThreadPoolExecutor(1) as threads:
        gated.gate.clear()
        taken = threads.submit(ask, client)
        wait_for(lambda: number(client, "magiqa_queue_pictures") == 1)
        answer = ask(client)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert answer.json()["detail"].startswith("requests - 1 are being answered, the limit - ")
        gated.gate.set()
        assert taken.result().status_code == 200


def test_who_goes_away_leaves_the_queue_unencoded(gated: Gated) -> None:
    with serving(gated) as client, ThreadPoolExecutor(1) as threads:
        gated.batches.clear()
        gated.at_gate.clear()
        gated.gate.clear()
        stays = threads.submit(ask, client)
        assert gated.at_gate.wait(20)
        for _ in range(5):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{client.base_url}/v1/score", timeout=0.3, **raw(ONE_VIEW))
        wait_for(lambda: number(client, "magiqa_queue_pictures") == 1)
        gated.gate.set()
        assert stays.result().status_code == 200
        assert ask(client).status_code == 200
        gone = 'magiqa_requests_total{method="POST",path="/v1/score",status="499"}'
        assert number(client, gone) == 5
    assert gated.batches == [1, 1]


def test_what_is_too_late_leaves_the_queue_unencoded(gated: Gated) -> None:
    with serving(gated, seconds=1) as client, ThreadPoolExecutor(4) as threads:
        gated.batches.clear()
        gated.at_gate.clear()
        gated.gate.clear()
        late = [threads.submit(ask, client)]
        assert gated.at_gate.wait(20)  # alone in its micro-batch
        late += [threads.submit(ask, client) for _ in range(3)]
        answers = [each.result() for each in late]
        assert {answer.status_code for answer in answers} == {504}
        assert answers[0].json()["detail"] == (
            "request - not answered in 1 s - send fewer pictures, or later"
        )
        gated.gate.set()
        assert ask(client).status_code == 200
    assert sum(gated.batches) <= 2  # the one at the gate, and the last


def test_an_engine_that_fails_is_told_and_outlived(gated: Gated) -> None:
    with serving(gated) as client:
        gated.broken = True
        answer = ask(client)
        assert answer.status_code == 500
        assert answer.json()["detail"] == (
            "body - the engine failed (RuntimeError) - try again, and if it fails again tell who "
            "runs this service; the log has the reason"
        )
        gated.broken = False
        assert ask(client).status_code == 200
        assert client.get("/readyz").status_code == 200
        assert number(client, 'magiqa_errors_total{kind="RuntimeError"}') == 1


def test_an_answer_that_cannot_be_made_is_told_too(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(gated) as client:
        with monkeypatch.context() as broken:
            broken.setattr(gated, "score_embedded", lambda _: 1 / 0)
            answer = ask(client)
        assert answer.status_code == 500
        assert "the engine failed (ZeroDivisionError)" in answer.json()["detail"]
        assert ask(client).status_code == 200


def test_what_nobody_foresaw_is_a_problem_with_its_id(
    gated: Gated, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise RuntimeError("no worker could be started")

    with serving(gated) as client:
        with monkeypatch.context() as broken:
            broken.setattr(DecodePool, "submit", gone)
            answer = ask(client)
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-request-id"]
        assert answer.json()["detail"] == (
            "this request - failed for a reason of the service's own - tell who runs it, with the "
            "answer's x-request-id: the log has the reason"
        )
        assert ask(client).status_code == 200


def test_a_model_that_fails_at_once_is_never_ready(gated: Gated) -> None:
    gated.broken = True
    with serving(gated, warm=False) as client:
        wait_for(lambda: number(client, 'magiqa_errors_total{kind="RuntimeError"}') == 1)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["detail"] == (
            "model - is not warm yet - ask again in a second; if it stays so, the log has the "
            "reason"
        )
        assert client.get("/healthz").status_code == 200
