"""Nodes of a cluster in the memory of one process: each has groups of its own over one database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers import StorageError
from drivers.shared import Shared
from xmpp_rest.cluster.group import ClusterGroup
from xmpp_rest.cluster.identity import identify
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.waits import Wait, Waits

DOMAIN = "capulet.example"
LEASE = 1.0


class Inn:
    """A service of one process; its guests are in the leader, its rooms in each speaker."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self.guests: list[str] = []
        self.rooms: list[str] = []
        self.heard: list[Any] = []
        self.colours: list[str] = []
        self.roles: list[bool] = []
        self.gone: list[str] = []
        self.gone_on_node: list[str] = []
        self.ended = threading.Event()
        self.hold = threading.Event()
        self.entered = threading.Event()
        self.fails_to_lead = False
        remote.offer(self)
        remote.on_broadcast("paint", self._paint)
        remote.on_published("news", self._hear)
        remote.on_role(self._take_role)
        remote.on_left(self._has_gone)
        remote.on_node_left(self._has_gone_on_node)

    @on_leader
    def enter(self, guest: str) -> int:
        self.guests.append(guest)
        return len(self.guests)

    @on_leader(repeatable=True)
    def stay(self, guest: str) -> str:
        self.entered.set()
        self.hold.wait(30)
        return guest

    def _wait_deferred(self, reply: Reply, wait: Wait) -> End:
        self.entered.set()
        self._remote.timers.after(wait.seconds / 2, lambda: reply("in the end"))
        return self.ended.set

    @on_leader(deferred=_wait_deferred)
    def wait(self, wait: Wait) -> str:
        return "at once"

    @on_leader(of_node=True)
    def take_room(self, room: str) -> list[str]:
        self.rooms.append(room)
        return self.rooms

    @on_leader(repeatable=True)
    def fail(self) -> None:
        raise StorageError("the disk is full")

    @on_leader
    def say(self, news: str) -> None:
        self._remote.publish("news", news=news)

    @on_leader
    def whisper(self, news: str, to: list[str]) -> None:
        self._remote.publish("news", to, news=news)

    def paint(self, colour: str) -> None:
        self._remote.broadcast("paint", colour=colour)

    def paint_node(self, colour: str) -> None:
        self._paint(colour)
        self._remote.tell_node("paint", colour=colour)

    def _paint(self, colour: str) -> None:
        self.colours.append(colour)

    def _hear(self, news: str) -> None:
        self.heard.append(news)

    def _take_role(self, leads: bool) -> None:
        if leads and self.fails_to_lead:
            self.fails_to_lead = False
            raise OSError("the outbox cannot be read")
        self.roles.append(leads)

    def _has_gone(self, process: str) -> None:
        self.gone.append(process)

    def _has_gone_on_node(self, process: str) -> None:
        self.gone_on_node.append(process)


class ClusterProcess:
    """A process of a node, as wiring builds it."""

    def __init__(self, folder: Path, name: str, shared: Shared, lease: float = LEASE, *, may_own: bool = True, notify: bool = True) -> None:
        settings = ClusterSettings("postgresql", name, lease, 1, spread=False, may_own=may_own, notify=notify, poll=0.02, url="")
        incidents = Incidents()
        self.shared = shared
        self.keeper = LeaseKeeper(lambda: shared, DOMAIN, (DOMAIN,), identify(folder, name), settings, dict, incidents)
        self.seconds: list[float] = []
        self.group = ClusterGroup(folder, DOMAIN, lambda: shared, self.keeper, lease, incidents, self.seconds.append)
        self.remote = Remote(self.group, Waits(8), StorageError)
        self.inn = Inn(self.remote)

    def start(self) -> ClusterProcess:
        self.remote.start()
        return self

    def stop(self) -> None:
        self.remote.stop()


Make = Callable[..., ClusterProcess]
