"""The routes of /rest/rooms (rooms-anywhere §6)."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rooms.memberships import MembershipItem, MembershipList, NoMembership
from xmpp_rest.api.rooms.messages import MembershipMessages
from xmpp_rest.api.rooms.problems import of_gateway, of_http
from xmpp_rest.api.rooms.verbs import BanFromRoom, InvitationToRoom, KickFromRoom, SubjectOfRoom
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/rest/rooms", "GET, HEAD, OPTIONS", MembershipList),
    Route("/rest/rooms/<room>", "DELETE, GET, HEAD, OPTIONS, PUT", MembershipItem),
    Route("/rest/rooms/<room>/messages", "GET, HEAD, OPTIONS", MembershipMessages),
    Route("/rest/rooms/<room>/subject", "OPTIONS, PUT", SubjectOfRoom),
    Route("/rest/rooms/<room>/invite", "OPTIONS, POST", InvitationToRoom),
    Route("/rest/rooms/<room>/kick", "OPTIONS, POST", KickFromRoom),
    Route("/rest/rooms/<room>/ban", "OPTIONS, POST", BanFromRoom),
    Route("/rest/rooms/<anything:any>", "DELETE, GET, HEAD, OPTIONS, POST, PUT", NoMembership),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /rest/rooms."""
    routes = Blueprint("rooms", __name__)
    add_routes(routes, ROUTES, gateway)
    routes.after_request(_uncached)
    answer_failures(routes, of_gateway, of_http)
    return routes


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
