"""`/rooms/{id}/messages`: what is said in a room (client-api §4)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.api.client.history import bounds, wants_xml
from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.api.client.resource import ClientReply
from xmpp_rest.api.client.roomitem import MARKERS, room_item
from xmpp_rest.api.client.roompath import OLD_INVALID, RoomResource, refusals
from xmpp_rest.api.client.values import milliseconds, string
from xmpp_rest.auth.scopes import Use
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CHAT_MARKERS
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter

MOST = 500  # of a page
OLD_MOST = 10_000  # COMPAT MongooseIM: generation 3 knows no limit; here it is bounded all the same
OLD_TEXTS = {  # bodies in generation 3
    "Invalid request body": "Request body is not a valid JSON",
    "Invalid message body": "Invalid body, it must be a string",
    "Invalid chat marker": "Invalid marker, it must be 'received', 'displayed' or 'acknowledged'",
    "No valid message elements": "No valid message elements",
}


class RoomMessagesResource(RoomResource):
    """The archive of a room, for its occupants."""

    methods = ("OPTIONS", "GET", "POST")
    uses = {"POST": Use.SEND}

    def post(self) -> ClientReply:
        name = self.room_name(OLD_INVALID)
        self.require_recipient(JID(name, self.rooms.domain, ""))
        self.charge()
        try:
            payload = message_elements(self.fields())
        except Refusal as e:
            raise Refusal(e.status, e.text, old_text=OLD_TEXTS.get(e.text, "")) from e
        message = make("message", *payload, type_="groupchat", id_=str(uuid.uuid4()))
        self.gateway.parts.counts.handed_in(message.tag)
        with refusals():
            return ClientReply(200, {"id": self.rooms.send_message(name, self.account, message)})

    def get(self) -> list[dict[str, Any]]:
        """A page of history, the oldest item first."""
        old = self.settings.generation == 3
        name = self.room_name(OLD_INVALID)
        limit, end = bounds(self.request, most=None if old else MOST, strict=not old)
        with refusals():
            items = self.rooms.history(name, self.account, ArchiveFilter(end=end), min(limit, OLD_MOST if old else MOST), _is_shown)
        if wants_xml(self.request):
            self.response.headers["Preference-Applied"] = "xml"
            return [_item(kept) | {"xml": serialise(kept.stanza)} for kept in items]
        return [_item(kept) for kept in items]


def message_elements(fields: Mapping[str, Any]) -> list[Element]:
    """The children of the message that a body asks for. Raises Refusal: 400."""
    elements = []
    if "body" in fields:
        elements.append(child("body", string(fields["body"], "Invalid message body")))
        if fields.get("markable") is True:
            elements.append(child(f"{{{CHAT_MARKERS}}}markable"))
    if "chat_marker" in fields:
        elements.append(_marker(fields["chat_marker"]))
    if not elements:
        raise Refusal(400, "No valid message elements")
    return elements


def _marker(given: Any) -> Element:
    """XEP-0333 §4."""
    marker = given if isinstance(given, dict) else {}
    name = marker.get("type")
    if not isinstance(name, str) or name not in MARKERS:
        raise Refusal(400, "Invalid chat marker")
    return child(f"{{{CHAT_MARKERS}}}{name}", id=string(marker.get("id"), "Invalid chat marker"))


def _is_shown(stanza: Element) -> bool:
    return room_item(stanza, "", 0) is not None


def _item(kept: ArchivedMessage) -> dict[str, Any]:
    return room_item(kept.stanza, kept.id, milliseconds(kept.when)) or {}
