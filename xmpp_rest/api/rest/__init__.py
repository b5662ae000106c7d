"""The stanza API at /rest, compatible with Prosody's mod_rest (spec rest-api §1)."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from xmpp_rest.api.cors import let_in
from xmpp_rest.api.rest.callbacks import CallbackList, DeadLetterList, Replay
from xmpp_rest.api.rest.many import SendMany
from xmpp_rest.api.rest.outcome import OutcomeResource
from xmpp_rest.api.rest.query import Query
from xmpp_rest.api.rest.send import Echo
from xmpp_rest.api.rest.stream import StanzaStream
from xmpp_rest.gateway import Gateway

_CORS = (
    ("Access-Control-Allow-Methods", "GET, OPTIONS, POST"),
    ("Access-Control-Allow-Headers", "Content-Type"),
    ("Access-Control-Max-Age", "7200"),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /rest."""
    routes = Blueprint("rest", __name__)
    send = SendMany.as_view("send", gateway)
    routes.add_url_rule("/rest", "slash", _to_slash, methods=["GET"], provide_automatic_options=False)
    routes.add_url_rule("/rest", view_func=send)
    routes.add_url_rule("/rest/echo", view_func=Echo.as_view("echo", gateway))
    routes.add_url_rule("/rest/stream", view_func=StanzaStream.as_view("stream", gateway))
    routes.add_url_rule("/rest/outcome/<anything:id>", view_func=OutcomeResource.as_view("outcome", gateway))
    routes.add_url_rule("/rest/callbacks", view_func=CallbackList.as_view("callbacks", gateway))
    routes.add_url_rule("/rest/callbacks/<name>/dead", view_func=DeadLetterList.as_view("dead", gateway))
    routes.add_url_rule("/rest/callbacks/<name>/replay", view_func=Replay.as_view("replay", gateway))
    routes.add_url_rule("/rest/<anything:path>", view_func=Query.as_view("query", gateway))
    routes.after_app_request(_allow_origin)
    return routes


def _to_slash() -> BaseResponse:
    """COMPAT mod_rest: answered before credentials are looked at."""
    return redirect("/rest/", 301)


def _allow_origin(response: Response) -> Response:
    """The CORS fields that every answer below /rest carries, also where no route takes the method."""
    path = request.path
    if path == "/rest" or path.startswith("/rest/"):
        return let_in(response, request.environ.get("HTTP_ORIGIN", "*"), _CORS)
    return response
