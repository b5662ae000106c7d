"""Writes what is acknowledged in journals soon, where nothing is appended that it could go with (many-machines §7)."""

from __future__ import annotations

import logging
import threading
from typing import Protocol

from xmpp_rest.threads.backoff import Backoff

log = logging.getLogger("xmpp_rest.link")

SOON = 0.5  # seconds until acknowledgements are in the storage
LONGEST = 10.0  # seconds between two attempts while the storage is away


class Settleable(Protocol):
    """What has acknowledgements to write; SharedJournal is one."""

    def settle(self) -> None:
        """Write them, if there are any. Raises OSError."""
        ...


class AckWriter:
    """One thread for the journals that are open; it ends with the last of them."""

    def __init__(self) -> None:
        """The thread begins with the first journal."""
        self._open: list[Settleable] = []
        self._some = threading.Condition(threading.Lock())  # guards the above and the two below
        self._has_some = False
        self._thread: threading.Thread | None = None
        self._backoff = Backoff()

    def add(self, journal: Settleable) -> None:
        """A journal is open."""
        with self._some:
            self._open.append(journal)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="journals", daemon=True)
                thread.start()
                self._thread = thread

    def remove(self, journal: Settleable) -> None:
        """A journal is closed."""
        with self._some:
            if journal in self._open:
                self._open.remove(journal)
            self._some.notify_all()

    def wake(self) -> None:
        """There is something to write. Does not wait."""
        if not self._has_some:
            with self._some:
                self._has_some = True
                self._some.notify_all()

    def _run(self) -> None:
        pause = SOON
        while self._wait(pause):
            pause = SOON if self._settle_all() else self._backoff.next(SOON, LONGEST)

    def _wait(self, pause: float) -> bool:
        """Wait until there is something, and then for more to come; False once no journal is open."""
        with self._some:
            self._some.wait_for(lambda: self._has_some or not self._open)
            self._some.wait_for(lambda: not self._open, pause)
            self._has_some = False
            if not self._open:
                self._thread = None
            return bool(self._open)

    def _settle_all(self) -> bool:
        """Whether all is written. Raises nothing, for the thread has to go on."""
        with self._some:
            journals = [*self._open]
        done = True
        for journal in journals:
            try:
                journal.settle()
            except OSError as e:
                log.info("what was confirmed is not written yet, and may be sent again: %s", e)
                done = False
            except Exception:
                log.exception("what was confirmed cannot be written, and may be sent again")
                done = False
        if done:
            self._backoff.reset()
        else:
            self.wake()
        return done
