"""Names each request in its answer: X-Request-Id, as the client has written it, or a new one (COMPAT mod_rest of April 2025)."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

from flask import Flask, Request, Response, request
from werkzeug.local import LocalProxy

from xmpp_rest.request_notes import NOTES, OTHER, REQUEST_ID, RequestNotes, given_id, note_request

APIS = {name: name for name in ("rest", "rooms", "client", "data", "commands", "oauth", "hooks", "files", "ops", "web")} | {
    "openapi": "ops", "gotify": "hooks", "apprise": "hooks", "ntfy": "hooks", "ntfy_root": "hooks", "post_msg": "hooks",
    "public_files": "files",
}  # fmt: skip
"""Blueprint → API, as the log and the metrics name it; what is in no blueprint of these is of another one."""


def notes() -> RequestNotes:
    """The notes of the request at hand."""
    return _notes_in(request.environ)


def _notes_in(environ: dict[str, Any]) -> RequestNotes:
    return environ.get(NOTES) or note_request(environ)


def request_id() -> str:
    """The name of the request at hand: the client's, or one that is made for it."""
    return notes().request_id


def note_api() -> None:
    """Note of which API the request is; where no route takes it, it is of another one."""
    asked = cast("LocalProxy[Request]", request)._get_current_object()  # once, as each look through the proxy costs
    there = _notes_in(asked.environ)
    if asked.url_rule is not None:
        there.is_of(_api_of(asked.url_rule.endpoint))


@cache
def _api_of(endpoint: str) -> str:
    return APIS.get(endpoint.rpartition(".")[0], OTHER)


def name(response: Response) -> Response:
    """The response with the field, whatever its status. A kept one that is sent again has its own, unless the client names this one."""
    fields, environ = response.headers, request.environ
    for field, _ in fields:  # five times as quick as `in`, and as to set it
        if field == REQUEST_ID:
            if given_id(environ):
                fields[REQUEST_ID] = _notes_in(environ).request_id
            return response
    fields.add(REQUEST_ID, _notes_in(environ).request_id)
    return response


def install(app: Flask) -> None:
    """Let every answer of the application carry the field, and note of which API each request is. Before all other functions."""
    app.before_request(note_api)
    app.after_request(name)
