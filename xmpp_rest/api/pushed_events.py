"""An event stream as a body that publishers write (`http.sse.PushedBody`): it holds no thread, however long it is open."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from drivers import StorageError
from xmpp_rest.http.sse import COMMENTS, Framing, Out
from xmpp_rest.service.streams.registry import Event, Stream, StreamEnded, Streams
from xmpp_rest.threads.timers import Timer

PIECE = 16 << 10  # bytes that are written at once: less than any server's buffer
PENDING = 64 << 10  # bytes that may wait in the server for one reader; what follows waits as an event, which all readers share
FIRST_RETRY, LAST_RETRY = 0.01, 1.0  # seconds until a reader that took nothing is tried again
RETRY_GRAIN = 0.01
BEAT_GRAIN = 1 / 16  # of the time between heartbeats: so many share a wake-up

Write = Callable[[Event], bytes | None]
"""The text of an event; None for one that says nothing to these readers."""


class PushedEvents:
    """The events of one stream. Those from the archive are read by a thread of the streams' pool; live ones are written by who publishes.

    What the reader does not take waits in the stream, which bounds it. Methods may be called by any thread, and do not wait.
    """

    def __init__(
        self, stream: Stream, streams: Streams, write: Write, first: bytes, heartbeat: float, framing: Framing = COMMENTS
    ) -> None:  # fmt: skip
        """`first`: what goes between the start of the framing and the events; `heartbeat`: seconds of silence until its beat is sent."""
        self._stream = stream
        self._streams = streams
        self._write = write
        self._heartbeat = heartbeat
        self._out: Out | None = None
        self._framing = framing
        self._rest = framing.first + first  # what goes before the next event, from the byte `_at`
        self._at = 0
        self._wrote = 0.0  # when something was taken last
        self._ended = False  # whether nothing follows the rest
        self._over = False  # whether nothing is written any more
        self._turn = threading.Lock()  # held by who writes
        self._again = False  # whether there may be more than who holds the turn has seen
        self._reading = False  # whether a thread of the pool is about to read the archive
        self._beat_is_due = False
        self._pause = FIRST_RETRY
        self._beat: Timer | None = None
        self._retry: Timer | None = None

    def begin(self, out: Out) -> None:
        self._out = out
        self._stream.listen(self.pump)
        self._beat_in(self._heartbeat)
        self.pump()

    def gone(self) -> None:
        self._finish()

    def pump(self, may_read: bool = False) -> None:
        """Write what there is, as far as the reader takes it. `may_read`: this thread may wait for the archive."""
        self._again = True
        while self._again and not self._over and (out := self._out) and self._turn.acquire(blocking=False):
            try:
                self._again = False
                self._write_all(out, may_read)
            except Exception as e:
                out.close()
                self._finish()
                self._streams.fail(self._stream, e)
            finally:
                self._turn.release()

    def _write_all(self, out: Out, may_read: bool) -> None:
        while self._flush(out):
            if self._ended:
                out.close()
                self._finish()
                return
            if self._stream.replays and not may_read:
                self._read_soon()
                return
            if not self._next():
                if self._stream.replays:  # one page at a time: other streams take turns
                    self._read_soon()
                return

    def _flush(self, out: Out) -> bool:
        """Write the rest; whether all of it was taken."""
        while self._at < len(self._rest):
            if out.pending > PENDING or not out.write(self._rest[self._at : self._at + PIECE]):
                self._retry_later()
                return False
            self._at += PIECE
            self._wrote, self._pause = time.monotonic(), FIRST_RETRY
        return True

    def _next(self) -> bool:
        """Put the next event, or how it ends, into the rest; False: there is nothing now."""
        try:
            text = None
            while not text and (event := self._stream.take()) is not None:
                text = self._write(event)
        except StreamEnded as e:
            text, self._ended = self._framing.end(str(e), e.retry), True
        except StorageError as e:
            text, self._ended = self._framing.note(str(e)), True
        if not text and self._beat_is_due:
            text = self._framing.beat()
        self._beat_is_due = False
        self._rest, self._at = text or b"", 0
        return bool(text) or self._ended  # of the end some say nothing

    def _read_soon(self) -> None:
        """Have a thread that may wait go on."""
        if not self._reading:
            self._reading = True
            self._streams.pool.submit(self._read)

    def _read(self) -> None:
        self._reading = False
        self.pump(may_read=True)

    def _retry_later(self) -> None:
        if self._retry is None and not self._over:
            self._retry = self._streams.timers.after(self._pause, self._try_again, RETRY_GRAIN)
            self._pause = min(2 * self._pause, LAST_RETRY)

    def _try_again(self) -> None:
        self._retry = None
        self.pump()

    def _beat_in(self, seconds: float) -> None:
        if not self._over:
            self._beat = self._streams.timers.after(seconds, self._on_beat, self._heartbeat * BEAT_GRAIN)

    def _on_beat(self) -> None:
        silent = time.monotonic() - self._wrote
        if silent < self._heartbeat:
            self._beat_in(self._heartbeat - silent)
            return
        self._beat_is_due = True
        self._beat_in(self._heartbeat)
        self.pump()

    def _finish(self) -> None:
        self._over = True
        for timer in (self._beat, self._retry):
            if timer is not None:
                self._streams.timers.cancel(timer)
        self._stream.close_soon()
