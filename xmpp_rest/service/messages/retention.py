"""Retention: removes the items of archives that are older than they are to be kept; it runs in the leader (decision 0044).

An account whose archive cannot be pruned is counted and logged, and tried again with the next run; after FAILURES in a row, as when the
storage is down, so are all others. At most half of the time is spent on it, so that requests are served meanwhile.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xmpp_rest.config.table import ArchiveSettings
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ARCHIVE, Archive
from xmpp_rest.service.messages.archive_keep import KeepSettings
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.storage")

FIRST = 30.0  # seconds from the start, or a change of the setting, to a run
EVERY = 3600.0  # seconds between two runs
BATCH = 10_000  # items that are removed at once, at most, unless the storage removes all as fast
FAILURES = 10
AT_WORK = 0.02  # seconds after which it rests for as long
END = 5.0  # seconds that the end of the process waits for a batch


@dataclass
class Pruned:
    """What a run has removed, and from how many archives; `failed`: archives that could not be pruned."""

    items: int = 0
    archives: int = 0
    failed: int = 0

    def add(self, *, items: int = 0, archives: int = 0, failed: int = 0) -> None:
        """Count so many more."""
        self.items += items
        self.archives += archives
        self.failed += failed


class Pauses:
    """Rests for as long as work has lasted."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self._began = time.monotonic()

    def take(self) -> None:
        """Rest if that is due."""
        if (worked := time.monotonic() - self._began) > AT_WORK:
            self._stopping.wait(worked)
            self._began = time.monotonic()


class Retention:
    """Prunes the archives of accounts and rooms. `configure` may be called at any time, from any thread."""

    def __init__(
        self,
        archive: Archive,
        own: KeepSettings,
        domains: Sequence[str],
        settings: ArchiveSettings,
        remote: Remote,
        incidents: Incidents,
        on_pruned: Callable[[JID, float], None],
        beside: Sequence[Retention] = (),
    ) -> None:
        """`on_pruned` gets the owner of a pruned archive, and the time (Unix, seconds) up to which nothing is left.

        `beside`: those of domains that have other leaders, which prune by themselves, and when all is to be pruned.
        """
        self._beside = beside
        self._archive = archive
        self.own = own
        self._domains = domains
        self._settings = settings
        self._remote = remote
        self._incidents = incidents
        self._on_pruned = on_pruned
        self._running = OrderLock()  # held during a run
        self._stopping = threading.Event()
        self._wake = threading.Event()  # the thread is to look why
        self._thread: threading.Thread | None = None
        remote.offer(self)

    def configure(self, settings: ArchiveSettings) -> None:
        """Keep items for as long as these say, from the next run on, which comes soon if that is another time."""
        before, self._settings = self._settings, settings
        if before != settings:
            self._wake.set()

    def start(self, first: float = FIRST, every: float = EVERY) -> None:
        """Begin to prune, after `first` seconds, and then every so many seconds."""
        thread = threading.Thread(target=self._run, args=(first, every), name="retention", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """End after the batch that is under way."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(END)

    def _run(self, first: float, every: float) -> None:
        due = first
        while True:
            if self._wake.wait(due):
                if self._stopping.is_set():
                    return
                self._wake.clear()
                due = first
                continue
            try:
                self._prune()
            except Exception as e:  # of the storage; the next run comes
                self._incidents.report(log, "retention", "archives could not be pruned: %r", e)
            due = every

    @on_leader
    def prune(self) -> Pruned:
        """Prune all archives now, after a run that is under way. Raises StorageError if the storage does not say which there are."""
        done = self._prune()
        for others in self._beside:
            done.add(**vars(others.prune()))
        return done

    def _prune(self) -> Pruned:
        done = Pruned()
        with self._running:
            for domain in self._domains:
                self._prune_domain(domain, done)
        if done.items:
            log.info("%d items that had been kept for long enough were removed from %d archives", done.items, done.archives)
        return done

    def _prune_domain(self, domain: str, done: Pruned) -> None:
        pauses, in_a_row = Pauses(self._stopping), 0
        for owner, seconds in self.own.owners(domain, ARCHIVE, self._settings.keep):
            if self._stopping.is_set() or in_a_row >= FAILURES:
                return
            try:
                self._prune_one(owner, time.time() - seconds, done, pauses)
                in_a_row = 0
            except Exception as e:
                done.add(failed=1)
                in_a_row += 1
                self._incidents.report(log, "archive-unpruned", "old items of the archive of %s could not be removed: %r", owner, e)
            pauses.take()

    def _prune_one(self, owner: JID, until: float, done: Pruned, pauses: Pauses) -> None:
        if until < 0 or not self._archive.has_before(owner, until):
            return
        done.add(archives=1)
        removed = BATCH
        while removed >= BATCH and not self._stopping.is_set():
            removed = self._archive.prune(owner, until, BATCH)
            done.add(items=removed)
            pauses.take()
        self._on_pruned(owner, until)
