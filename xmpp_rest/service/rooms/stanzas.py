"""The handler of what rooms send to managed occupants. Nothing of that is ever answered by an error (rooms-anywhere §9)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC_USER
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.rooms.light_rooms import is_of_light_room
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.service.rooms.values import RoomPlace

log = logging.getLogger("xmpp_rest.rooms")

_OF_ROOM = f"{{{MUC_USER}}}x"


class RoomSpeaker(Protocol):
    """Who is told what rooms do with own messages. Must be quick."""

    def refused(self, place: RoomPlace, identifier: str, error: StanzaError, by: str) -> None:
        """The room has sent back a message of this id. `by`: the address that the error came from first."""

    def shown(self, place: RoomPlace, stanza: Element) -> None:
        """The room shows a message of the occupant to it: perhaps one of another program that acts for it."""


class RoomHearer(Protocol):
    """Who is told what is said in rooms, own reflections included, and to the occupant alone. Must be quick."""

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> Unhandled | None:
        """A message that is not an error, from the room's bare address, or from one of its occupants.

        NOT_MINE: it goes on to the actor as any other.
        """


class RoomStanzas:
    """Comes before all handlers of the domain of accounts."""

    def __init__(
        self,
        memberships: Memberships,
        occupancy: Occupancy,
        addresses: OccupantAddresses,
        speakers: Sequence[RoomSpeaker],
        hearers: Sequence[RoomHearer],
        incidents: Incidents,
    ) -> None:
        self._memberships = memberships
        self._occupancy = occupancy
        self._addresses = addresses
        self._speakers = list(speakers)
        self._hearers = list(hearers)
        self._incidents = incidents

    def subscribe(self, hearer: RoomHearer) -> None:
        """Tell this one as well. Called while building."""
        self._hearers.append(hearer)

    def add_speaker(self, speaker: RoomSpeaker) -> None:
        """Tell this one as well. Called while building."""
        self._speakers.append(speaker)

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take what rooms say to managed occupants, of messages and presences."""
        place = RoomPlace(to, sender.bare)
        if stanza.tag == "iq" or not to.resource or not sender.local:
            return NOT_MINE
        if not self._memberships.holds(place):
            return None if self._is_late(stanza, sender, place) else NOT_MINE
        if stanza.tag == "presence":
            self._memberships.presence(stanza, sender, place)
        elif stanza.get("type") == "error":
            error = condition_of(stanza)
            by = error.by or str(sender)
            for speaker in () if sender.resource else self._speakers:  # who is in the room cannot refuse in its name
                self._told(partial(speaker.refused, place, stanza.get("id", ""), error, by))
            is_private = bool(sender.resource) and self._addresses.hears(place.occupant)
            return NOT_MINE if is_private else None  # of a private message: the actor is told as before
        else:
            return self._heard(stanza, sender, place)
        return None

    def _is_late(self, stanza: Element, sender: JID, place: RoomPlace) -> bool:
        """Whether this is for a managed occupant that is not in the room any more, or whom an earlier process has let in.

        The address of an account elsewhere takes all that is for it, and others do not decide what is a room for it.
        """
        if not self._addresses.hears(place.occupant) or self._occupancy.is_raw(*place):
            return False
        if self._addresses.is_hosted(place.occupant):
            if stanza.tag == "presence" and sender.resource:
                self._memberships.presence(stanza, sender, place)
            return self._occupancy.is_room(place.room)
        if stanza.get("type") == "groupchat":
            return not is_of_light_room(stanza, sender)
        return stanza.tag == "presence" and stanza.find(_OF_ROOM) is not None

    def _heard(self, stanza: Element, sender: JID, place: RoomPlace) -> Unhandled | None:
        is_groupchat = stanza.get("type") == "groupchat"
        is_own = is_groupchat and bool(sender.resource) and sender.resource == self._memberships.own_nick(place)
        hearers = self._hearers if self._memberships.heard(stanza, place) else ()
        results = [self._told(partial(hearer.heard, place, stanza, is_own=is_own)) for hearer in hearers]
        for speaker in self._speakers if is_own else ():  # who waits for it finds it among what was heard
            self._told(partial(speaker.shown, place, stanza))
        return NOT_MINE if NOT_MINE in results else None

    def _told(self, tell: Callable[[], Unhandled | None]) -> Unhandled | None:
        try:
            return tell()
        except Exception as e:
            self._incidents.report(log, "room-stanza", "what a room has said was lost: %r", e, level=logging.ERROR, trace=True)
            return None
