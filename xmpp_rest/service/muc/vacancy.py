"""The thread that removes rooms that nobody has entered; it runs in the leader, and first makes the index of rooms if there is none."""

from __future__ import annotations

import logging
import threading

from xmpp_rest.incidents import Incidents
from xmpp_rest.service.muc.rooms import MucRooms

log = logging.getLogger("xmpp_rest.rooms")
SLOWEST = 60.0  # at most this many seconds between two checks
PART = 10  # the fraction of `age` by which a room may be removed too late


class Vacancy:
    """Removes rooms that are not persistent after they have been vacant for `age` seconds; 0: never."""

    def __init__(self, rooms: MucRooms, age: float, incidents: Incidents) -> None:
        self._rooms = rooms
        self._age = age
        self._incidents = incidents
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        thread = threading.Thread(target=self._run, name="vacant rooms", daemon=True)
        thread.start()
        self._thread = thread  # not before: a process may be stopped just as it becomes the leader

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        self._complete_index()
        while self._age and not self._stopping.wait(min(SLOWEST, self._age / PART)):
            for name in self._rooms.vacant(self._age):
                self._end(name)

    def _complete_index(self) -> None:
        try:
            self._rooms.complete_index()
        except Exception as e:  # who needs it tries again
            if not self._stopping.is_set():
                self._incidents.report(log, "room-index", "the index of rooms by user could not be made: %r", e)

    def _end(self, name: str) -> None:
        try:
            if self._rooms.end_vacant(name, self._age):
                log.info("the room %s, which was never entered, was removed", name)
        except Exception as e:  # it is tried again later, after the others
            self._incidents.report(log, "vacant-room", "the room %s, which was never entered, could not be removed: %r", name, e)
