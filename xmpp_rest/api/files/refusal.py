"""A file that is not taken, as a problem document (files §2)."""

from __future__ import annotations

from flask import Response

from xmpp_rest.http.problem import render_problem
from xmpp_rest.service.files.refused import FileRefused


def refusal(error: FileRefused) -> Response:
    """The answer to who sent it."""
    body, content_type = render_problem(error.status, {"detail": error.detail, "condition": error.condition} | error.members)
    fields = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return Response(body, error.status, fields, content_type=content_type)
