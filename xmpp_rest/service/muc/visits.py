"""The rooms that users are in, in memory."""

from __future__ import annotations

import threading
from collections import Counter

from xmpp_rest.protocol.jid import JID


class Visits:
    """Counts the clients of each user in each room. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._clients: dict[JID, Counter[str]] = {}
        self._lock = threading.Lock()

    def count(self, user: JID, room: str, by: int) -> None:
        """So many more, or fewer, clients of a bare address are in the room of this name."""
        with self._lock:
            rooms = self._clients.setdefault(user, Counter())
            rooms[room] += by
            if rooms[room] <= 0:
                del rooms[room]
            if not rooms:
                del self._clients[user]

    def total(self, user: JID) -> int:
        """The number of rooms that the user is in, each client counted."""
        with self._lock:
            return self._clients[user].total() if user in self._clients else 0

    def rooms(self, user: JID) -> list[str]:
        """The names of these rooms, sorted."""
        with self._lock:
            return sorted(self._clients.get(user, ()))
