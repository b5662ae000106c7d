"""What the leader of a domain of rooms runs, where that has an owner of its own (many-machines §11, `[cluster] spread`)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from xmpp_rest.gateway.all_steps import take_all
from xmpp_rest.gateway.leader import ONLINE_WITHIN
from xmpp_rest.gateway.room_handover import RoomHandover
from xmpp_rest.gateway.transfers import Transfers
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.messages.retention import Retention
from xmpp_rest.service.muc.conference import Conference


class RoomsLeader:
    """As `Leader`, for one domain: `begin` is called once the process leads, and a process never gives the role back."""

    def __init__(
        self,
        uplink: Uplink | None,
        inbound: InboundQueue,
        transfers: Transfers,
        callbacks: Callbacks,
        conference: Conference | None,
        retention: Retention,
        handover: RoomHandover,
        remote: Remote,
    ) -> None:
        """`conference`: if the rooms of the domain are those of XEP-0045."""
        self._uplink = uplink
        self._inbound = inbound
        self._transfers = transfers
        self._callbacks = callbacks
        self._conference = conference
        self._retention = retention
        self._handover = handover
        self._keeps_rooms = False
        self._to_begin = self._steps()
        self._lock = threading.Lock()  # guards the next line
        self._has_ended = False
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._take_role)

    def _steps(self) -> list[Callable[[], None]]:
        """What `begin` calls, in this order: what comes in comes last."""
        opened: list[Callable[[], None]] = [partial(self._uplink.open, self._inbound)] if self._uplink else []
        online: list[Callable[[], None]] = [self._uplink.start, partial(self._uplink.wait_tried, ONLINE_WITHIN)] if self._uplink else []
        vacancy = [self._conference.vacancy.start] if self._conference else []
        queues: list[Callable[[], None]] = [queue.start for queue in self._callbacks.own.values()]
        first: list[Callable[[], None]] = [self._handover.take, *opened, self._transfers.outgoing.open, self._inbound.start]
        return [*first, *vacancy, *queues, self._transfers.incoming.start, self._retention.start, *online]

    def _take_role(self, leads: bool) -> None:
        if leads:
            self.begin()

    def begin(self) -> None:
        """Start what there is. After a failure it is called again: what has begun goes on."""
        while self._to_begin:
            self._to_begin[0]()
            del self._to_begin[0]

    @on_leader
    def status(self) -> list[dict[str, Any]]:
        """How the stream is."""
        return self._uplink.status() if self._uplink else []

    def keep_rooms(self) -> None:
        """Let occupants stay in their rooms, as another node leads next; instead of `leave_rooms`."""
        self._keeps_rooms = True

    def leave_rooms(self) -> None:
        """Tell the occupants that the service shuts down."""
        if self._remote.group.is_leader and self._conference:
            self._conference.close()

    def cut_link(self) -> None:
        """Write nothing to the stream any more. Does not wait; before `end`."""
        if self._uplink:
            self._uplink.cut()

    def end(self, *, has_storage: bool = True) -> None:
        """Stop what has started, what comes in first. May be called again. `has_storage`: whether the storage may still be changed."""
        with self._lock:
            ended, self._has_ended = self._has_ended, True
        if ended:
            return
        vacancy = [self._conference.vacancy.stop] if self._conference else []
        stops, closes = ([self._uplink.stop], [self._uplink.close]) if self._uplink else ([], [])
        leaves = [self._handover.leave] if self._keeps_rooms and has_storage and self._remote.group.is_leader else []
        coming_in = [self._retention.stop, *vacancy, self._transfers.incoming.stop, *stops, self._inbound.stop]
        take_all([*coming_in, *leaves, self._callbacks.stop, self._transfers.outgoing.close, *closes])
