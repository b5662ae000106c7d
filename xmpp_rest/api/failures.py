"""Answers what no view of an API has an answer for, in the shape of that API: storage trouble, a service's error, a mistake of our own.

Credentials are read before a view is asked anything, so this is where a storage that fails meanwhile is answered: 503 with Retry-After.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import Blueprint, Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from drivers import BadValue, StorageError
from xmpp_rest.answered import path_of, shown_path
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.http.problem import render_problem

log = logging.getLogger("xmpp_rest.server")
Render = Callable[[GatewayError], ResponseReturnValue]
NOTHING_THERE = "There is nothing at this path; the APIs are at /rest, /data, /api, /oauth and /hooks"
Turned = Callable[[HTTPException], ResponseReturnValue]


def retry_after(error: GatewayError) -> dict[str, str]:
    """The field that says when to try again (RFC 9110 §15.6.4)."""
    return {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}


def of_storage(error: StorageError) -> GatewayError:
    """What a StorageError that nobody has an answer for is to clients; it is logged."""
    name = "bad-value" if isinstance(error, BadValue) else "storage-failed"
    return storage_failed(error, ERRORS[name].text, name)


def as_problem(error: GatewayError) -> Response:
    """A service's error as a problem document (RFC 9457)."""
    body, content_type = render_problem(error.row.status, {"detail": error.text})
    return Response(body, error.row.status, retry_after(error), content_type=content_type)


def http_problem(error: HTTPException) -> Response | HTTPException:
    """What Flask refuses, as a problem document."""
    status = error.code or 500
    if error.response is not None or status < 400:
        return error
    there = {"detail": NOTHING_THERE} if status == 404 else {}
    body, content_type = render_problem(status, {"instance": shown_path(request.path)} | there)
    response = Response(body, status, content_type=content_type)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def answer_failures(routes: Blueprint | Flask, render: Render = as_problem, refused: Turned = http_problem) -> None:
    """Have `render` answer every error that leaves a view of these routes, and `refused` what Flask refuses (a body that broke off)."""

    def unexpected(error: Exception) -> ResponseReturnValue:
        """The log has all of it, the client nothing."""
        if isinstance(error, HTTPException):
            return refused(error)
        log.error("%s %s failed", request.method, path_of(request.environ), exc_info=error)
        return render(GatewayError("internal"))

    def storage(error: StorageError) -> ResponseReturnValue:
        return render(of_storage(error))

    routes.register_error_handler(StorageError, storage)
    routes.register_error_handler(GatewayError, render)
    routes.register_error_handler(Exception, unexpected)
