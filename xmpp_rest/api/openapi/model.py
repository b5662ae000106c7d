"""The words in which a dialect describes its operations: plain values, which `document.py` writes as OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Schema = dict[str, Any]
Security = Sequence[Mapping[str, list[str]]]
JSON = "application/json"
PROBLEM = "application/problem+json"
OPEN: Security = ()
OPTIONAL: Security = ({}, {"basic": []}, {"bearer": []})
STRING: Schema = {"type": "string"}
TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"
NDJSON = "application/x-ndjson"


class Parameter(NamedTuple):
    """A parameter. `place`: path, query or header; `more`: further members, such as the style."""

    name: str
    place: str
    text: str
    schema: Schema = STRING
    example: Any = None
    required: bool = False  # those in the path always are
    more: Mapping[str, Any] = {}


class Media(NamedTuple):
    """A type of content: the schema of its value, and an example that fits."""

    schema: Schema
    example: Any = None


class ApiBody(NamedTuple):
    """The body of a request by media type, JSON first."""

    content: Mapping[str, Media]
    required: bool = True


class ApiAnswer(NamedTuple):
    """What a status says: a sentence, the schema of its body by media type, and what its header fields say."""

    text: str
    content: Mapping[str, Schema] = {}
    fields: Mapping[str, str] = {}


Answers = Mapping[int, ApiAnswer]


class ApiOperation(NamedTuple):
    """One method at one path."""

    method: str
    path: str
    id: str
    summary: str
    answers: Answers
    parameters: Sequence[Parameter] = ()
    body: ApiBody | None = None
    security: Security | None = None
    """The credentials that it takes; None: those that all take."""
    text: str = ""
    """More than the summary."""


class Description(NamedTuple):
    """One API. `tag` names it; `schemas` by name, each of which one API alone has."""

    tag: str
    text: str
    operations: Sequence[ApiOperation]
    schemas: Mapping[str, Schema]


def record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None, *, closed: bool = True, **more: Any) -> Schema:
    """An object with these members; a `closed` one has no others."""
    bound = {"additionalProperties": False} if closed else {}
    return {"type": "object", "properties": {**required, **(optional or {})}, "required": list(required), **bound, **more}


def ref(name: str) -> Schema:
    """A reference to a schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def array(items: Schema, **more: Any) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items, **more}


def integer(least: int, most: int | None = None, **more: Any) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least, **({} if most is None else {"maximum": most}), **more}


def choice(*values: str, **more: Any) -> Schema:
    """One of these texts."""
    return {"type": "string", "enum": list(values), **more}


PROBLEM_SCHEMAS: dict[str, Schema] = {
    "Problem": record(
        {"type": STRING, "title": STRING, "status": {"type": "integer"}},
        {"detail": STRING, "instance": STRING, "request_id": STRING},
        closed=False,
        description="A problem document (RFC 9457).",
    )
}
"""The schemas that several dialects have."""
AS_PROBLEM = {PROBLEM: ref("Problem")}
RETRY = {"Retry-After": "Seconds after which to try again."}


def refusals(texts: Mapping[int, str], content: Mapping[str, Schema]) -> dict[int, ApiAnswer]:
    """Refusals in the form of a dialect, by status; those that pass say when to try again."""
    return {status: ApiAnswer(text, content, RETRY if status in (429, 503) else {}) for status, text in texts.items()}


def some(answers: Answers, *statuses: int) -> dict[int, ApiAnswer]:
    """The answers of these statuses."""
    return {status: answers[status] for status in statuses}
