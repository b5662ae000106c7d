"""The data API at /data, compatible with Prosody's mod_data_access (data-api §1)."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from xmpp_rest.api.data.listing import Listing
from xmpp_rest.api.data.path import names_account
from xmpp_rest.api.data.read import Read
from xmpp_rest.api.data.store import READS, Store
from xmpp_rest.api.data.write import Write
from xmpp_rest.api.failing import answer_failures
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.http.resource import Resource


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /data."""
    routes = Blueprint("data", __name__)
    listing, store = Listing.as_view("listing", gateway), Store.as_view("store", gateway)
    read, write = Read.as_view("read", gateway), Write.as_view("write", gateway)
    by_method = {"GET": read, "HEAD": read, "PUT": write, "POST": write, "DELETE": write}

    def by_path(path: str) -> Response:
        method = request.method
        view = listing if method in READS and names_account(path, gateway.parts.data_rights.hosts) else by_method.get(method, store)
        return view(path=path)

    routes.add_url_rule("/data", "slash", _to_slash, methods=["GET", "OPTIONS"], provide_automatic_options=False)
    routes.add_url_rule("/data/<anything:path>", "path", by_path, methods=Resource.route_methods, provide_automatic_options=False)
    answer_failures(routes)
    return routes


def _to_slash() -> BaseResponse:
    """COMPAT mod_data_access: answered before credentials are looked at."""
    if request.method == "OPTIONS":
        return Response(b"", 200, {"Allow": "GET, HEAD, OPTIONS"})
    return redirect("/data/", 301)
