"""What a server gives a pushed body, for tests without one: it keeps what is written."""

from __future__ import annotations

import threading
from typing import Any

from flask import Flask

from xmpp_rest.http.sse import PUSH, PushedBody


class FakeOut:
    """An `http.sse.Out` whose client takes everything, or while it is `slow` `bound` bytes at most."""

    def __init__(self, bound: int = 1 << 16, *, slow: bool = False) -> None:
        self._bound = bound
        self._data = b""
        self._changed = threading.Condition()
        self.slow = slow
        self.pending = 0
        self.closed = False
        self.refused = 0
        self.threads: set[threading.Thread] = set()

    def write(self, data: bytes) -> bool:
        with self._changed:
            assert not self.closed
            if self.pending + len(data) > self._bound:
                self.refused += 1
                return False
            self.pending += len(data) if self.slow else 0
            self._data += data
            self.threads.add(threading.current_thread())
            self._changed.notify_all()
        return True

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def drain(self) -> None:
        """The client takes all that is pending."""
        with self._changed:
            self.pending = 0

    def hurry(self) -> None:
        """The client takes everything from now on."""
        self.slow = False
        self.drain()

    @property
    def blocks(self) -> list[bytes]:
        """Events and comments so far, without the comment with which every stream begins."""
        first, *blocks = self._data.split(b"\n\n")
        assert first == b": ok"
        return blocks[:-1]

    def until(self, count: int) -> list[bytes]:
        """The blocks, once there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.blocks) >= count, 30), self.blocks[-3:]
            return self.blocks

    def end(self) -> bytes:
        """The last block, once the response is closed."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.closed, 30)
            return self.blocks[-1]


class Pushed:
    """One open stream of a server that pushes; begun as the server does it when the head is sent."""

    def __init__(
        self, app: Flask, path: str, headers: dict[str, str], bound: int = 1 << 16, *, slow: bool = False, method: str = "GET", begins: bool = True
    ) -> None:
        self.bodies: list[PushedBody] = []
        self.patience: list[float] = []
        environ: dict[str, Any] = {PUSH: self._push, "REMOTE_ADDR": "192.0.2.1", "REMOTE_PORT": "4711"}
        self.response = app.test_client().open(path, method=method, headers=headers, environ_overrides=environ)
        self.out = FakeOut(bound, slow=slow)
        for body in self.bodies if begins else ():
            body.begin(self.out)

    def _push(self, body: PushedBody, patience: float) -> None:
        self.bodies.append(body)
        self.patience.append(patience)

    def gone(self) -> None:
        """The client leaves."""
        for body in self.bodies:
            body.gone()
