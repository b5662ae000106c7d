"""The stanza API at /rest, compatible with Prosody's mod_rest (rest-api §1)."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from xmpp_rest.api.failing import answer_failures, retry_after
from xmpp_rest.api.rest.callbacks import CallbackList, DeadLetterList, Replay
from xmpp_rest.api.rest.errors import failure_of, render
from xmpp_rest.api.rest.many import SendMany
from xmpp_rest.api.rest.outcome import OutcomeResource
from xmpp_rest.api.rest.query import Query
from xmpp_rest.api.rest.send import Echo
from xmpp_rest.api.rest.stream import StanzaStream
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway


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
    answer_failures(routes, _failed)
    return routes


def _failed(error: GatewayError) -> Response:
    body, content_type = render(failure_of(error), request.headers.get("Accept", "").lower())
    return Response(body, error.row.status, retry_after(error), content_type=content_type)


def _to_slash() -> BaseResponse:
    """COMPAT mod_rest: answered before credentials are looked at."""
    return redirect("/rest/", 301)
