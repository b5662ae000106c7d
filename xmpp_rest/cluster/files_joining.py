"""What a node that was alone still promises when it joins, and another node owns its domains (many-machines §13)."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xmpp_rest.cluster.journals import SharedJournals
from xmpp_rest.cluster.left_files import LeftEntry, LeftFile
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import callback_path, journal_path
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote

log = logging.getLogger("xmpp_rest.link")

AGAIN = 10.0  # seconds until another attempt
MOST = 64  # entries of one call


class FilesJoining:
    """Hands the owner what is in the files of this node, where another node owns; an owner takes its own as it opens its journals."""

    def __init__(
        self,
        data_dir: Path,
        outboxes: tuple[str, ...],
        callbacks: tuple[str, ...],
        journals: SharedJournals,
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        """`outboxes` and `callbacks`: the names of the journals."""
        self._files = {("outbox", name): journal_path(data_dir, name) for name in outboxes}
        self._files |= {("callback", name): callback_path(data_dir, name) for name in callbacks}
        self._journals = journals
        self._incidents = incidents
        self._handing_on = threading.Lock()
        self._taken: Counter[tuple[str, str]] = Counter()  # entries of each file that the owner has; of the thread that has the lock
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._take_role)

    def _take_role(self, leads: bool) -> None:
        if not leads and any(path.exists() for path in self._files.values()):
            self._remote.pool.submit(self._hand_on)

    def _hand_on(self) -> None:
        """Raises nothing. One thread of the node's speaker at a time."""
        if self._remote.follows_speaker() or not self._handing_on.acquire(blocking=False):
            return
        try:
            for (kind, name), path in self._files.items():
                self._hand_file_on(kind, name, LeftFile(path))
        except (GatewayError, OSError) as e:
            self._incidents.report(log, "joining", "what this node has kept is not handed to the owner yet: %s", e)
            self._remote.timers.after(AGAIN, self._soon)
        finally:
            self._handing_on.release()

    def _soon(self) -> None:
        self._remote.pool.submit(self._hand_on)

    def _hand_file_on(self, kind: str, name: str, file: LeftFile) -> None:
        if self._remote.follows():  # else this node owns by now, and has read the file
            entries = file.entries()
            for some in _in_parts(entries[self._taken[kind, name] :]):
                self.take_left(kind, name, [entry.to_json() for entry in some])
                self._taken[kind, name] += len(some)  # another attempt goes on behind them
            file.taken(len(entries))

    @on_leader
    def take_left(self, kind: str, name: str, entries: list[list[Any]]) -> None:
        """Have these entries of another node's file in the journal of this kind and name. Raises GatewayError, storage-failed."""
        try:
            self._journals.take_left(kind, name, [LeftEntry.from_json(entry) for entry in entries])
        except OSError as e:
            raise GatewayError("storage-failed", f"The outbox cannot be written: {e.strerror or e}") from e


def _in_parts(entries: list[LeftEntry]) -> Iterator[list[LeftEntry]]:
    for start in range(0, len(entries), MOST):
        yield entries[start : start + MOST]
