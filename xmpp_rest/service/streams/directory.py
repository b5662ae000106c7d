"""The event streams that are open in all processes: followers report theirs to the leader, which has the list."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID

log = logging.getLogger(__name__)


class OpenStream(NamedTuple):
    """One stream: its full address, the client's address and port if known, and since when it is open (Unix time)."""

    jid: JID
    ip: str
    port: int
    since: float


class Directory:
    """The list of open streams. `mine`: those of this process. Safe to be used by several threads."""

    def __init__(self, remote: Remote, mine: Callable[[], list[OpenStream]]) -> None:
        self._remote = remote
        self._mine = mine
        self._elsewhere: dict[str, list[OpenStream]] = {}  # follower → its streams; in the leader
        self._latest: dict[str, int] = {}  # follower → the number of its latest report, as the threads of the leader may swap two
        self._reports = 0  # of this process
        self._lock = threading.Lock()  # guards the three above
        remote.offer(self)
        remote.on_left(self._forget)

    @on_leader
    def all(self) -> list[OpenStream]:
        """Every open stream. Raises GatewayError, as do the other methods."""
        return [*self._mine(), *(stream for streams in tuple(self._elsewhere.values()) for stream in streams)]

    def count_elsewhere(self, account: JID) -> int:
        """The number of streams that the account has in other processes."""
        return self._count_but(self._remote.group.id, account)

    @on_leader
    def _count_but(self, process: str, account: JID) -> int:
        """The number of streams that the account has in other processes than this one."""
        mine = [] if process == self._remote.group.id else self._mine()
        others = [s for other, streams in tuple(self._elsewhere.items()) if other != process for s in streams]
        return sum(stream.jid.bare == account for stream in (*mine, *others))

    def is_open_elsewhere(self, account: JID) -> bool:
        """Whether the account has a stream in another process; called in the leader, for each message."""
        return any(stream.jid.bare == account for streams in tuple(self._elsewhere.values()) for stream in streams)

    def report(self) -> None:
        """Report the streams of this process to the leader. Raises nothing."""
        if not self._remote.follows():
            return
        with self._lock:
            self._reports += 1
            number, streams = self._reports, self._mine()
        try:
            self._report(self._remote.group.id, number, streams)
        except GatewayError as e:  # the next leader gets the streams when they are opened again
            log.info("the leader is not told of the streams here: %s", e)

    @on_leader
    def _report(self, process: str, number: int, streams: list[OpenStream]) -> None:
        with self._lock:
            # without the follower: it has gone, or has another id by now, and nothing would remove its list
            if self._remote.group.has_follower(process) and number > self._latest.get(process, 0):
                self._elsewhere[process], self._latest[process] = streams, number

    def remove(self, jid: JID) -> None:
        """Remove a stream that is about to end from the list."""
        with self._lock:
            for process, streams in self._elsewhere.items():
                self._elsewhere[process] = [stream for stream in streams if stream.jid != jid]

    def _forget(self, process: str) -> None:
        with self._lock:
            self._elsewhere.pop(process, None)
            self._latest.pop(process, None)
