"""How much time a login has left, and every wait of it (accounts-anywhere §1.2)."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Protocol

from xmpp_rest.link.c2s.failures import STOPPED, UNREACHABLE, LoginFailed

SLICE = 0.25  # seconds after which a wait looks whether the login is to be given up


class HasFileno(Protocol):
    """What can be waited for."""

    def fileno(self) -> int:
        """Of the system."""


class LoginTime:
    """The time of one login or check, or of a part of it."""

    def __init__(self, domain: str, seconds: float, stop: Callable[[], bool]) -> None:
        """`stop`: whether to give up."""
        self.domain = domain
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._stop = stop

    def part(self, seconds: float) -> LoginTime:
        """At most so many seconds of what is left."""
        return LoginTime(self.domain, min(seconds, self.left()), self._stop)

    def left(self) -> float:
        """Seconds, more than 0. Raises LoginFailed when there are none, or the login is to be given up."""
        if self._stop():
            raise LoginFailed(STOPPED, self.domain, "it was given up")
        left = self._until - time.monotonic()
        if left <= 0:
            raise LoginFailed(UNREACHABLE, self.domain, f"nothing within {self._seconds:.3g} s")
        return left

    def wait(self, sock: HasFileno, *, writing: bool = False) -> None:
        """Wait until the socket can be read, or written. Raises LoginFailed as `left`."""
        poll = select.poll()
        poll.register(sock, select.POLLOUT if writing else select.POLLIN)
        while not poll.poll(min(SLICE, self.left()) * 1000):
            pass
