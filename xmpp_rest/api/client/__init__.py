"""The client API at /api, compatible with MongooseIM's (docs/compatibility/client-api.md)."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.client.contacts import Contacts
from xmpp_rest.api.client.description import Description
from xmpp_rest.api.client.events import Events
from xmpp_rest.api.client.messages import Messages
from xmpp_rest.api.client.refusal import refusal_of
from xmpp_rest.api.client.roommessages import RoomMessages
from xmpp_rest.api.client.rooms import RoomConfig, Rooms
from xmpp_rest.api.client.roomusers import RoomUsers
from xmpp_rest.api.client.routing import Dispatcher, Route
from xmpp_rest.api.failing import answer_failures
from xmpp_rest.api.routing import any_method
from xmpp_rest.gateway.gateway import Gateway

ROUTES: tuple[Route, ...] = (
    Route("/messages", Messages),
    Route("/messages/{with}", Messages),
    Route("/sse", Events),
    Route("/rooms", Rooms),
    Route("/rooms/{id}", Rooms),
    Route("/rooms/{id}/config", RoomConfig),
    Route("/rooms/{id}/users", RoomUsers),
    Route("/rooms/{id}/users/{user}", RoomUsers),
    Route("/rooms/{id}/messages", RoomMessages),
    Route("/contacts", Contacts),
    Route("/contacts/{jid}", Contacts),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the client API; they outrank those of the command API, which has the rest below /api."""
    settings = gateway.settings.client
    dispatcher = Dispatcher(settings.prefix, ROUTES, gateway)
    routes = Blueprint("client", __name__)
    for family in dispatcher.families:
        for rule in (f"{settings.prefix}/{family}", f"{settings.prefix}/{family}/<anything:tail>"):
            # client-api §1.8 wants our 405, not Flask's
            routes.record(any_method(rule, family, dispatcher.view))
    description = Description.as_view("description", settings)
    routes.add_url_rule(f"{settings.prefix}-docs/openapi.json", view_func=description)
    answer_failures(routes, lambda error: refusal_of(error).response(settings.generation))
    return routes
