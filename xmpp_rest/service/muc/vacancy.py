"""When do rooms go that nobody has ever entered? One timer, in the process that owns the link."""

from __future__ import annotations

import logging
import threading

from xmpp_rest.incidents import Incidents
from xmpp_rest.service.muc.rooms import Rooms

log = logging.getLogger(__name__)
SLOWEST = 60.0  # seconds between two looks
PART = 10  # of the time that a room has: how much later than that it may go


class Vacancy:
    """Ends rooms that are not persistent, once they have been vacant for `age` seconds; 0: never."""

    def __init__(self, rooms: Rooms, age: float, incidents: Incidents) -> None:
        self._rooms = rooms
        self._age = age
        self._incidents = incidents
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._age:
            self._thread = threading.Thread(target=self._run, name="vacant rooms", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stopping.wait(min(SLOWEST, self._age / PART)):
            for name in self._rooms.vacant(self._age):
                self._end(name)

    def _end(self, name: str) -> None:
        try:
            if self._rooms.end_vacant(name, self._age):
                log.info("the room %s, which nobody has entered, is gone", name)
        except Exception as e:  # it is looked at again, and the others have their turn
            self._incidents.report(log, "vacant-room", "the room %s, which nobody has entered, could not be removed: %r", name, e)
