"""Bodies of answers that are written by those who have something to say, on any thread, without waiting."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from xmpp_rest.http.sse import PushedBody
from xmpp_rest.serving.connection import Connection
from xmpp_rest.serving.response_writer import ResponseWriter

log = logging.getLogger("xmpp_rest.server")

BOUND = 1 << 20  # bytes of one answer that wait for the client at most


class PushedAnswer:
    """Where a pushed body goes: implements `http.sse.Out`. `ended` is called once: whether all was sent, or the client has gone."""

    def __init__(self, connection: Connection, body: PushedBody, answer: ResponseWriter, ended: Callable[[bool], None]) -> None:
        self._connection = connection
        self._body = body
        self._answer = answer
        self._ended = ended
        self._open = threading.Lock()  # taken for good by the first who ends it

    def begin(self) -> None:
        """Let the body begin."""
        if self._connection.left:
            self.leave()
            return
        try:
            self._body.begin(self)
        except Exception:
            log.exception("an answer that is pushed could not begin")
            self.close()

    @property
    def pending(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._connection.pending

    def write(self, data: bytes) -> bool:
        """Send this, without waiting; False: it was not taken, as there is no room, or no client any more."""
        if self._open.locked() or self._connection.pending > BOUND:
            return False
        return self._connection.write(self._answer.part(data))

    def close(self) -> None:
        """End the answer."""
        if self._open.acquire(blocking=False):
            self._connection.write(self._answer.end())
            self._ended(True)

    def leave(self) -> None:
        """The client has gone."""
        if self._open.acquire(blocking=False):
            try:
                self._body.gone()
            except Exception:
                log.exception("an answer that was pushed could not be ended")
            self._ended(False)
