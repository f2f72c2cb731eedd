"""The application: what is at which address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.security import HTTPBearer
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from magiqa import __version__
from magiqa.pictures.quality_map import Cue
from magiqa.records import Failure
from magiqa.scorer import Scorer
from magiqa.serve import answers, page
from magiqa.serve.door import Door
from magiqa.serve.keys import Keys
from magiqa.serve.limits import Limits
from magiqa.serve.metrics import Metrics
from magiqa.serve.problems import Problem, told_as_problems
from magiqa.serve.service import Service

PICTURE = {"type": "string", "format": "binary"}
ONE = {"application/octet-stream": {"schema": PICTURE}, "image/*": {"schema": PICTURE}}
MANY = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"files": {"type": "array", "items": PICTURE, "minItems": 1}},
            "required": ["files"],
        }
    }
}
BODY = {"requestBody": {"required": True, "content": MANY | ONE}}
REASONS = {
    400: "The body is not what its type says.",
    401: "No key, or a wrong one.",
    408: "The body did not arrive in time.",
    413: "The body is too large, or has too many parts.",
    415: "A type of body that cannot hold pictures.",
    422: "No picture of the request could be scored.",
    429: "Too much at a time: try again after Retry-After seconds.",
    500: "The engine failed.",
    503: "Not ready yet.",
    504: "Not scored in time.",
}


def create_app(scorer: Scorer, *, limits: Limits, keys: Keys, jobs: int = 1) -> ASGIApp:
    """The service as an ASGI application; `jobs` guarded processes decode."""
    metrics = Metrics()
    service = Service(scorer, limits, metrics, jobs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="magiqa",
        version=__version__,
        description="How good does a picture look? Higher is better.",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    told_as_problems(app)
    _health(app, service)
    _scoring(app, service)

    @app.get("/", include_in_schema=False)
    async def the_page() -> Response:
        """The page for people."""
        return page.response(locked=False)

    @app.get("/docs", include_in_schema=False)
    async def the_reference() -> Response:
        """The OpenAPI document, to read."""
        return page.reference_response(app.openapi())

    @app.get("/metrics", response_class=Response, dependencies=_KEY, responses=_reasons(401))
    async def numbers() -> Response:
        """What Prometheus reads."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return Door(app, keys, metrics, page.response(locked=True))


_KEY = [Depends(HTTPBearer(auto_error=False, description="Needed where the service has keys."))]
"""Only for the document: the door has seen the key before."""


def _health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz")
    async def alive() -> dict[str, bool]:
        """Whether the process answers."""
        return {"alive": True}

    @app.get("/readyz", responses=_reasons(503))
    async def ready() -> dict[str, bool]:
        """Whether the model is warm."""
        if not service.ready:
            raise Problem(
                503,
                "model - is not warm yet - ask again in a second; if it stays so, the log has the "
                "reason",
            )
        return {"ready": True}


def _scoring(app: FastAPI, service: Service) -> None:
    failures = (400, 401, 408, 413, 415, 422, 429, 500, 504)

    @app.post(
        "/v1/score",
        dependencies=_KEY,
        openapi_extra=BODY,
        responses={**_reasons(*failures), 200: {"model": answers.Scores}},
    )
    async def score(request: Request) -> Response:
        """Score pictures: files of a form, or the body itself. A row each, in their order."""
        entries = await service.score(request)
        rows = [answers.row(item.source, answer) for item, answer in entries]
        failed = [answer for _, answer in entries if isinstance(answer, Failure)]
        if len(failed) == len(entries):
            raise Problem(422, failed[0].text, more={"pictures": rows})
        about = {"backbone": service.backbone, "fingerprint": service.fingerprint}
        return JSONResponse({"pictures": rows, **about})

    @app.post(
        "/v1/map",
        dependencies=_KEY,
        openapi_extra=BODY,
        response_class=Response,
        responses={**_reasons(*failures), 200: {"content": {"image/png": {"schema": PICTURE}}}},
    )
    async def quality_map(request: Request, cue: Cue = "score") -> Response:
        """Draw where one picture looks good, window by window: a PNG with a legend."""
        return Response(await service.map(request, cue), media_type="image/png")

    @app.get(
        "/v1/info", dependencies=_KEY, responses={**_reasons(401), 200: {"model": answers.Info}}
    )
    async def info() -> Response:
        """What the scores rest on, and what a request may hold."""
        return JSONResponse(
            {
                "provenance": service.provenance,
                "attributes": list(service.attributes),
                "limits": asdict(service.limits),
            }
        )


def _reasons(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the document says of errors."""
    schema = {422: answers.FailedScores.model_json_schema()}
    usual = answers.ProblemDocument.model_json_schema()
    return {
        status: {
            "description": REASONS[status],
            "content": {"application/problem+json": {"schema": schema.get(status, usual)}},
        }
        for status in statuses
    }
