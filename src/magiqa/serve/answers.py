"""What the service answers, as its OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from magiqa.records import Failure
from magiqa.serve.batching import Answer


class Scored(BaseModel):
    """A picture and how good it looks: means over its views; higher is better."""

    source: str
    score: float
    similarity: float
    magnitude: float
    weight: float
    pairs: dict[str, float]
    attributes: dict[str, float]
    width: int
    height: int
    views: int
    warnings: list[str]


class Failed(BaseModel):
    """A picture that could not be scored, and why."""

    source: str
    error_kind: str
    error: str


class Scores(BaseModel):
    """A row for each picture, in the order of the request; at least one was scored."""

    pictures: list[Scored | Failed]
    backbone: str
    fingerprint: str


class ProblemDocument(BaseModel):
    """An error (RFC 9457); `detail` says what - got - how to mend it."""

    type: str
    title: str
    status: int
    detail: str


class FailedScores(ProblemDocument):
    """No picture of the request could be scored."""

    pictures: list[Failed] = []


class Info(BaseModel):
    """What the scores rest on, and what a request may hold."""

    provenance: dict[str, Any]
    attributes: list[str]
    limits: dict[str, float]


def row(source: str, answer: Answer | Failure) -> dict[str, Any]:
    """A `Scored` or a `Failed`, ready for JSON."""
    if isinstance(answer, Failure):
        return {"source": source, "error_kind": answer.kind, "error": answer.text}
    score = answer.score
    return {
        "source": source,
        "score": score.score,
        "similarity": score.similarity,
        "magnitude": score.magnitude,
        "weight": score.weight,
        "pairs": score.pairs,
        "attributes": answer.attributes,
        "width": score.width,
        "height": score.height,
        "views": len(score.views),
        "warnings": list(score.warnings),
    }
