"""The routes of /data (data-api §1)."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from xmpp_rest.api.data.listing import ListingResource
from xmpp_rest.api.data.path import names_account
from xmpp_rest.api.data.read import ReadResource
from xmpp_rest.api.data.store import StoreResource
from xmpp_rest.api.data.write import WriteResource
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.own_address import redirected
from xmpp_rest.api.routing import Route, any_method

ACCOUNT = "/data/<host>/<user>/"  # names_account says which paths are
STORE = "/data/<anything:path>"
ROUTES = (  # GET /data is redirected to /data/
    Route(ACCOUNT, "GET, HEAD", ListingResource),
    Route(STORE, "GET, HEAD", ReadResource),
    Route(STORE, "PUT, POST, DELETE", WriteResource),
    Route(STORE, "OPTIONS", StoreResource),  # and the answer to methods that are not allowed
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /data."""
    routes = Blueprint("data", __name__)
    views = {
        (route.path, method): view
        for route in ROUTES
        for view in [route.resource.as_view(route.resource.__name__.lower(), gateway)]
        for method in route.methods.split(", ")
    }

    def hosted(domain: str) -> bool:
        return gateway.parts.data_rights.hosts(domain)

    def dispatch(path: str) -> Response:
        """Choose by path and method; the account of the path `host/user/` is only read, everything else is a store."""
        view = views.get((ACCOUNT, request.method)) if names_account(path, hosted) else None
        return (view or views.get((STORE, request.method), views[STORE, "OPTIONS"]))(path=path)

    routes.add_url_rule("/data", "slash", partial(_to_slash, gateway), methods=["GET", "OPTIONS"], provide_automatic_options=False)
    routes.record(any_method(STORE, "path", dispatch))
    answer_failures(routes)
    return routes


def _to_slash(gateway: Gateway) -> BaseResponse:
    """COMPAT mod_data_access: answered before credentials are looked at."""
    if request.method == "OPTIONS":
        return Response(b"", 200, {"Allow": "GET, HEAD, OPTIONS"})
    return redirected(gateway, "/data/")
