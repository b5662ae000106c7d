"""The routes of files: those of accounts below /rest, and the public side."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.files.own import OneFile
from xmpp_rest.api.files.resource import failed
from xmpp_rest.api.files.upload import FileUploads
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/rest/files", "GET, HEAD, OPTIONS, POST", FileUploads),
    Route("/rest/files/<anything:id>", "DELETE, GET, HEAD, OPTIONS", OneFile),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of files."""
    routes = Blueprint("files", __name__)
    add_routes(routes, ROUTES, gateway)
    answer_failures(routes, failed)
    return routes
