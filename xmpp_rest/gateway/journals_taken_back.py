"""Journals of a gateway on one machine that was one of several: what the storage has of theirs is read into files (many-machines §13)."""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection
from contextlib import closing

from drivers import Driver, StorageError
from drivers.shared import JournalChange
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.journals import FileJournals, callback_name, outbox_name, parted

log = logging.getLogger("xmpp_rest.link")


class JournalsTakenBack:
    """Journals in files, each with what is in the storage under its name. Methods raise OSError."""

    def __init__(self, files: FileJournals, driver: Driver, domain: str) -> None:
        """`driver`: of a storage that several machines can reach; `domain`: `[gateway] domain`."""
        self._files = files
        self._driver = driver
        self._domain = domain
        self._left: Collection[str] | None = None  # the names of those that have entries in the storage; None: nobody has looked

    def outbox(self, name: str) -> Journal:
        return self._with_shared(self._files.outbox(name), outbox_name(name))

    def callback(self, name: str) -> Journal:
        return self._with_shared(self._files.callback(name), callback_name(self._domain, name))

    def _with_shared(self, journal: Journal, name: str) -> Journal:
        """Append what is in the storage, and remove it there: what is in both after a crash is sent twice."""
        try:
            if self._left is None:
                with closing(self._driver.open_shared(self._domain, notify=False)) as shared:
                    self._left = shared.journal_sizes().keys()
            if name not in self._left:  # as nearly always: a start costs one look
                return journal
            with closing(self._driver.open_shared(self._domain, notify=False)) as shared:
                rows = shared.journal(name)
                if left := rows.read():
                    each = [parted(row.text) for row in left]
                    journal.append([text for _, text in each], (), [request_id for request_id, _ in each])
                    rows.commit(JournalChange(removed=[row.number for row in left]))
                    log.warning("%d entries of %s, of several machines, are in the data folder now", len(left), name)
        except StorageError as e:
            journal.close()
            raise OSError(errno.EIO, e.told or "the database has failed") from e
        return journal
