"""A connection to a callback's server, with one deadline for all that it waits for: from the host's name to the end of an answer."""

from __future__ import annotations

import errno
import os
import select
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from xmpp_rest.threads.daemon_pool import DaemonPool
from xmpp_rest.threads.future import OneShot

T = TypeVar("T")
Addresses = list[tuple[Any, ...]]
"""As socket.getaddrinfo returns them."""


SocketWait = Callable[[socket.socket, int, float], bool]
"""As `threads.crew.Crew.wait`."""


class DeadlineSocket:
    """A connected socket that does not block; it waits by `wait`, until `end` (monotonic) and no longer."""

    def __init__(self, connected: socket.socket, wait: SocketWait, end: float) -> None:
        self.socket = connected
        self.end = end
        self.begun = False
        """Whether anything of the answer has come."""
        self._wait = wait

    def begin(self, end: float) -> None:
        """Another exchange begins."""
        self.end, self.begun = end, False

    def wait_until(self, end: float) -> None:
        """From now on wait until then (monotonic)."""
        self.end = end

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it. Raises TimeoutError, OSError."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._perform(partial(self.socket.send, rest), select.POLLOUT) :]

    def receive(self, most: int) -> bytes:
        """What has come, or comes next; b"" at the end. Raises TimeoutError, OSError."""
        if not isinstance(self.socket, ssl.SSLSocket):  # else it may have been decrypted already
            self._wait_for(select.POLLIN)
        data = self._perform(partial(self.socket.recv, most), select.POLLIN)
        self.begun = self.begun or bool(data)
        return data

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Do the handshake of TLS. Raises TimeoutError, OSError."""
        secured = context.wrap_socket(self.socket, server_hostname=host, do_handshake_on_connect=False)
        self.socket = secured
        self._perform(secured.do_handshake, select.POLLIN)

    def _perform(self, operation: Callable[[], T], events: int) -> T:
        while True:
            try:
                return operation()
            except ssl.SSLWantReadError:
                self._wait_for(select.POLLIN)
            except ssl.SSLWantWriteError:
                self._wait_for(select.POLLOUT)
            except BlockingIOError:
                self._wait_for(events)

    def _wait_for(self, events: int) -> None:
        if not self._wait(self.socket, events, _left(self.end)):
            raise TimeoutError("timed out")


def dial(addresses: Addresses, wait: SocketWait, end: float) -> DeadlineSocket:
    """A connection to the first of the addresses that takes it. Raises OSError: what the last one has said."""
    failure = OSError("the name has no address")
    for family, kind, protocol, _, address in addresses:
        plain = socket.socket(family, kind, protocol)
        try:
            plain.setblocking(False)
            _connect(plain, address, wait, end)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            plain.close()
            failure = e
        except BaseException:
            plain.close()
            raise
        else:
            return DeadlineSocket(plain, wait, end)
    raise failure


def _connect(plain: socket.socket, address: Any, wait: SocketWait, end: float) -> None:
    error = plain.connect_ex(address)
    if error == errno.EINPROGRESS:
        if not wait(plain, select.POLLOUT, _left(end)):
            raise TimeoutError("timed out")
        error = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        raise OSError(error, os.strerror(error))


def resolve(host: str, port: int, end: float, pool: DaemonPool) -> Addresses:
    """The addresses of a host; names are resolved by a thread of the pool, as the system's resolver has no deadline of ours.

    Raises TimeoutError, and what the resolver raises.
    """
    try:
        return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:  # it is a name
        found = OneShot[Addresses | Exception]()

    def look_up() -> None:
        try:
            found.give(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except Exception as e:
            found.give(e)

    try:
        pool.submit(look_up)
    except RuntimeError as e:
        raise OSError(str(e)) from e
    outcome = found.wait(_left(end))
    if outcome is None:
        raise TimeoutError("timed out")
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _left(end: float) -> float:
    """Seconds until `end` (monotonic). Raises TimeoutError."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
