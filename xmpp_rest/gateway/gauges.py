"""The gauges of one process: what its parts hold now."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from drivers import StorageError
from xmpp_rest import __version__
from xmpp_rest.api.gateway import ClusterControl
from xmpp_rest.config.table import Settings
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.metrics.families import STREAM_APIS, Figures, added, sample
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.callbacks.callbacks import Callbacks
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.files.files import FileService
from xmpp_rest.service.rooms.calls import RoomCalls
from xmpp_rest.service.scheduled.runner import ScheduledRunner
from xmpp_rest.service.sessions.session_views import SessionViews
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.threads.probe import Probe
from xmpp_rest.threads.sockets import SocketLoop

PATIENCE = 0.2  # seconds that a count of dead letters may take; then the latest one holds


class GaugedDomain(NamedTuple):
    """What a domain with an owner of its own has to be read."""

    remote: Remote
    uplink: Uplink | None
    pending: Pending
    callbacks: Callbacks


class Gauges:
    """Reads the parts. Raises nothing, and waits for the storage alone, not for long."""

    def __init__(
        self, settings: Settings, under_way: Callable[[], int], streams: Streams, pending: Pending, uplink: Uplink | None,
        callbacks: Callbacks, dead: DeadLetters, scheduled: ScheduledRunner, rooms: RoomCalls, files: FileService,
        sessions: SessionViews, cluster: ClusterControl, apart: Sequence[GaugedDomain] = (),
    ) -> None:  # fmt: skip
        """`under_way`: how many requests are served in threads of the server's own; `apart`: the domains that have owners of their own."""
        self._apart = apart
        self._threads = settings.server.threads
        self._outbox_size = settings.link.outbox_size
        self._under_way = under_way
        self._loop: SocketLoop | None = None
        self._streams = streams
        self._pending = pending
        self._uplink = uplink
        self._callbacks = callbacks
        self._dead = dead
        self._scheduled = scheduled
        self._rooms = rooms
        self._files = files
        self._sessions = sessions
        self._cluster = cluster
        self._letters: Figures = {}
        self._count_in_time: Probe[Figures] = Probe(self._count, patience=PATIENCE, kept=0.0)

    def read_by(self, loop: SocketLoop) -> None:
        """The event loop that serves this process; called before it begins."""
        self._loop = loop

    def __call__(self, leads: bool) -> Figures:
        """Those of this process; if it `leads`, also those that belong to the gateway as a whole, or if it speaks for a node, to that."""
        of_node = self._cluster.gauges()
        version = {sample("build_info", __version__, platform.python_version()): 1.0} if leads or "cluster_nodes" in of_node else {}
        figures = self._own() | version | of_node | (self._shared() | self._of_callbacks() if leads else {})
        led = [self._of_domain(each) for each in self._apart if each.remote.group.is_leader]
        return added([figures, *led]) if led else figures

    def _of_domain(self, each: GaugedDomain) -> Figures:
        status = each.uplink.status() if each.uplink else []
        return {
            **{sample("link_up", stream["domain"]): float(stream["state"] == "online") for stream in status},
            "outbox_stanzas": float(sum(stream["outbox"] for stream in status)),
            **_waiting(each.callbacks),
        }

    def _own(self) -> Figures:
        busy = self._loop.busy if self._loop is not None else self._under_way()
        figures = {"threads": float(self._threads), "threads_busy": float(busy), "iq_waiting": float(self._pending.count)}
        figures["iq_waiting"] += sum(each.pending.count for each in self._apart)
        streams = self._streams.count_by_api()
        return figures | {sample("streams_open", api): float(streams.get(api, 0)) for api in STREAM_APIS}

    def _shared(self) -> Figures:
        status = self._uplink.status() if self._uplink else []
        oldest = self._uplink.oldest() if self._uplink else None
        rooms = self._rooms.own_figures()
        return {
            **{sample("link_up", stream["domain"]): float(stream["state"] == "online") for stream in status},
            "outbox_stanzas": float(sum(stream["outbox"] for stream in status)),
            "outbox_limit": float(self._outbox_size),
            "outbox_oldest_seconds": max(0.0, time.time() - oldest) if oldest is not None else 0.0,
            **{sample("rooms", state): float(count) for state, count in rooms.items() if state != "held"},
            "rooms_held": float(rooms["held"]),
            "scheduled_soon": float(self._scheduled.soon),
            "scheduled_late_seconds": self._scheduled.late,
            **self._of_files(),
            **{sample("sessions", pattern): float(count) for pattern, count in self._sessions.own_counts().items()},
        }

    def _of_files(self) -> Figures:
        stored = self._files.counted
        return {"files": float(stored.files), "files_bytes": float(stored.used), "files_limit_bytes": float(self._files.quota_total)}

    def _of_callbacks(self) -> Figures:
        waiting = _waiting(self._callbacks)
        with suppress(TimeoutError, StorageError):
            self._letters = self._count_in_time.ask() if self._callbacks.queues else {}
        return waiting | self._letters

    def _count(self) -> Figures:
        return {sample("callback_dead_letters", name): float(self._dead.count(name)) for name in self._callbacks.queues}


def _waiting(callbacks: Callbacks) -> Figures:
    """Of those that have this leader."""
    return {sample("callback_queue", name): float(queue.pool.waiting + queue.pool.retrying) for name, queue in callbacks.own.items()}
