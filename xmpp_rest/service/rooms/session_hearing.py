"""What accounts elsewhere hear in rooms: events of their streams, and what `/rest/rooms/{room}/messages` shows (accounts-anywhere §7.1)."""

from __future__ import annotations

import json
import logging
from typing import Protocol
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.account_streams import AccountRoutes
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import is_delayed
from xmpp_rest.service.messages.archive import ArchivedMessage, Page
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.rooms.hearing import ROOM_ELEMENT
from xmpp_rest.service.rooms.kept_room_messages import is_kept
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.service.rooms.session_history import SessionHistory
from xmpp_rest.service.rooms.values import RoomPlace, RoomView
from xmpp_rest.service.streams.stream import HEARD, MEMBERSHIP, OWN, Event
from xmpp_rest.service.streams.timeline import HeardId

log = logging.getLogger("xmpp_rest.rooms")


class EventPublisher(Protocol):
    """Tells the streams of an account."""

    def publish(self, owner: JID, event: Event) -> None:
        """Raises nothing."""


class SessionHearing:
    """Publishes without an id: the archive of the account has no messages of rooms."""

    def __init__(
        self,
        history: SessionHistory,
        streams: EventPublisher,
        clock: MonotonicClock,
        addresses: OccupantAddresses,
        accounts: AccountRoutes,
        changed: Signal[RoomView],
        incidents: Incidents,
        remote: Remote,
    ) -> None:
        self.history = history
        """What is kept."""
        self._streams = streams
        self._clock = clock
        self._addresses = addresses
        self._incidents = incidents
        self._remote = remote
        changed.subscribe(self._membership_changed)
        accounts.on_stream(self._session_changed)
        remote.offer(self)

    def find(self, actor: JID, room: JID, limit: int, *, before: str | None = None, after: str | None = None) -> Page:
        """As `Hearing.find`, of an account elsewhere. Raises ItemNotFound, GatewayError."""
        if (page := self.find_here(actor, room, limit, before, after)) is None:
            raise ItemNotFound(before or after or "")
        return page

    @on_leader(repeatable=True)
    def find_here(self, actor: JID, room: JID, limit: int, before: str | None, after: str | None) -> Page | None:
        """As `find`, with None for an id that is unknown."""
        return self.history.find(actor, room, limit, before, after)

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> Unhandled | None:
        """Take a message of the room to its occupant; NOT_MINE: it goes on to the account as any other, such as a private one."""
        if self._addresses.is_hosted(place.occupant):
            return None
        if stanza.get("type") != "groupchat":
            return NOT_MINE
        when = self._clock.tick()
        message = ArchivedMessage(HeardId(when, is_own).write(), when, stanza)
        if is_delayed(stanza) and self.history.knows(place.actor, place.room, message):
            return None
        if is_kept(stanza):
            try:
                self.history.add(place.actor, place.room, message, len(serialise(stanza)))
            except BadXML as e:
                self._incidents.report(log, "room-unkept", "a message of a room to %s is not kept: %r", place.actor, e)
        self._streams.publish(place.actor, Event("", when, stanza, room=OWN if is_own else HEARD))
        return None

    def _membership_changed(self, view: RoomView) -> None:
        place = view.place
        if self._addresses.is_hosted(place.occupant):
            return
        element = Element(ROOM_ELEMENT)
        element.text = json.dumps(view.summary(), ensure_ascii=False, separators=(",", ":"))
        self._streams.publish(place.actor, Event("", self._clock.tick(), element, room=MEMBERSHIP))

    def _session_changed(self, session: JID, stream: int) -> None:
        if not stream:
            self.history.forget(session.bare)
