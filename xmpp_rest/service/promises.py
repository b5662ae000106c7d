"""Which deliveries of a callback are promised and not answered yet, in whichever process? A journal for each process that needs one.

The journals of a callback are `NAME.journal`, `NAME.2.journal` and so on; the lock beside each (`NAME.lock`) says that a process owns
it. A journal without an owner, left by a crash or by a worker that was replaced, is taken over by whichever process sees it first.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from xmpp_rest.link.journal import Journal
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.service.delivery import Delivery, Lost, read_delivery

log = logging.getLogger(__name__)

MAX_PROCESSES = 64
Promise = tuple[int, Delivery]
"""The journal's number (0: it is in memory only) and what was promised."""


class Promises:
    """The promises of one callback in this process. Owned by its CallbackService; `open()` and `close()` are called once each."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._journal: Journal | None = None
        self._lock = -1

    def open(self) -> list[Promise]:
        """Get a journal of one's own; what it holds. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stem in self._stems():
            if (lock := _try_lock(self._folder / f"{stem}.lock")) is not None:
                self._lock = lock
                self._stem = stem
                self._journal = Journal(self._path(stem))
                return list(_read(self._journal))
        raise OSError(f"{MAX_PROCESSES} processes have a journal of the callback {self._name} already")

    def close(self) -> None:
        """Give the journal back; what is open stays in it."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            os.close(self._lock)

    def make(self, deliveries: Sequence[Delivery]) -> list[Promise]:
        """Promise these: on disk when this returns, those that last. Raises OSError, and then none is."""
        texts = [_text(d) for d in deliveries]
        kept = [t for t in texts if t]
        numbers = iter(self._journal.append(kept) if self._journal is not None and kept else ())
        return [(next(numbers, 0) if t else 0, d) for t, d in zip(texts, deliveries, strict=True)]

    def done(self, number: int) -> None:
        """This one was answered."""
        journal = self._journal
        if number and journal is not None:
            journal.done((number,))

    def take_over(self) -> list[Promise]:
        """The promises of processes that ended, now this one's. Raises OSError."""
        return [promise for stem in self._stems() if stem != self._stem and self._path(stem).exists() for promise in self._orphans(stem)]

    def _orphans(self, stem: str) -> list[Promise]:
        lock = _try_lock(self._folder / f"{stem}.lock")
        if lock is None or self._journal is None:
            return []
        try:
            left = Journal(self._path(stem))
            found = list(_read(left))
            promises = self.make([delivery for _, delivery in found])
            left.close()
            self._path(stem).unlink()
        finally:
            os.close(lock)
        return promises

    def _stems(self) -> Iterator[str]:
        return (self._name if n == 1 else f"{self._name}.{n}" for n in range(1, MAX_PROCESSES + 1))

    def _path(self, stem: str) -> Path:
        return self._folder / f"{stem}.journal"


def _text(delivery: Delivery) -> str:
    """What to write down; nothing for what does not last, or what has no text at all: that will be refused soon enough."""
    try:
        return delivery.text() if delivery.lasting else ""
    except BadXML:
        return ""


def _read(journal: Journal) -> Iterator[Promise]:
    for number, text in journal.promises():
        try:
            yield number, read_delivery(text)
        except Lost as e:
            log.error("a stanza in the journal of a callback cannot be read and is dropped: %s", e)
            journal.done((number,))


def _try_lock(path: Path) -> int | None:
    """The locked file, None if somebody has it. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    except BlockingIOError:
        os.close(file)
        return None
