"""The journals of the owner, in the storage that all nodes share (many-machines §5, §7)."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Mapping

from drivers import Addition, StorageError
from drivers.shared import JournalRows, Shared
from xmpp_rest.cluster.ack_writer import AckWriter
from xmpp_rest.cluster.shared_journal import SharedJournal
from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.link")


def outbox_name(name: str) -> str:
    """The name in the storage of the journal of an outbox."""
    return f"outbox:{name}"


def callback_name(domain: str, name: str) -> str:
    """The name in the storage of the journal of a callback: other gateways may have another of that name in the same database."""
    return f"callback:{domain}/{name}"


class SharedJournals:
    """Opens journals by name, each of the owner of a hosted domain. Methods raise OSError: the storage is away."""

    def __init__(
        self,
        shared: Callable[[], Shared],
        domain: str,
        callbacks: Mapping[str, str],
        incidents: Incidents,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`domain`: `[gateway] domain`; `callbacks`: for the name of each the hosted domain of its address."""
        self._shared = shared
        self._domain = domain
        self._callbacks = callbacks
        self._incidents = incidents
        self._clock = clock
        self._acks = AckWriter()

    def outbox(self, name: str) -> SharedJournal:
        """That of a hosted domain, or of what its accounts say in rooms on other servers."""
        return self._opened(outbox_name(name), name.rpartition("@")[2])

    def callback(self, name: str) -> SharedJournal:
        """What waits for the URL of this callback."""
        return self._opened(callback_name(self._domain, name), self._callbacks[name])

    def _opened(self, name: str, hosted: str) -> SharedJournal:
        journal = SharedJournal(self._rows(name, hosted), self._acks, self._unkept, self._clock)
        self._acks.add(journal)
        return journal

    def _rows(self, name: str, hosted: str) -> JournalRows:
        try:
            return self._shared().journal(name, hosted)
        except StorageError as e:
            raise OSError(errno.EIO, e.told or "the database has failed") from e

    def _unkept(self, addition: Addition, error: Exception) -> None:
        owner = f"{addition.user}@{addition.host}" if addition.user else addition.host
        self._incidents.report(log, "sent-unkept", "a message of %s is sent, but not in its archive: %r", owner, error)
