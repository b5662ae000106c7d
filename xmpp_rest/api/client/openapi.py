"""The OpenAPI 3.1 description of the client API.

What all operations have in common is added to each here. A test holds every answer of the API against it.
"""

from __future__ import annotations

import re
from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.client.openapioperations import OPERATIONS, Operation
from xmpp_rest.api.client.openapischemas import SCHEMAS, Schema, ref
from xmpp_rest.config.table import ClientSettings

WITH = "JID of the other party; a bare one means all its resources. Write %2F for the slash before a resource."
PARAMETERS: dict[str, Schema] = {
    "with": {"description": WITH},
    "id": {"description": "Name or JID of the room."},
    "user": {"description": "JID of the occupant."},
    "jid": {"description": "JID of the contact."},
    "limit": {"description": "How many items at most.", "schema": {"type": "integer", "minimum": 0, "default": 50}},
    "before": {"description": "Only what is older; Unix time in milliseconds.", "schema": {"type": "integer"}},
    "resume": {"description": "Give events the ids of the archive, and start after this one or `Last-Event-ID`; may be empty."},
    "rooms": {"description": "Tell of rooms on other servers as well, by events `muc.message`."},
    "xml": {"description": "Add the stanza as XML to the JSON."},
    "Last-Event-ID": {"description": "With `resume`: the last event that was seen."},
    "Prefer": {"description": "`xml` (RFC 7240) adds the stanza as XML to the JSON."},
}
PAGE = ("limit", "before")
CONTENT = "application/json"
OF_GENERATION_3 = {  # what only that one answers
    ("get", "/messages/{with}"): {404: "`with` is not a JID."},
    ("put", "/rooms"): {500: "The path names no room."},
    ("put", "/contacts"): {501: "An unknown action."},
    ("put", "/contacts/{jid}"): {501: "An unknown action."},
}
COMMON = {
    401: "No good credentials.",
    406: "`Accept` rules JSON out.",
    429: "Too many wrong passwords: without a body, or of an account of another server with one.",
    503: "Not now: see `Retry-After`.",
}
OF_SERVERS = {  # what happens with accounts of other servers
    403: "The server of the caller's account has refused this, or has disabled the account.",
    502: "There is no server of the caller's account that is to be trusted, or it has refused this.",
    504: "The server of the caller's account does not answer.",
}
OF_BODIES = {413: "The body is too large.", 415: "The body is declared as something other than JSON."}
LICENSE = {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"}
BODILESS = frozenset({401, 406, 415})


def describe(settings: ClientSettings) -> dict[str, Any]:
    """The whole description, for the API's path and generation."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = paths.setdefault(operation.path, {"options": PREFLIGHT | _parameters(operation.path, ())})
        path[operation.method] = _operation(operation, settings.generation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Client API of xmpp-rest", "version": __version__, "license": LICENSE},
        "servers": [{"url": settings.prefix}],
        "security": [{"basic": []}, {"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "Bare JID and password of an account."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of an account."},
            },
        },
    }


PREFLIGHT: dict[str, Any] = {"summary": "Which methods there are", "security": [], "responses": {"200": {"description": "In `Allow`."}}}


def _operation(operation: Operation, generation: int) -> dict[str, Any]:
    body = {"requestBody": {"required": True, "content": {CONTENT: {"schema": ref(operation.body)}}}} if operation.body else {}
    name = re.sub(r"[^a-z]+", "_", f"{operation.method}{operation.path}").strip("_")
    return {
        "operationId": name,
        "summary": operation.summary,
        **_parameters(operation.path, operation.query),
        **body,
        "responses": _responses(operation, generation),
    }


def _parameters(path: str, query: tuple[str, ...]) -> dict[str, Any]:
    rows = [_parameter(name, "path") for name in re.findall(r"\{(\w+)\}", path)]
    rows += [_parameter(name, "query") for name in query]
    rows += [_parameter("Last-Event-ID", "header")] if "resume" in query else []
    rows += [_parameter("Prefer", "header")] if "limit" in query else []
    return {"parameters": rows} if rows else {}


def _parameter(name: str, place: str) -> dict[str, Any]:
    required = {"required": True} if place == "path" else {}
    return {"name": name, "in": place, "schema": {"type": "string"}, **required, **PARAMETERS[name]}


def _responses(operation: Operation, generation: int) -> dict[str, Any]:
    old = generation == 3
    created = 200 if old and operation.method == "post" else 201
    responses = {str(created if status == 201 else status): _success(schema) for status, schema in operation.answers.items()}
    if operation.path == "/sse":
        responses["200"] = {"description": "A stream of events.", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    refusals = {400: "The request is wrong.", **OF_SERVERS, **operation.refusals, **COMMON, **(OF_BODIES if operation.body else {})}
    if old:
        refusals |= OF_GENERATION_3.get((operation.method, operation.path), {})
    for status, text in sorted(refusals.items()):
        described = {} if old or status in BODILESS else {"content": {CONTENT: {"schema": ref("Error")}}}
        responses[str(status)] = {"description": text, **described}
    return responses


def _success(schema: Schema | None) -> dict[str, Any]:
    if schema is None:
        return {"description": "Done."}
    return {"description": "Done.", "content": {CONTENT: {"schema": schema}}}
