"""What readers of archives, in any process, have done before they read: what is accepted for the account is archived (decision 0037)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from drivers import StorageError
from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.unarchived_counts import UnarchivedCounts


class Settling(Protocol):
    """What the leader does; ArchiveQueue is one."""

    def settle(self, owner: JID) -> None: ...
    def settle_all(self) -> None: ...


class Unarchived:
    """Asks the leader to archive, where there is anything to archive. All methods raise StorageError."""

    def __init__(
        self, counts: UnarchivedCounts, queue: Settling, forget: Callable[[], None], domain: str, remote: Remote
    ) -> None:
        """`forget`: have nothing on disk that would archive again, after a crash, what is archived. `domain`: of the accounts."""
        self._counts = counts
        self._queue = queue
        self._forget = forget
        self._domain = domain
        self._has_leader = False  # before there is one, nobody has counted what an earlier process left over
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._know_leader)

    def _know_leader(self, _leads: bool) -> None:
        self._has_leader = True

    def settle(self, owner: JID) -> None:
        """Have everything archived that was accepted from `owner` before this call."""
        if owner.domain == self._domain and self._may_have(lambda: self._counts.has_some(owner)):
            _asked(lambda: self._settle(owner.bare))

    def settle_all(self) -> None:
        """As `settle` for all accounts."""
        if self._may_have(self._counts.has_any):
            _asked(self._settle_all)

    def _may_have(self, has: Callable[[], bool]) -> bool:
        try:
            return not self._has_leader or has()
        except OSError:  # the file cannot be opened
            return True

    def settle_for_good(self, owner: JID) -> None:
        """As `settle`; and what is then removed from the archive does not come back after a crash."""
        if owner.domain == self._domain:
            _asked(lambda: self._settle_for_good(owner.bare))

    @on_leader(repeatable=True)
    def _settle(self, owner: JID) -> None:
        self._queue.settle(owner)

    @on_leader(repeatable=True)
    def _settle_all(self) -> None:
        self._queue.settle_all()

    @on_leader(repeatable=True)
    def _settle_for_good(self, owner: JID) -> None:
        self._queue.settle(owner)
        try:
            self._forget()
        except OSError as e:
            raise StorageError(f"the outbox cannot be written: {e.strerror or e}") from e


def _asked(ask: Callable[[], None]) -> None:
    """Ask again if the leader has just ended, and raise what readers of a storage expect."""
    try:
        try:
            ask()
        except Unanswered:
            ask()
    except GatewayError as e:
        raise StorageError(e.text) from e
