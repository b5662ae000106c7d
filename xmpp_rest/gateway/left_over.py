"""What a crash left over: messages that are accepted and not archived, for a command that works on the storage without a gateway."""

from __future__ import annotations

import fcntl
import os
from contextlib import closing
from pathlib import Path

from drivers import Driver, StorageError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.journals import journal_path
from xmpp_rest.processes.election import LOCK
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.archive_queue import ArchiveQueue
from xmpp_rest.service.messages.unarchived_counts import UnarchivedCounts


def archive_left_over(folder: Path, domain: str, driver: Driver, incidents: Incidents) -> None:
    """Archive what the outbox of `domain` in this data folder says. Raises StorageError, also if a gateway has just begun there."""
    path = journal_path(folder, domain)
    if not path.exists():
        return
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with closing(Journal(path)) as journal:
            if entries := journal.noted():
                queue = ArchiveQueue(Archive(driver), UnarchivedCounts(folder), incidents, journal.ack_notes)
                queue.restore(entries)
                queue.settle_all()
    except BlockingIOError:
        raise StorageError("a gateway has just begun on this data folder") from None
    except OSError as e:
        raise StorageError(f"{path}: {e.strerror or e}") from e
    finally:
        os.close(lock)
