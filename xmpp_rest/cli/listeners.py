"""Event streams that the command line reads from the leader, some events with each call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from drivers import StorageError
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.service.streams.registry import Stream, StreamEnded, Streams
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.timers import Timer

MOST = 100  # events of one answer
IDLE = 120.0  # seconds without a call after which the reader has gone; its --exec may take as long before it has to resume


class LocalListener:
    """One stream, and the call that waits for its events: it holds no thread. Methods may be called by any thread, and do not wait."""

    def __init__(self, stream: Stream, streams: Streams, on_closed: Callable[[], object]) -> None:
        self._stream = stream
        self._timers = streams.timers
        self._on_closed = on_closed
        self._reply: Reply | None = None
        self._is_late = False  # whether the waiting call is to be answered even without events
        self._timer: Timer | None = None
        self._lock = threading.Lock()  # guards the three above
        self._wakes: Backlog[None] = Backlog(streams.pool, self._answer)
        stream.listen(self._wake)
        self._set_timer(IDLE, self.close)

    def next(self, reply: Reply, seconds: float) -> End:
        """Answer a call with the next events, or after so many seconds with none. What is returned is called if the caller has gone."""
        with self._lock:
            self._reply, self._is_late = reply, False
        self._set_timer(seconds, self._be_late)
        self._wake()
        return self.close

    def close(self) -> None:
        """End the stream: nobody reads it any more."""
        self._on_closed()
        self._stream.close_soon()
        self._set_timer(0, None)

    def _set_timer(self, seconds: float, act: Callable[[], None] | None) -> None:
        with self._lock:
            if self._timer is not None:
                self._timers.cancel(self._timer)
            self._timer = self._timers.after(seconds, act) if act else None

    def _be_late(self) -> None:
        self._is_late = True
        self._wake()

    def _wake(self) -> None:
        self._wakes.put(None)

    def _answer(self, _: object) -> None:
        """Answer the call if there is something to say; run by one thread at a time, which may wait for the storage."""
        if self._reply is None:
            return
        events, ended = self._take()
        if not (events or ended or self._is_late):
            return
        with self._lock:
            reply, self._reply = self._reply, None
        if ended:
            self.close()
        else:
            self._set_timer(IDLE, self.close)
        if reply is not None:
            reply({"events": events, "ended": ended})

    def _take(self) -> tuple[list[list[Any]], str]:
        """What there is, and why nothing follows it."""
        events: list[list[Any]] = []
        try:
            while len(events) < MOST:
                if (event := self._stream.take()) is not None:
                    events.append(event.to_json())
                elif not self._stream.replays:
                    break
        except (StreamEnded, StorageError) as e:
            return events, str(e)
        return events, ""
