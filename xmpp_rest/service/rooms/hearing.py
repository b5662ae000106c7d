"""What managed occupants hear: events of streams, kept copies, and what callbacks get (rooms-anywhere §8). In the leader.

The inbound queue's thread hands messages over; a thread of a pool archives all that came meanwhile with one commit, and publishes them
in the order of the archive.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from drivers import ArchiveItem, StorageError
from xmpp_rest.gateway.events import Signal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import is_delayed
from xmpp_rest.service.messages.archive import Page
from xmpp_rest.service.messages.archive_policy import without_forged_ids
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.rooms.kept_room_messages import KeptRoomMessages, is_kept
from xmpp_rest.service.rooms.occupant_addresses import OccupantAddresses
from xmpp_rest.service.rooms.stable_id import keys_of
from xmpp_rest.service.rooms.values import RoomPlace, RoomView
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.stream import HEARD, MEMBERSHIP, OWN, Event
from xmpp_rest.service.streams.timeline import HeardId
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.tasks import offload

log = logging.getLogger("xmpp_rest.rooms")

WAITING = 2048  # messages that may wait to be archived; then the link waits, for LONGEST at most
LONGEST = 5.0  # seconds
PAST = 200  # kept messages of a room that are compared with what comes as its past: twice as much as anybody can ask for
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
        addresses: OccupantAddresses,
        changed: Signal[RoomView],
        remote: Remote,
    ) -> None:
        """`is_wanted`: whether the lists of the account let a stanza in."""
        self._kept = kept
        self._streams = streams
        self._clock = clock
        self._callbacks = callbacks
        self._is_wanted = is_wanted
        self._incidents = incidents
        self._addresses = addresses
        self._backlog: Backlog[Heard] = Backlog(streams.pool, self._take)
        self._put_in = self._done = 0  # how many were put, and of these how many are told
        self._changed = threading.Condition()  # guards the two
        self._told: OrderedDict[RoomPlace, str] = OrderedDict()  # the state that was told last; written by one thread at a time
        changed.subscribe(self._membership_changed)
        self._remote = remote
        remote.offer(self)

    def find(self, actor: JID, room: JID, limit: int, *, before: str | None = None, after: str | None = None) -> Page:
        """What is kept of a room, as `KeptRoomMessages.find`, with all that was heard until now. In any process.

        Raises StorageError, ItemNotFound among them; GatewayError.
        """
        offload(self.settle)
        return self._kept.find(actor, room, limit, before=before, after=after)

    @on_leader(repeatable=True)
    def settle(self) -> None:
        """Return once what was heard until now is kept and told (bounded)."""
        with self._changed:
            until = self._put_in
            self._changed.wait_for(lambda: self._done >= until, LONGEST)

    def heard(self, place: RoomPlace, stanza: Element, *, is_own: bool) -> Unhandled | None:
        """Take a message of the room to its occupant; NOT_MINE: it goes on to the actor as any other, such as a private one."""
        if not self._addresses.is_kept(place.occupant):
            return None
        if stanza.get("type") != "groupchat":
            if self._callbacks.heard(place, stanza, is_own=is_own):
                return None
            self.settle()  # what was said in the room before comes before
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
        if not self._addresses.is_kept(place.occupant) or self._told.get(place) == view.state:
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
            if not self._changed.wait_for(lambda: self._put_in - self._done < WAITING, LONGEST):
                self._incidents.report(log, "room-untold", "the storage is too slow: a message of a room to %s is dropped", heard.owner)
                return
            self._put_in += 1
            self._backlog.put(heard)

    # on a thread of the pool

    def _take(self, items: Sequence[Heard]) -> None:
        try:
            with self._streams.orders({heard.owner for heard in items}):
                added = self._tell(items)
            self._prune(added)
        finally:
            with self._changed:
                self._done += len(items)
                self._changed.notify_all()

    def _tell(self, items: Sequence[Heard]) -> dict[tuple[JID, JID], int]:
        """Archive and publish these; how many were added, by actor and room."""
        events, archived = [], dict[JID, list[ArchiveItem]]()
        added: Counter[tuple[JID, JID]] = Counter()
        for heard in self._told_once(items):
            event, text = self._event(heard)
            events.append((heard.owner, event))
            if event.id and heard.room is not None:
                archived.setdefault(heard.owner, []).append(ArchiveItem(event.id, event.when, str(heard.room), text))
                added[heard.owner, heard.room] += 1
        failed = self._archive(archived)
        for owner, event in events:
            self._streams.publish(owner, event.identified("") if owner in failed else event)
        return {key: count for key, count in added.items() if key[0] not in failed}

    def _told_once(self, items: Sequence[Heard]) -> Iterator[Heard]:
        """These, without what comes as the past of a room and was heard when it was said."""
        known: dict[tuple[JID, JID], set[str]] = {}
        for heard in items:
            if heard.room is None or not is_delayed(heard.stanza):
                yield heard
                continue
            place = (heard.owner, heard.room)
            if place not in known:
                known[place] = self._known(*place)
            keys = keys_of(heard.stanza, heard.room)
            if keys.isdisjoint(known[place]):
                yield heard

    def _known(self, actor: JID, room: JID) -> set[str]:
        try:
            kept = self._kept.find(actor, room, PAST).items
        except StorageError as e:
            self._incidents.report(log, "room-unkept", "what %s has heard in %s cannot be read: %r", actor, room, e)
            return set()
        return set().union(*(keys_of(message.stanza, room) for message in kept))

    def _event(self, heard: Heard) -> tuple[Event, str]:
        """The event, and its text if it is to be kept."""
        when, text = self._clock.tick(), ""
        if self._kept.keeps and heard.room is not None and is_kept(heard.stanza):
            try:
                text = serialise(heard.stanza)
            except BadXML as e:
                self._incidents.report(log, "room-unkept", "a message of a room to %s is not kept: %r", heard.owner, e)
        return Event(HeardId(when, heard.mark == OWN).write() if text else "", when, heard.stanza, room=heard.mark), text

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
