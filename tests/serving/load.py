"""Clients that ask for `/pid`, or another path, again and again, and note what fails."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from tests.live.child import LOOPBACK


def until(reached: Callable[[], bool], what: str, seconds: float = 30, found: Callable[[], object] = str) -> None:
    """Wait for that. `found`: what there is instead, when it does not come."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"{what}: {found()}"
        time.sleep(0.02)


class Load:
    """`fresh`: clients with a new connection for each request; `kept`: clients that keep theirs for as long as the server does.

    `read` takes the body of an answer; what it raises ValueError for is a failure.
    """

    def __init__(
        self, port: int, fresh: int = 2, kept: int = 2, tls: ssl.SSLContext | None = None, path: str = "/pid", read: Callable[[bytes], int] = int,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.failures: list[str] = []
        self.pids: list[int] = []
        """Of the processes that have answered, in order."""
        self._port = port
        self._tls = tls
        self._path = path
        self._read = read
        self._headers = dict(headers or {})
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(keeps,)) for keeps in [False] * fresh + [True] * kept]

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(LOOPBACK, self._port, timeout=30)
        return http.client.HTTPSConnection(LOOPBACK, self._port, timeout=30, context=self._tls)

    def _ask(self, keeps: bool) -> None:
        connection = self._connection()
        while not self._over.is_set():
            try:
                connection.request("GET", self._path, headers=self._headers if keeps else self._headers | {"Connection": "close"})
                answer = connection.getresponse()
                self.pids.append(self._read(answer.read()))
            except (OSError, ValueError, http.client.HTTPException) as e:
                self.failures.append(repr(e))
                connection.close()
                self._over.wait(0.05)  # a port that is closed refuses at once
        connection.close()

    def until(self, answers: int) -> None:
        """Wait until there are so many more answers."""
        seen = len(self.pids)
        until(lambda: len(self.pids) >= seen + answers, f"{answers} answers", found=lambda: (len(self.pids) - seen, self.failures))

    def until_only(self, pids: set[int]) -> None:
        """Wait until nobody else has answered the latest hundred, and each of them at least one from now on: how many of them is not promised."""
        seen = len(self.pids)
        until(
            lambda: len(self.pids) >= seen + 100 and set(self.pids[-100:]) <= pids <= set(self.pids[seen:]),
            f"answers of {pids} alone",
            found=lambda: (Counter(self.pids[seen:]), self.failures),
        )


@contextlib.contextmanager
def load(
    port: int, fresh: int = 2, kept: int = 2, tls: ssl.SSLContext | None = None, path: str = "/pid", read: Callable[[bytes], int] = int,
    headers: Mapping[str, str] | None = None,
) -> Iterator[Load]:
    """Clients at work."""
    clients = Load(port, fresh, kept, tls, path, read, headers)
    for thread in clients._threads:
        thread.start()
    try:
        clients.until(20)
        yield clients
    finally:
        clients._over.set()
        for thread in clients._threads:
            thread.join()
