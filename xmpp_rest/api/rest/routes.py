"""The routes of /rest (rest-api §1)."""

from __future__ import annotations

from functools import partial

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as BaseResponse

from xmpp_rest.api.failures import answer_failures, retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.own_address import redirected
from xmpp_rest.api.rest.callbacks import CallbackList, DeadLetterList, Replay
from xmpp_rest.api.rest.errors import failure_of, render
from xmpp_rest.api.rest.outcome import OutcomeResource
from xmpp_rest.api.rest.query import QueryResource
from xmpp_rest.api.rest.scheduled import ScheduledList, ScheduledOne
from xmpp_rest.api.rest.send import Echo
from xmpp_rest.api.rest.send_many import SendMany
from xmpp_rest.api.rest.sessions import OneSession, OwnSession, SessionList
from xmpp_rest.api.rest.stream import StreamResource
from xmpp_rest.api.routing import Route, add_routes
from xmpp_rest.errors import GatewayError

ROUTES = (  # GET /rest is redirected to /rest/
    Route("/rest", "GET, OPTIONS, POST", SendMany),
    Route("/rest/echo", "GET, OPTIONS, POST", Echo),
    Route("/rest/stream", "GET, OPTIONS", StreamResource),
    Route("/rest/outcome/<anything:id>", "GET, HEAD, OPTIONS", OutcomeResource),
    Route("/rest/scheduled", "GET, HEAD, OPTIONS", ScheduledList),
    Route("/rest/scheduled/<anything:id>", "DELETE, GET, HEAD, OPTIONS", ScheduledOne),
    Route("/rest/session", "DELETE, GET, HEAD, OPTIONS", OwnSession),
    Route("/rest/sessions", "GET, HEAD, OPTIONS", SessionList),
    Route("/rest/sessions/<jid>", "DELETE, OPTIONS", OneSession),
    Route("/rest/callbacks", "GET, HEAD, OPTIONS", CallbackList),
    Route("/rest/callbacks/<name>/dead", "GET, HEAD, OPTIONS", DeadLetterList),
    Route("/rest/callbacks/<name>/replay", "OPTIONS, POST", Replay),
    Route("/rest/<anything:path>", "GET, OPTIONS, POST", QueryResource),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /rest."""
    routes = Blueprint("rest", __name__)
    routes.add_url_rule("/rest", "slash", partial(_to_slash, gateway), methods=["GET"], provide_automatic_options=False)
    add_routes(routes, ROUTES, gateway)
    answer_failures(routes, _failed)
    return routes


def _failed(error: GatewayError) -> Response:
    body, content_type = render(failure_of(error), request.headers.get("Accept", "").lower())
    return Response(body, error.row.status, retry_after(error), content_type=content_type)


def _to_slash(gateway: Gateway) -> BaseResponse:
    """COMPAT mod_rest: answered before credentials are looked at."""
    return redirected(gateway, "/rest/")
