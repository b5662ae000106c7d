"""Room history: the archive of a room, and the messages that new occupants are sent (XEP-0045 §7.2.13, XEP-0313)."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.datetimes import parse_datetime, write_datetime
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.namespaces import DELAY, HINTS, MUC, STANZA_ID
from xmpp_rest.protocol.stanza import child, copied, new_id
from xmpp_rest.service.messages.archive import EVERYTHING, Archive, ArchivedMessage, ArchiveFilter
from xmpp_rest.service.muc.room import Room

log = logging.getLogger("xmpp_rest.rooms")

SHADOW = "muc_history"  # the store of the history of persistent rooms without an archive
_NEVER = tuple(f"{{{HINTS}}}{hint}" for hint in ("no-store", "no-permanent-store"))


class HistoryLimits(NamedTuple):
    """How much of the history a new occupant asks for; None: no limit."""

    stanzas: int | None = None
    characters: int | None = None
    since: float | None = None  # Unix time


class History:
    """Keeps the messages of rooms. Methods raise StorageError."""

    def __init__(self, archive: Archive, shadow: Archive, size: int, incidents: Incidents) -> None:
        """`shadow`: the archive in the store SHADOW; `size`: at most how many messages a new occupant is sent."""
        self.size = size
        self._archive = archive
        self._shadow = shadow
        self._incidents = incidents

    def keep(self, room: Room, message: Element, when: float) -> str:
        """Keep a message as the room sends it, without `to`; its id in the archive, "" if the room is not archived."""
        if message.find("body") is None or any(message.find(hint) is not None for hint in _NEVER):
            return ""
        store = self._archive if room.on("mam") else self._shadow if room.persistent else None
        identifier = store.keep(room.jid, serialise(message), when, room.jid) if store else new_id()
        if room.history is not None:
            if store is self._shadow and room.history and len(room.history) == self.size:
                self._drop(store, room, room.history[0].id)
            room.history.append(ArchivedMessage(identifier, when, message))
        return identifier if store is self._archive else ""

    def _drop(self, store: Archive, room: Room, identifier: str) -> None:
        """Remove the oldest message of the shadow. The new one is stored already, so a failure is only reported."""
        try:
            store.remove(room.jid, ArchiveFilter(ids=(identifier,)))
        except StorageError as e:
            self._incidents.report(log, "room-unkept", "an expired message of the history of %s could not be removed: %r", room.jid, e)

    def of(self, room: Room) -> deque[ArchivedMessage]:
        """The messages that new occupants are sent, oldest first; loaded on first use if the room was loaded from the storage."""
        if room.history is None:
            room.history = deque(self._latest(room, self.size), self.size)
        return room.history

    def _latest(self, room: Room, count: int) -> list[ArchivedMessage]:
        store = self._archive if room.on("mam") else self._shadow
        return store.page(room.jid, EVERYTHING, count, newest=True, fits=lambda m: m.find("body") is not None).items

    def last_use(self, room: Room) -> float:
        """When the room was last entered, left or spoken in (Unix time)."""
        said = self._latest(room, 1) if room.history is None else room.history
        return max(room.used, said[-1].when) if said else room.used

    def forget(self, room: Room) -> None:
        """Remove all messages of a room, so that a later room of this name starts empty."""
        for store in (self._archive, self._shadow):
            if store.last_id(room.jid):
                store.remove(room.jid, EVERYTHING)
        room.history = None

    def forget_until(self, room: Room, until: float) -> None:
        """Do not send new occupants what the archive had up to this time (Unix), which was removed from it."""
        while room.on("mam") and room.history and room.history[0].when <= until:
            room.history.popleft()

    def is_empty(self, room: Room) -> bool:
        """Whether the archive of the room is empty."""
        return not self._archive.last_id(room.jid)


def shown(room: Room, history: Iterable[ArchivedMessage], to: str, limits: HistoryLimits) -> list[Element]:
    """The messages of the history for a new occupant, oldest first (XEP-0045 §7.2.13)."""
    messages = [_delayed(room, kept, to) for kept in history if limits.since is None or kept.when >= limits.since]
    if limits.stanzas is not None:
        messages = messages[len(messages) - limits.stanzas :] if limits.stanzas < len(messages) else messages
    if limits.characters is not None:
        messages = list(_newest(messages, limits.characters))[::-1]
    return messages


def _newest(messages: list[Element], characters: int) -> Iterator[Element]:
    for message in reversed(messages):
        characters -= len(serialise(message))
        if characters < 0:
            return
        yield message


def _delayed(room: Room, kept: ArchivedMessage, to: str) -> Element:
    said, payload = kept.stanza, list(kept.stanza)
    if room.on("mam") and said.find(f"{{{STANZA_ID}}}stanza-id") is None:
        payload.append(child(f"{{{STANZA_ID}}}stanza-id", by=str(room.jid), id=kept.id))
    payload.append(child(f"{{{DELAY}}}delay", **{"from": str(room.jid), "stamp": write_datetime(kept.when)}))
    return copied(said, payload, to_=to)


def read_limits(x: Element | None) -> HistoryLimits:
    """The limits in the `<history/>` of a join; unreadable attributes are ignored."""
    wanted = x.find(f"{{{MUC}}}history") if x is not None else None
    if wanted is None:
        return HistoryLimits()
    since = _time(wanted.get("since"))
    seconds = _number(wanted.get("seconds"))
    if seconds is not None:
        since = max(since or 0.0, time.time() - seconds)
    return HistoryLimits(_number(wanted.get("maxstanzas")), _number(wanted.get("maxchars")), since)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 12 else None


def _time(text: str | None) -> float | None:
    try:
        return parse_datetime(text) if text else None
    except ValueError:
        return None
