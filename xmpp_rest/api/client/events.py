"""`/api/sse`: what happens to a user, as it happens (client-api §8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.api.client.messageitem import message_item
from xmpp_rest.api.client.resource import ClientResource
from xmpp_rest.api.client.roomitem import room_item
from xmpp_rest.api.client.values import microseconds, milliseconds
from xmpp_rest.api.eventsource import FIELDS, Readers, event_stream
from xmpp_rest.http.sse import event, id_line
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.service.rooms.stable_id import stable_id
from xmpp_rest.service.streams.registry import Event
from xmpp_rest.service.streams.stream import HEARD, OWN

UNITS: dict[str, Callable[[float], int]] = {"us": microseconds, "ms": milliseconds}


class EventsResource(ClientResource):
    """The stream of events of the caller.

    With `resume` in the query, event ids are those of the archive, and `Last-Event-ID` (or `resume=ID`) brings what came since; without,
    they are the counter of this API, and a Last-Event-ID says nothing. With `rooms` it also has what is said in rooms on other servers.
    """

    ignored_fields = frozenset({"Accept"})  # client-api §1.3
    methods = ("OPTIONS", "GET")

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("text", "event-stream", "*"), "to_stream")]

    def to_stream(self) -> Iterator[bytes]:
        events = iter(()) if self.request.method == "HEAD" else self.answering(self._listen)  # for a HEAD nobody listens
        for name, value in FIELDS.items():
            self.response.headers[name] = value
        return events

    def _listen(self) -> Iterator[bytes]:
        resuming = self.request.args.get("resume")
        after = None if resuming is None else self.request.headers.get("Last-Event-ID") or resuming or None
        rooms = self.services.rooms_domain(self.account)
        write = EventWriter(self.settings.sse_timestamp_unit, rooms, counted=resuming is None, xml="xml" in self.request.args).write
        wanted = is_shown_or_heard if "rooms" in self.request.args else is_shown
        readers = Readers(self.account, wanted, write, "client", self.services.listening)
        return event_stream(self.gateway, self.request.environ, readers, after, self.admission())


def is_shown(event: Event) -> bool:
    """Whether the event is for a reader of this API: something said to the caller, or in a room (client-api §8.1, §8.3)."""
    return event.stanza.tag == "message" and event.stanza.get("type") in _ITEMS and not event.sent and not event.room


def is_shown_or_heard(event: Event) -> bool:
    """As `is_shown`, and what is said in rooms on other servers that the caller is in by the gateway (rooms-anywhere §8.2)."""
    return is_shown(event) or event.room in (HEARD, OWN)


class EventWriter:
    """Writes the events of one stream."""

    def __init__(self, unit: str, rooms: str, *, counted: bool, xml: bool) -> None:
        """`rooms`: the domain of the rooms of this API; `counted`: ids are a counter from 1; `xml`: the stanza stands beside its JSON."""
        self._key = unit, rooms, xml
        self._stamp = UNITS[unit]
        self._rooms = rooms
        self._counted = counted
        self._xml = xml
        self._count = 0

    def write(self, happened: Event) -> bytes | None:
        """The text of an event; None for one that says nothing to readers of this API."""
        text = happened.text(self._key, self._data)
        if text is None:
            return None
        self._count += 1
        return id_line(str(self._count) if self._counted else happened.id) + text

    def _data(self, happened: Event) -> bytes | None:
        """The text without the id, which is the same for all readers."""
        if happened.room:
            name, item = "muc.message", _heard_item(happened, self._stamp(happened.when))
        else:
            name, item_of = self._form(happened.stanza)
            item = item_of(happened.stanza, happened.id, self._stamp(happened.when))
        if item is None:
            return None
        if self._xml:
            item["xml"] = serialise(happened.stanza)
        return event(json.dumps(item, ensure_ascii=False, separators=(",", ":")), name=name)

    def _form(self, stanza: Element) -> tuple[str, _ItemOf]:
        """Name of the event, and what writes its data. Anybody may have a room of the id of one of the gateway's."""
        kind, sender = stanza.get("type", ""), jid_or_none(stanza.get("from"))
        foreign = kind == "groupchat" and (sender is None or sender.domain != self._rooms)
        return _OTHER_ROOM if foreign else _ITEMS[kind]


def _heard_item(happened: Event, timestamp: int) -> dict[str, Any] | None:
    """What is said in a room on another server; None for a message without a body."""
    stanza, sender = happened.stanza, jid_or_none(happened.stanza.get("from"))
    body = stanza.find("body")
    if body is None or sender is None:
        return None
    return {
        "room": str(sender.bare),
        "nick": sender.resource,
        "from": str(sender),
        "id": stanza.get("id"),
        "stanza_id": stable_id(stanza, sender.bare),
        "body": body.text or "",
        "own": happened.room == OWN,
        "timestamp": timestamp,
    }


def _other_room_event(stanza: Element, identifier: str, timestamp: int) -> dict[str, Any] | None:
    """What is said in a room that is not one of this API: its whole address is shown, and who spoke."""
    item = message_item(stanza, identifier, timestamp)
    return None if item is None else item | {"from": stanza.get("from", ""), "type": "groupchat"}


def _room_event(stanza: Element, identifier: str, timestamp: int) -> dict[str, Any] | None:
    item = room_item(stanza, identifier, timestamp)
    try:
        room = parse_jid(stanza.get("from", "")).local
    except InvalidJID:
        return None
    return None if item is None else {"room": room} | item


_ItemOf = Callable[[Element, str, int], dict[str, Any] | None]
_ITEMS: dict[str, tuple[str, _ItemOf]] = {
    "chat": ("message", message_item),
    "groupchat": ("room.message", _room_event),
}
"""Type of a message → name of the event and what writes its data."""
_OTHER_ROOM: tuple[str, _ItemOf] = ("message", _other_room_event)
