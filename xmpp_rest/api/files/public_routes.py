"""The public side of files: its routes, and the fields of all its answers (files §3)."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.files.public import METHODS, PublicFile
from xmpp_rest.api.files.refusal import refusal
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, add_routes
from xmpp_rest.service.files.refused import FileRefused


class NoListing(PublicFile):
    """`/files`: nothing is there, as at every address without a file."""


ROUTES = (
    Route("/files", ", ".join(METHODS), NoListing),
    Route("/files/<anything:path>", ", ".join(METHODS), PublicFile),
)
FIELDS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Length, Content-Range, ETag, Accept-Ranges",
}
"""Of every answer, errors included: what is sent here is never run by a browser, and any page may read it."""
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS, PUT",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Range, If-None-Match, If-Range",
    "Access-Control-Max-Age": "7200",
}
OF_FILES = ("Content-Disposition", "ETag", "Last-Modified")
"""Fields that say nothing of an error."""


def blueprint(gateway: Gateway) -> Blueprint:
    """The public side."""
    routes = Blueprint("public_files", __name__)
    add_routes(routes, ROUTES, gateway)
    answer_failures(routes)
    routes.register_error_handler(FileRefused, refusal)
    routes.after_request(_with_fields)
    return routes


def _with_fields(response: Response) -> Response:
    fields = response.headers
    fields.update(FIELDS)
    if "Allow" in fields:
        fields.update(PREFLIGHT)
    if response.status_code >= 400:
        for name in OF_FILES:
            fields.pop(name, None)
        fields["Cache-Control"] = "no-store"
    return response
