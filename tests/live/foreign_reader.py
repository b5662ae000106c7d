"""Readers of event streams of accounts that log in at their own server."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from urllib3.util import make_headers

from xmpp_rest.cli.access.events import ReceivedEvent, received

from .child import LOOPBACK
from .xmppserver import PASSWORD

SECONDS = 60.0


class ForeignReader:
    """Reads `/rest/stream`, or another path, until it ends or is closed."""

    def __init__(self, port: int, jid: str, path: str = "/rest/stream", password: str = PASSWORD, last: str = "") -> None:
        headers = make_headers(basic_auth=f"{jid}:{password}") | ({"Last-Event-ID": last} if last else {})
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=SECONDS)
        self._connection.request("GET", path, headers=headers)
        self._socket = self._connection.sock
        self._response = self._connection.getresponse()
        assert self._response.status == 200, (self._response.status, self._response.read())
        self.events: list[ReceivedEvent] = []
        self.comments: list[str] = []
        self.last = last
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, name="reader", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for event in received(self._response):
                with self._changed:
                    if event.comment:
                        self.comments.append(event.comment)
                    else:
                        self.events.append(event)
                        self.last = event.id or self.last
                    self._changed.notify_all()
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # it was closed
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    @property
    def told(self) -> list[dict[str, Any]]:
        """The messages with a body, as JSON."""
        with self._changed:
            messages = [json.loads(event.data) for event in self.events if event.name == "message"]
        return [message for message in messages if "body" in message]

    @property
    def bodies(self) -> list[str]:
        return [message["body"] for message in self.told]

    def until(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + SECONDS
        with self._changed:
            while not holds():
                left = end - time.monotonic()
                assert left > 0, (self.bodies, self.comments, self.ended)
                self._changed.wait(min(left, 0.1))

    def wait(self, *bodies: str) -> None:
        """Until these have been told."""
        self.until(lambda: set(bodies) <= set(self.bodies))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(SECONDS)
        self._response.close()
        self._connection.close()
