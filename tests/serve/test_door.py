"""What every request passes: key, id, headers, log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import httpx
import pytest

from magiqa import Scorer
from serve.conftest import KEY, encoded, number, serving

OTHER = "another-key-of-many-letters"
ADDRESSES = [
    ("GET", "/v1/info"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/nothing"),
    ("GET", "/healthz/"),
    ("GET", "/healthz/../v1/info"),
    ("POST", "/"),
    ("POST", "/v1/score"),
    ("POST", "/v1/map"),
    ("OPTIONS", "/v1/score"),
]


@pytest.fixture(scope="module")
def locked(tiny: Scorer) -> Iterator[httpx.Client]:
    """A client, without a key, of a service that wants one."""
    with serving(tiny, keys=(KEY, OTHER)) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), ADDRESSES)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong-key-of-many-letters", KEY])
def test_without_a_key_there_is_nothing(
    locked: httpx.Client, method: str, path: str, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = locked.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    what = "got one that is none of the keys" if header else "got none"
    assert answer.json()["detail"] == f"key - {what} - send Authorization: Bearer KEY"


def test_health_needs_none(locked: httpx.Client) -> None:
    assert locked.get("/healthz").status_code == 200
    assert locked.get("/readyz").status_code == 200


def test_the_page_without_a_key_is_its_lock(locked: httpx.Client) -> None:
    answer = locked.get("/")
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "<body data-locked>" in answer.text
    opened = locked.get("/", headers={"Authorization": f"Bearer {KEY}"})
    assert opened.status_code == 200
    assert "data-locked>" not in opened.text


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_with_a_key_all_is_there(locked: httpx.Client, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("/v1/info", "/metrics", "/openapi.json"):
        assert locked.get(path, headers=headers).status_code == 200
    files = {"file": ("a.png", encoded(200, 200))}
    assert locked.post("/v1/score", headers=headers, files=files).status_code == 200


def test_a_body_is_not_read_before_the_key(locked: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b"x"
        raise AssertionError("the service reads on")

    headers = {"Content-Type": "image/png", "Content-Length": "1000000"}
    with pytest.raises((AssertionError, httpx.RemoteProtocolError)):
        locked.post("/v1/score", content=endless(), headers=headers)
    assert locked.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/nothing", "/v1/info"])
def test_every_answer_has_the_headers_of_caution(locked: httpx.Client, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {KEY}"}):
        answer = locked.get(path, headers=headers)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "server" not in answer.headers


def test_other_sites_are_not_allowed_in(client: httpx.Client) -> None:
    asking = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    for answer in (
        client.options("/v1/score", headers=asking),
        client.get("/v1/info", headers=asking),
    ):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_request_has_an_id(client: httpx.Client) -> None:
    def id_of(given: str | None) -> str:
        headers = {} if given is None else {"X-Request-ID": given}
        return client.get("/healthz", headers=headers).headers["x-request-id"]

    assert id_of("my-own.id_7") == "my-own.id_7"
    for given in (None, "", "a b", 'x"}', "x" * 65):
        assert re.fullmatch("[0-9a-f]{32}", id_of(given))


def test_the_log_has_a_line_a_request_and_nothing_of_a_picture(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "magiqa"):
        files = {"secret-field": ("secret-name.png", encoded(200, 200))}
        client.post("/v1/score?secret=1", files=files, headers={"X-Request-ID": "mine"})
        client.post("/v1/score", files={"secret-field": ("secret-name.png", b"secret")})
        client.get("/secret/path")
    # httpx logs too
    records = [each for each in caplog.records if each.name.startswith("magiqa")]
    first, second, third = (vars(record) for record in records)
    about = {"request": "mine", "method": "POST", "path": "/v1/score", "status": 200}
    assert about.items() <= first.items()
    assert (second["status"], third["status"], third["path"]) == (422, 404, "other")
    assert "secret" not in str([vars(record) for record in records])


def test_strange_methods_make_no_series_of_their_own(client: httpx.Client) -> None:
    for method in ("BREW", "WHEN"):
        assert client.request(method, "/healthz").status_code == 405
    assert number(client, 'magiqa_requests_total{method="other",path="/healthz",status="405"}') == 2
    assert "BREW" not in client.get("/metrics").text
