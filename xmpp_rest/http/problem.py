"""Problem documents: the body of an error (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import has_request_context, request
from werkzeug.http import HTTP_STATUS_CODES

from .body import dump_json

CONTENT_TYPE = "application/problem+json"
REQUEST_ID = "xmpp_rest.request_id"
"""In the environ of a request: its id, where it has one."""

# RFC 9110 §15.5 renamed these; Werkzeug still has the names of RFC 2616.
_RENAMED = {413: "Content Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Content"}


def reason_phrase(status: int) -> str:
    """The registered phrase of ``status``, or ``"Unknown"``."""
    return _RENAMED.get(status) or HTTP_STATUS_CODES.get(status, "Unknown")


def render_problem(status: int, members: Mapping[str, Any]) -> tuple[bytes, str]:
    """The problem document for ``status`` with ``members`` on top, and its content type; with the id of the request, where it has one."""
    document = {"type": "about:blank", "title": reason_phrase(status), "status": status, **members}
    if has_request_context() and (request_id := request.environ.get(REQUEST_ID)) is not None:
        document["request_id"] = request_id
    return dump_json(document), CONTENT_TYPE
