"""What only the leader runs: link, sessions, inbound queue, callbacks, scheduled messages, clearing of rooms, and of old archive items."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.all_steps import take_all
from xmpp_rest.gateway.transfers import Transfers
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.router import Router
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.files.pruning import FilePruning
from xmpp_rest.service.hooks.rooms import HookRooms
from xmpp_rest.service.messages.archived_by_journal import SentArchive
from xmpp_rest.service.messages.retention import Retention
from xmpp_rest.service.muc.conference import Conference
from xmpp_rest.service.rooms.lifecycle import RoomsLifecycle
from xmpp_rest.service.rooms.room_outbox import RoomOutbox
from xmpp_rest.service.scheduled.runner import ScheduledRunner
from xmpp_rest.service.sessions.lifecycle import SessionsLifecycle

log = logging.getLogger("xmpp_rest.server")

ONLINE_WITHIN = 1.0  # seconds for which calls of other nodes wait for the streams of a new owner
TRIED_WITHIN = 2.0  # seconds that a leader which has just begun gives its streams to take what it has kept for them, before it ends them


class TakesLeft(Protocol):
    """Takes what was passed on when hosted domains had several owners, in threads of its own. `start` and `stop` are called once each."""

    def start(self) -> None:
        """Raises StorageError, and is called again then."""

    def stop(self) -> None: ...


class ForNextOwner(Protocol):
    """What an owner leaves for the next one. Neither method raises anything."""

    def leave(self) -> None:
        """Write it down; called as this process ends to lead."""

    def take(self) -> None:
        """Go on with what was left; called as it begins."""


class Leader:
    """The work of the leader in one process. `begin` is called once the process leads; a process never gives the role back."""

    def __init__(
        self,
        uplink: Uplink | None,
        queue: SentArchive,
        domain: str,
        inbound: InboundQueue,
        callbacks: Callbacks,
        conference: Conference | None,
        router: Router,
        retention: Retention,
        scheduled: ScheduledRunner,
        hook_rooms: HookRooms,
        rooms: RoomsLifecycle,
        room_outbox: RoomOutbox,
        files: FilePruning,
        sessions: SessionsLifecycle,
        incidents: Incidents,
        remote: Remote,
        handover: ForNextOwner | None = None,
        session_handover: ForNextOwner | None = None,
        transfers: Transfers | None = None,
        left: Sequence[TakesLeft] = (),
    ) -> None:
        """`domain`: of the accounts, whose archives `queue` writes. `handover`: None: there are no other nodes.

        `transfers`: None: no other hosted domain has an owner of its own; `left` take what was passed on when one had.
        """
        self._left = left
        self._transfers = transfers
        self._handover = handover
        self._session_handover = session_handover
        self._keeps_rooms = False
        self._uplink = uplink
        self._queue = queue
        self._domain = domain
        self._inbound = inbound
        self._callbacks = callbacks
        self._conference = conference
        self._router = router
        self._retention = retention
        self._scheduled = scheduled
        self._hook_rooms = hook_rooms
        self._rooms = rooms
        self._room_outbox = room_outbox
        self._has_followed = self._stops = False
        self._files = files
        self._sessions = sessions
        self._incidents = incidents
        self._to_begin = self._steps()
        self._lock = threading.Lock()
        self._has_ended = False
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._take_role)

    def _steps(self) -> list[Callable[[], None]]:
        """What `begin` calls, in this order: the outboxes first, since one of them may be unreadable."""
        queues: list[Callable[[], None]] = [queue.start for queue in self._callbacks.own.values()]
        vacancy = [self._conference.vacancy.start] if self._conference else []
        taken: list[Callable[[], None]] = [self._handover.take] if self._handover else []  # before anything comes in
        taken += [self._transfers.outgoing.open] if self._transfers else []
        sessions = [self._session_handover.take] if self._session_handover else []
        rooms: list[Callable[[], None]] = [*vacancy, self._come_into_rooms, *sessions]  # before the callbacks, as these reply there
        last: list[Callable[[], None]] = [self._retention.start, self._scheduled.start, self._files.start]
        last += [self._transfers.incoming.start] if self._transfers else []
        last += [each.start for each in self._left]
        if self._uplink is None:
            return [*taken, lambda: self._queue.restore(()), self._queue.start, self._inbound.start, *rooms, *queues, *last]
        uplink = self._uplink
        opened: list[Callable[[], None]] = [partial(uplink.open, self._inbound), partial(self._restore, uplink), self._room_outbox.open]
        if self._handover:  # calls that have waited for an owner find its streams online (many-machines §13)
            last.append(partial(uplink.wait_tried, ONLINE_WITHIN))
        return [*taken, *opened, self._queue.start, self._inbound.start, *rooms, *queues, uplink.start, *last]

    def _restore(self, uplink: Uplink) -> None:
        self._queue.restore(uplink.noted(self._domain))

    def _take_role(self, leads: bool) -> None:
        if leads:
            self.begin()
        else:
            self._has_followed = True

    def _come_into_rooms(self) -> None:
        if self._stops:
            self._rooms.give_up()
        else:
            self._rooms.begin(takes_over=self._has_followed)

    def begin(self) -> None:
        """Start the streams, the outboxes and the callbacks' journals. After a failure it is called again: what has begun goes on."""
        while self._to_begin:
            self._to_begin[0]()
            del self._to_begin[0]

    @on_leader
    def status(self) -> list[dict[str, Any]]:
        """How the streams are."""
        return self._uplink.status() if self._uplink else []

    def wait_for_others(self) -> None:
        """If this process leads, wait for others to say that they stop too (bounded), as it leaves rooms if nobody follows; before they are
        told to call no more.
        """
        if self._remote.group.is_leader:
            self._rooms.wait_for_others()

    def keep_rooms(self) -> None:
        """Let occupants stay in their rooms, as another node leads next; instead of `leave_rooms`."""
        self._stops = self._keeps_rooms = True

    def leave_rooms(self) -> None:
        """Leave the rooms of other servers, and tell the occupants of hosted rooms that the service shuts down."""
        self._stops = True
        if not self._remote.group.is_leader:
            self._tell_that_it_stops()
            return
        self._room_outbox.stop()
        self._rooms.end()
        if self._conference:
            self._conference.close()
        if self._uplink:
            for presence in self._router.occupancy.leave():
                try:
                    self._router.send(presence)
                except GatewayError as e:  # the outbox is full
                    self._incidents.report(log, "leaving", "a room is not left: %s", e)

    def stops_soon(self) -> None:
        """Tell the leader, if that is another process, that it need not wait for this one to follow. Returns at once."""
        self._stops = True
        if not self._remote.group.is_leader:
            self._remote.pool.submit(self._tell_that_it_stops)

    def _tell_that_it_stops(self) -> None:
        try:
            self._rooms.stops(self._remote.group.id)
        except GatewayError as e:  # there is no leader any more
            log.debug("the leader is not told that this process stops: %s", e)

    def cut_link(self) -> None:
        """Write nothing to the streams any more: another node owns the domain, or will soon. Does not wait; before `end`."""
        if self._uplink:
            self._uplink.cut()

    def end(self, *, has_storage: bool = True) -> None:
        """Stop what has started, the link first, so that no more stanzas come in; all of it, whatever fails. May be called again.

        `has_storage`: whether the storage may still be changed.
        """
        with self._lock:
            ended, self._has_ended = self._has_ended, True
        if ended:
            return
        take_all(self._last_steps(has_storage=has_storage))

    def _last_steps(self, *, has_storage: bool) -> list[Callable[[], object]]:
        """What `end` calls, in this order."""
        take_in = [each.stop for each in (*([self._transfers.incoming] if self._transfers else []), *self._left)]
        vacancy = [self._conference.vacancy.stop] if self._conference else []
        speech = [self._stop_speaking] if has_storage else []
        stays = [self._session_handover.leave] if self._session_handover and has_storage else []
        in_rooms = [*speech, *(stays if self._keeps_rooms else [self._rooms.end]), self._rooms.stop, self._sessions.stop]
        link_stops: list[Callable[[], object]] = []
        if self._uplink:
            link_stops = [partial(self._uplink.wait_tried, TRIED_WITHIN), self._uplink.stop]
        leaves = [self._handover.leave] if self._handover and self._keeps_rooms and has_storage else []
        archives = [partial(self._queue.stop, archives=has_storage)]
        closes = [self._room_outbox.close, self._uplink.close] if self._uplink else []
        last = [self._callbacks.stop, *([self._transfers.outgoing.close] if self._transfers else [])]
        first = [self._scheduled.stop, self._files.stop, self._retention.stop]
        return [*first, *take_in, *vacancy, *in_rooms, *link_stops, self._inbound.stop, *leaves, *archives, *closes, *last]

    def _stop_speaking(self) -> None:
        """Say nothing more in rooms. What does not lead has begun nothing; it may lead since it has begun to stop."""
        if self._remote.group.is_leader:
            self._room_outbox.stop()
