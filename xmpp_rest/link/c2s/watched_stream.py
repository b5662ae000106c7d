"""For what the sessions' thread watches one stream."""

from __future__ import annotations

import selectors

from xmpp_rest.link.c2s.session_stream import SessionStream
from xmpp_rest.link.c2s.tls_stream import NEVER


class WatchedStream:
    """The events of its socket, and the time at which it is looked at without any."""

    def __init__(self, stream: SessionStream) -> None:
        self.stream = stream
        self._events = 0
        self._due = NEVER

    def arrange(self, selector: selectors.BaseSelector, key: object, reads: bool) -> None:
        """Watch for what the stream waits for now; `key` comes with each event. Raises OSError, ValueError."""
        events = self.stream.events(reads)
        if events == self._events:
            return
        if not self._events:
            selector.register(self.stream.socket, events, key)
        elif not events:
            selector.unregister(self.stream.socket)
        else:
            selector.modify(self.stream.socket, events, key)
        self._events = events

    def forget(self, selector: selectors.BaseSelector) -> None:
        """Watch no more; the socket is still open."""
        if self._events:
            selector.unregister(self.stream.socket)

    def earlier_due(self) -> float | None:
        """When it is to be looked at, if that is before the time that this has returned last, which then does not count any more."""
        due = self.stream.due()
        if due >= self._due:
            return None
        self._due = due
        return due

    def is_due(self, when: float) -> bool:
        """Whether it is still to be looked at for this, which `earlier_due` has returned; then another time is chosen."""
        if when != self._due:
            return False
        self._due = NEVER
        return True
