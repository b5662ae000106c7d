"""The event streams that are open in all processes: followers report what they open and close to the leader, which has the list."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.group import GroupExecutor

log = logging.getLogger("xmpp_rest.streams")

MOST = 500  # changes that one call reports


class OpenStream(NamedTuple):
    """One stream: its full address, the client's address and port if known, and since when it is open (Unix time)."""

    jid: JID
    ip: str
    port: int
    since: float


class Change(NamedTuple):
    """A stream that was opened, or closed."""

    stream: OpenStream
    opened: bool


class Listing:
    """The streams of one process, by account. Written by one thread at a time; any may read."""

    def __init__(self) -> None:
        self._accounts: dict[JID, dict[JID, OpenStream]] = {}

    def put(self, stream: OpenStream) -> None:
        """Add a stream, unless it is there."""
        self._accounts.setdefault(stream.jid.bare, {})[stream.jid] = stream

    def remove(self, jid: JID) -> None:
        """Remove a stream, if it is there."""
        streams = self._accounts.get(jid.bare, {})
        if streams.pop(jid, None) and not streams:
            del self._accounts[jid.bare]

    def apply(self, changes: Iterable[Change]) -> None:
        """Put or remove streams, in this order."""
        for stream, opened in changes:
            if opened:
                self.put(stream)
            else:
                self.remove(stream.jid)

    def of(self, account: JID) -> list[OpenStream]:
        """Those of one account."""
        return list(self._accounts.get(account, {}).values())

    def count(self, account: JID) -> int:
        """How many the account has."""
        return len(self._accounts.get(account, ()))

    def all(self) -> list[OpenStream]:
        """All of them."""
        return [stream for streams in tuple(self._accounts.values()) for stream in tuple(streams.values())]


class Directory:
    """The list of open streams. Safe to be used by several threads."""

    def __init__(self, remote: Remote) -> None:
        self.mine = Listing()
        """The streams of this process: a stream is put here or removed, and then reported."""
        self._remote = remote
        self._elsewhere: dict[str, Listing] = {}  # follower → its streams; in the leader
        self._latest: dict[str, int] = {}  # follower → the number of its latest report, as two that are under way may arrive swapped
        self._reports = 0  # of this process
        self._is_known = False  # whether the leader has the whole list of this process, so that changes are enough
        self._lock = threading.Lock()  # guards the four above
        self._reporting: GroupExecutor[Change, int] = GroupExecutor(self._report_changes, MOST, parks=True)
        remote.offer(self)
        remote.on_left(self._forget)
        remote.on_role(self._has_role)

    @on_leader
    def all(self) -> list[OpenStream]:
        """Every open stream. Raises GatewayError, as do the other methods."""
        with self._lock:
            return [stream for listing in (self.mine, *self._elsewhere.values()) for stream in listing.all()]

    @on_leader
    def of(self, account: JID) -> list[OpenStream]:
        """Every open stream of one account."""
        with self._lock:
            return [stream for listing in (self.mine, *self._elsewhere.values()) for stream in listing.of(account)]

    def count_elsewhere(self, account: JID) -> int:
        """The number of streams that the account has in other processes."""
        return self._count_but(self._remote.group.id, account)

    @on_leader
    def _count_but(self, process: str, account: JID) -> int:
        """The number of streams that the account has in other processes than this one."""
        with self._lock:
            return self._count(process, account)

    def _count(self, process: str, account: JID) -> int:
        mine = 0 if process == self._remote.group.id else self.mine.count(account)
        return mine + sum(listing.count(account) for other, listing in self._elsewhere.items() if other != process)

    def count(self, account: JID) -> int:
        """The number of streams that the account has in all processes; called in the leader."""
        return self.mine.count(account) + sum(listing.count(account) for listing in tuple(self._elsewhere.values()))

    def is_open_elsewhere(self, account: JID) -> bool:
        """Whether the account has a stream in another process; called in the leader, for each message."""
        return any(listing.count(account) for listing in tuple(self._elsewhere.values()))

    def processes_of(self, account: JID) -> list[str]:
        """The other processes in which the account has a stream; called in the leader, for each message."""
        return [process for process, listing in tuple(self._elsewhere.items()) if listing.count(account)]

    def opened(self, stream: OpenStream) -> int:
        """Report a stream that is open here; the number of those that its account has in other processes.

        Raises GatewayError, and then the leader may not know of it.
        """
        if not self._remote.follows():
            return self.count_elsewhere(stream.jid.bare)
        (count,) = self._reporting.run([Change(stream, True)])
        return count

    def closed(self, streams: Iterable[OpenStream]) -> None:
        """Report streams that are closed here. Raises nothing."""
        try:
            if self._remote.follows():
                self._reporting.run([Change(stream, False) for stream in streams])
        except GatewayError as e:  # the next report is of all streams
            log.info("the leader is not told of streams that are closed here: %s", e)

    def _report_changes(self, changes: Sequence[Change]) -> Sequence[int]:
        """Report to the leader; for each change how many streams the account has in other processes."""
        while (counts := self._try_to_report(changes)) is None:
            pass  # a later report has arrived before an earlier one: now the whole list is reported
        return counts

    def _try_to_report(self, changes: Sequence[Change]) -> list[int] | None:
        with self._lock:
            self._reports += 1
            number, process = self._reports, self._remote.group.id
            whole = None if self._is_known else self.mine.all()
            self._is_known = True  # unless this fails, or the leader changes meanwhile
        counts = None
        try:
            counts = self._report(process, number, whole, list(changes))
        finally:
            if counts is None:
                self._has_role(False)
        return counts

    def _has_role(self, _leads: bool) -> None:
        """There may be another leader, which knows nothing of the streams here."""
        with self._lock:
            self._is_known = False

    @on_leader
    def _report(self, process: str, number: int, whole: list[OpenStream] | None, changes: list[Change]) -> list[int] | None:
        """Take `changes`, or the `whole` list as it is after them; how many streams each account has elsewhere.

        None: an earlier report has not arrived, and the whole list is needed.
        """
        with self._lock:
            # without the follower: it has gone, or has another id by now, and nothing would remove its list
            if self._remote.group.has_follower(process) and number > (latest := self._latest.get(process, -1)):
                if whole is None and number > latest + 1:
                    return None
                self._latest[process] = number
                if whole is not None:
                    self._elsewhere[process] = Listing()
                self._elsewhere[process].apply(changes if whole is None else [Change(stream, True) for stream in whole])
            return [self._count(process, change.stream.jid.bare) for change in changes]

    def remove(self, jid: JID) -> None:
        """Remove a stream that is about to end from the list."""
        with self._lock:
            for listing in self._elsewhere.values():
                listing.remove(jid)

    def _forget(self, process: str) -> None:
        with self._lock:
            self._elsewhere.pop(process, None)
            self._latest.pop(process, None)
