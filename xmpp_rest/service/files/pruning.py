"""Pruning: removes files whose end has come, and what crashes have left, in the leader (files §6)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from xmpp_rest.incidents import Incidents
from xmpp_rest.service.files.quotas import FileQuotas
from xmpp_rest.service.files.slots import OpenSlots
from xmpp_rest.service.files.store import FileStore

log = logging.getLogger("xmpp_rest.files")

EVERY = 3600.0  # seconds between two runs
END = 5.0  # seconds that the end of the process waits for a run


class FilePruning:
    """A thread that prunes at its start and every hour. `start()` and `stop()` are called by the Leader."""

    def __init__(self, store: FileStore, slots: OpenSlots, quotas: FileQuotas, incidents: Incidents) -> None:
        self._store = store
        self._slots = slots
        self._quotas = quotas
        self._incidents = incidents
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, every: float = EVERY) -> None:
        """Begin, now and then every so many seconds."""
        thread = threading.Thread(target=self._run, args=(every,), name="files", daemon=True)
        thread.start()
        self._thread = thread

    def stop(self) -> None:
        """End after the file that is removed now."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(END)

    def _run(self, every: float) -> None:
        while not self._stopping.is_set():
            self.prune()
            self._stopping.wait(every)

    def prune(self) -> int:
        """Remove what is over; how many files that were. Raises nothing: what fails is tried again with the next run."""
        count = 0
        for step in (self._remove_old, self._sweep):
            try:
                count += step()
            except Exception as e:
                self._incidents.report(log, "files-pruning", "old files could not be removed: %r", e)
        if count:
            log.info("%d files that had come to their end were removed", count)
        return count

    def _remove_old(self) -> int:
        removed = 0
        for file in self._store.walk():
            if self._stopping.is_set():
                return removed
            if file.is_over:
                removed += self._store.delete(file.id)
        return removed

    def _sweep(self) -> int:
        steps: tuple[Callable[[], object], ...] = (self._store.sweep, self._close_slots, self._quotas.read_again)
        for step in steps:
            if not self._stopping.is_set():
                step()
        return 0

    def _close_slots(self) -> None:
        for _ in self._slots.walk():  # which closes those that are over
            continue
