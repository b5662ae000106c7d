"""The routes of the client API (client-api §1.1)."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.client.contacts import ContactsResource
from xmpp_rest.api.client.description import DescriptionResource
from xmpp_rest.api.client.dispatcher import Dispatcher
from xmpp_rest.api.client.events import EventsResource
from xmpp_rest.api.client.messages import MessagesResource
from xmpp_rest.api.client.refusal import refusal_of
from xmpp_rest.api.client.roommessages import RoomMessagesResource
from xmpp_rest.api.client.rooms import RoomConfigResource, RoomsResource
from xmpp_rest.api.client.roomusers import RoomUsersResource
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, add_routes, any_method

ROUTES = (  # below [client] prefix; a segment in braces may be an address with a resource, `bob@example.net%2Fphone`
    Route("/messages", "OPTIONS, GET, POST", MessagesResource),
    Route("/messages/{with}", "OPTIONS, GET, POST", MessagesResource),
    Route("/sse", "OPTIONS, GET", EventsResource),
    Route("/rooms", "OPTIONS, GET, POST, PUT", RoomsResource),
    Route("/rooms/{id}", "OPTIONS, GET, POST, PUT", RoomsResource),
    Route("/rooms/{id}/config", "OPTIONS, PUT", RoomConfigResource),
    Route("/rooms/{id}/users", "OPTIONS, POST, DELETE", RoomUsersResource),
    Route("/rooms/{id}/users/{user}", "OPTIONS, POST, DELETE", RoomUsersResource),
    Route("/rooms/{id}/messages", "OPTIONS, GET, POST", RoomMessagesResource),
    Route("/contacts", "OPTIONS, GET, POST, PUT, DELETE", ContactsResource),
    Route("/contacts/{jid}", "OPTIONS, GET, POST, PUT, DELETE", ContactsResource),
)
DESCRIPTION = Route("-docs/openapi.json", "GET, HEAD, OPTIONS", DescriptionResource)  # after the prefix


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the client API; they outrank those of the command API, which has the rest below /api."""
    settings = gateway.settings.client
    dispatcher = Dispatcher(settings.prefix, ROUTES, gateway)
    routes = Blueprint("client", __name__)
    for segment in dispatcher.first_segments:
        for rule in (f"{settings.prefix}/{segment}", f"{settings.prefix}/{segment}/<anything:tail>"):
            # client-api §1.8 wants our 405, not Flask's
            routes.record(any_method(rule, segment, dispatcher.view))
    add_routes(routes, [DESCRIPTION._replace(path=settings.prefix + DESCRIPTION.path)], settings)
    answer_failures(routes, lambda error: refusal_of(error).response(settings.generation))
    return routes
