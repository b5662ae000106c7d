"""What managed occupants hear: events of streams, kept copies, and what callbacks get (rooms-anywhere §8). In the leader.

The inbound queue's thread hands messages over; a thread of a pool archives all that came meanwhile with one commit, and publishes them
in the order of the archive.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from drivers import ArchiveItem
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive_policy import without_forged_ids
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.rooms.kept_room_messages import KeptRoomMessages, is_kept
from xmpp_rest.service.rooms.values import RoomPlace, RoomView
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.stream import HEARD, MEMBERSHIP, OWN, Event
from xmpp_rest.service.streams.timeline import HeardId
from xmpp_rest.threads.backlog import Backlog

log = logging.getLogger("xmpp_rest.rooms")

WAITING = 2048  # messages that may wait to be archived; then the link waits, for LONGEST at most
LONGEST = 5.0  # seconds
MAX_TOLD = 10_000  # memberships whose state is remembered, so that only another one is told
ROOM_ELEMENT = "{urn:x-xmpp-rest:rooms}room"
"""What an event of a membership has for a stanza: its text is the JSON. It is sent to nobody."""


class RoomCallbacks(Protocol):
    """Who else hears: the callbacks with rooms."""

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> bool:
        """Hand a message over to the callback that is in the room; whether there is one. Must not block."""


class Heard(NamedTuple):
    """What is to be told on the streams of an account. `room`: "" for what is not kept."""

    owner: JID
    stanza: Element
    mark: str
    room: JID | None = None


class Hearing:
    """Safe to be used by several threads."""

    def __init__(
        self,
        kept: KeptRoomMessages,
        streams: Streams,
        clock: MonotonicClock,
        callbacks: RoomCallbacks,
        is_wanted: Callable[[Element, JID, JID], bool],
        incidents: Incidents,
        resource: str,
        changed: Signal[RoomView],
    ) -> None:
        """`is_wanted`: whether the lists of the account let a stanza in; `resource`: of all occupants but those of hooks."""
        self._kept = kept
        self._streams = streams
        self._clock = clock
        self._callbacks = callbacks
        self._is_wanted = is_wanted
        self._incidents = incidents
        self._resource = resource
        self._backlog: Backlog[Heard] = Backlog(streams.pool, self._take)
        self._waiting = 0  # messages that are not told yet
        self._changed = threading.Condition()  # guards that number
        self._told: OrderedDict[RoomPlace, str] = OrderedDict()  # the state that was told last; written by one thread at a time
        changed.subscribe(self._membership_changed)

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> Unhandled | None:
        """Take a message of the room to its occupant; NOT_MINE: it goes on to the actor as any other, such as a private one."""
        if place.occupant.resource != self._resource:  # of a hook, which says and does not listen
            return None
        if stanza.get("type") != "groupchat":
            if self._callbacks.heard(place, stanza, is_own=is_own):
                return None
            self._settle()  # what was said in the room before comes before
            return NOT_MINE
        sender = place.room._replace(resource=stanza.get("from", "").partition("/")[2])
        if not self._is_wanted(stanza, sender, place.occupant):
            return None
        without_forged_ids(stanza, place.actor)
        self._callbacks.heard(place, stanza, is_own=is_own)
        self._put(Heard(place.actor, stanza, OWN if is_own else HEARD, place.room))
        return None

    def _membership_changed(self, view: RoomView) -> None:
        place = view.place
        if place.occupant.resource != self._resource or self._told.get(place) == view.state:
            return
        self._told[place] = view.state
        self._told.move_to_end(place)
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        element = Element(ROOM_ELEMENT)
        element.text = json.dumps(view.summary(), ensure_ascii=False, separators=(",", ":"))
        self._put(Heard(place.actor, element, MEMBERSHIP))

    def _put(self, heard: Heard) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._waiting < WAITING, LONGEST):
                self._incidents.report(log, "room-untold", "the storage is too slow: a message of a room to %s is dropped", heard.owner)
                return
            self._waiting += 1
        self._backlog.put(heard)

    def _settle(self) -> None:
        """Wait until everything is told that was put."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting, LONGEST)

    # on a thread of the pool

    def _take(self, items: Sequence[Heard]) -> None:
        try:
            with self._streams.orders({heard.owner for heard in items}):
                added = self._tell(items)
            self._prune(added)
        finally:
            with self._changed:
                self._waiting -= len(items)
                self._changed.notify_all()

    def _tell(self, items: Sequence[Heard]) -> dict[tuple[JID, JID], int]:
        """Archive and publish these; how many were added, by actor and room."""
        events, archived = [], dict[JID, list[ArchiveItem]]()
        added: dict[tuple[JID, JID], int] = {}
        for heard in items:
            event = self._event(heard)
            events.append((heard.owner, event))
            if event.id and heard.room is not None:
                item = ArchiveItem(event.id, event.when, str(heard.room), serialise(event.stanza))
                archived.setdefault(heard.owner, []).append(item)
                added[heard.owner, heard.room] = added.get((heard.owner, heard.room), 0) + 1
        failed = self._archive(archived)
        for owner, event in events:
            self._streams.publish(owner, event.identified("") if owner in failed else event)
        return {key: count for key, count in added.items() if key[0] not in failed}

    def _event(self, heard: Heard) -> Event:
        when = self._clock.tick()
        keeps = self._kept.keeps and heard.room is not None and is_kept(heard.stanza)
        return Event(HeardId(when, heard.mark == OWN).write() if keeps else "", when, heard.stanza, room=heard.mark)

    def _archive(self, items: dict[JID, list[ArchiveItem]]) -> set[JID]:
        """Whose messages are not kept."""
        if not items:
            return set()
        try:
            errors = self._kept.add(items)
        except Exception as e:
            errors = [e] * len(items)
        failed = {owner: error for owner, error in zip(items, errors, strict=True) if error is not None}
        for owner, error in failed.items():
            self._incidents.report(log, "room-unkept", "messages of rooms to %s are not kept: %r", owner, error)
        return set(failed)

    def _prune(self, added: dict[tuple[JID, JID], int]) -> None:
        for (actor, room), count in added.items():
            try:
                self._kept.prune(actor, room, count)
            except Exception as e:
                self._incidents.report(log, "room-unpruned", "old messages of %s to %s could not be removed: %r", room, actor, e)
