"""The journals of the owner, in the storage that all nodes share (many-machines §5, §7)."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from drivers import Addition, StorageError
from drivers.shared import JournalRows, Shared
from xmpp_rest.cluster.ack_writer import AckWriter
from xmpp_rest.cluster.left_files import LeftEntry, LeftFile, OfNote
from xmpp_rest.cluster.shared_journal import SharedJournal
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import callback_name, callback_path, journal_path, outbox_name

log = logging.getLogger("xmpp_rest.link")


class SharedJournals:
    """Opens journals by name, each of the owner of a hosted domain. Methods raise OSError: the storage is away."""

    def __init__(
        self,
        shared: Callable[[], Shared],
        domain: str,
        incidents: Incidents,
        data_dir: Path,
        of_note: OfNote,
        clock: Callable[[], float] = time.monotonic,
        hosted: str = "",
    ) -> None:
        """`domain`: `[gateway] domain`; `hosted`: the domain whose lease allows to write all of them, the same if it is "".

        `data_dir`, `of_note`: where journals in files may have been left, and what becomes of their notes.
        """
        self._shared = shared
        self._domain = domain
        self._hosted = hosted or domain
        self._incidents = incidents
        self._data_dir = data_dir
        self._of_note = of_note
        self._clock = clock
        self._open: dict[tuple[str, str], SharedJournal] = {}
        self._acks = AckWriter()

    def outbox(self, name: str) -> SharedJournal:
        """That of a hosted domain, or of what its accounts say in rooms on other servers."""
        return self._opened(("outbox", name), outbox_name(name), LeftFile(journal_path(self._data_dir, name)))

    def callback(self, name: str) -> SharedJournal:
        """What waits for the URL of this callback."""
        of_callback = callback_name(self._domain, name)
        return self._opened(("callback", name), of_callback, LeftFile(callback_path(self._data_dir, name)))

    def take_left(self, kind: str, name: str, entries: Sequence[LeftEntry]) -> None:
        """Have what another node has kept in a file, when it was alone, in the journal of this kind and name, and sent."""
        journal = self._open.get((kind, name))
        if journal is None:
            raise OSError(errno.ENOENT, f"there is no {kind} {name}")
        journal.adopt(entries, self._of_note)

    def _opened(self, key: tuple[str, str], name: str, file: LeftFile) -> SharedJournal:
        rows = self._rows(name)
        journal = SharedJournal(rows, self._acks, self._unkept, self._clock)
        if entries := file.entries():
            journal.adopt(entries, self._of_note)
            journal.settle()
            journal = SharedJournal(rows, self._acks, self._unkept, self._clock)
        file.taken(len(entries))
        if former := self._open.get(key):  # of a start that failed later on
            self._acks.remove(former)
        self._acks.add(journal)
        self._open[key] = journal
        return journal

    def _rows(self, name: str) -> JournalRows:
        try:
            return self._shared().journal(name, self._hosted)
        except StorageError as e:
            raise OSError(errno.EIO, e.told or "the database has failed") from e

    def _unkept(self, addition: Addition, error: Exception) -> None:
        owner = f"{addition.user}@{addition.host}" if addition.user else addition.host
        self._incidents.report(log, "sent-unkept", "a message of %s is sent, but not in its archive: %r", owner, error)
