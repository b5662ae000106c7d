"""The thread that sends what the memberships of rooms have to send, and tells others, in order."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router

log = logging.getLogger("xmpp_rest.rooms")

BURST = 256  # stanzas that share one wait for the disk
PATIENCE = 5.0  # seconds for what is left when it ends

OnUnsent = Callable[[Element | Exception], None]
"""Gets the error that came at once, as a stanza or an exception."""


class _Letter(NamedTuple):
    stanza: Element
    unsent: OnUnsent | None


class RoomWork:
    """Whatever is put here is done in that order; putting never blocks. The thread begins with the first work, in the leader."""

    def __init__(self, router: Router, incidents: Incidents) -> None:
        self._router = router
        self._incidents = incidents
        self._queue: queue.SimpleQueue[_Letter | Callable[[], None] | None] = queue.SimpleQueue()
        self._begun = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, stanza: Element, unsent: OnUnsent | None = None) -> None:
        """Send a stanza; `unsent` is called by this thread if it was not accepted."""
        self._put(_Letter(stanza, unsent))

    def call(self, work: Callable[[], None]) -> None:
        """Call this."""
        self._put(work)

    def _put(self, item: _Letter | Callable[[], None]) -> None:
        self._queue.put(item)
        if self._thread is None:
            with self._begun:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="rooms", daemon=True)
                    self._thread.start()

    def stop(self) -> None:
        """Do what is left (bounded), and end."""
        self._queue.put(None)
        if (thread := self._thread) is not None and thread is not threading.current_thread():
            thread.join(PATIENCE)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            following: _Letter | Callable[[], None] | None = item
            letters: list[_Letter] = []
            while isinstance(following, _Letter):
                letters.append(following)
                following = self._next() if len(letters) < BURST else self._nothing
            self._send(letters)
            if following is None:
                return
            self._do(following)

    def _next(self) -> _Letter | Callable[[], None] | None:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return self._nothing

    def _nothing(self) -> None:
        """There is no more for now."""

    def _send(self, letters: list[_Letter]) -> None:
        try:
            results = self._router.send_each([letter.stanza for letter in letters]) if letters else []
        except Exception as e:
            results = [e] * len(letters)
        for letter, result in zip(letters, results, strict=True):
            if result is None:
                continue
            if letter.unsent is not None:
                unsent, failed = letter.unsent, result
                self._do(lambda unsent=unsent, failed=failed: unsent(failed))  # type: ignore[misc]  # bound now
            else:
                self._incidents.report(log, "room-unsent", "%s gets nothing of %s", letter.stanza.get("to"), letter.stanza.get("from"))

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as e:
            self._incidents.report(log, "room-work", "something about a room was not done: %r", e, level=logging.ERROR, trace=True)
