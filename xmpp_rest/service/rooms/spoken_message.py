"""A message on its way to a room."""

from __future__ import annotations

import time
from enum import Enum
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import NICK, STANZA_ID
from xmpp_rest.protocol.stanza import child, copied
from xmpp_rest.service.rooms.attempt import HOOK
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.said import NobodyListens, SpeechListener
from xmpp_rest.service.rooms.values import RoomPlace, Wish

_ORIGIN = f"{{{STANZA_ID}}}origin-id"
_NICK = f"{{{NICK}}}nick"


class Stage(Enum):
    """How far a message is."""

    HANDED_IN = "handed in"
    """It is not accepted yet."""
    WAITING = "waiting"
    """It is kept, and to be written."""
    WRITTEN = "written"
    UNSHOWN = "unshown"
    """The room has neither shown nor refused it in time."""
    ENDED = "ended"


class SpokenMessage:
    """One message of one occupant. What changes is guarded by the lock of the RoomOutbox."""

    def __init__(self, place: RoomPlace, stanza: Element, wish: Wish, listener: SpeechListener, request_id: str = "") -> None:
        """`stanza`: as it goes out; `wish`: how to come into the room. Raises BadXML."""
        self.place = place
        self.stanza = stanza
        self.text = serialise(stanza)
        self.wish = wish
        self.listener = listener
        self.request_id = request_id
        self.id = stanza.get("id", "")
        self.stage = Stage.HANDED_IN
        self.number = 0
        """In the journal; 0: it is not there."""
        self.order = 0
        """Its place among all."""
        self.stream = 0
        """On which it was written last."""
        self.written_at = 0.0
        """Unix time."""
        self.held_until = 0.0
        """Unix time; 0: it has not been held."""
        self.is_again = False
        """Whether it has been written, or is to be written, once more for a room that had lost its sender."""
        self._is_told_held = False
        self.error: RoomRefusal | None = None
        """Why it waits, if the room has said so."""

    @property
    def ids(self) -> frozenset[str]:
        """By which the room's copy of it is known."""
        origin = self.stanza.find(_ORIGIN)
        return frozenset(filter(None, (self.id, origin.get("id", "") if origin is not None else "")))

    def keep(self, number: int, order: int) -> None:
        """It is accepted."""
        self.number, self.order, self.stage = number, order, Stage.WAITING

    def write(self, stream: int) -> None:
        """It is about to be written."""
        self.stage, self.stream, self.written_at = Stage.WRITTEN, stream, time.time()

    def wait(self, until: float, error: RoomRefusal | None = None) -> None:
        """It is to be written again, or for the first time; but not later than `until` (Unix time), if that is not set already."""
        self.stage, self.error = Stage.WAITING, error or self.error
        self.held_until = self.held_until or until

    def begin_again(self) -> bool:
        """Whether it may be written once more."""
        first, self.is_again = not self.is_again, True
        return first

    def adopt(self, listener: SpeechListener) -> bool:
        """Tell this one from now on, if nobody listens."""
        is_left = isinstance(self.listener, NobodyListens)
        if is_left:
            self.listener = listener
        return is_left

    def tell_held(self) -> None:
        """The room does not take it for now: its listener hears of that, and that it is accepted when it is written again."""
        self._is_told_held = True
        self.listener.held()

    def take_told_held(self) -> bool:
        """Whether its listener was told so, and is to hear that it is written."""
        told, self._is_told_held = self._is_told_held, False
        return told

    @property
    def comes_back(self) -> bool:
        """Whether its sender comes in again even if the room has put it out: so do hooks (hooks §3)."""
        return self.wish.by.startswith(HOOK)

    def end(self, stage: Stage = Stage.ENDED) -> None:
        """Nothing more is done for it."""
        self.stage = stage


def as_said(stanza: Element, place: RoomPlace) -> Element:
    """The message as it goes out from an occupant: with an origin-id, as some services give what they show an id of their own."""
    sent = copied(stanza, from_=str(place.occupant), to_=str(place.room))
    if sent.find(_ORIGIN) is None:
        sent.append(child(_ORIGIN, id=sent.attrib["id"]))
    return sent


def ids_of(stanza: Element) -> tuple[str, ...]:
    """By which the message is known that a room's copy is of, the surest first."""
    origin = stanza.find(_ORIGIN)
    found = (stanza.get("id", ""), origin.get("id", "") if origin is not None else "")
    return tuple(filter(None, found))


def subject_in(stanza: Element) -> str | None:
    """The subject that the message sets, if that is all that it says (XEP-0045 §8.1), with line ends as XML has them (§2.11)."""
    subject = stanza.find("subject")
    if subject is None or stanza.find("body") is not None:
        return None
    return (subject.text or "").replace("\r\n", "\n").replace("\r", "\n")


def stanza_id_of(stanza: Element, room: JID) -> str:
    """The id that the room has given its copy; "" if it has given none."""
    return next((e.get("id", "") for e in stanza.iterfind(f"{{{STANZA_ID}}}stanza-id") if e.get("by") == str(room)), "")


def nick_in(stanza: Element) -> str | None:
    """The nick that the message names (XEP-0172)."""
    element = stanza.find(_NICK)
    return None if element is None else element.text or ""
