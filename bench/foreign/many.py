"""Many sessions in one gateway: what they take of memory, and of a processor while nobody asks; and callers of a silent server."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bench.foreign.logins import SESSION
from bench.foreign.requests import ECHOED, MESSAGE, of_hosted
from bench.foreign.servers import ACCOUNTS, OTHERS, SILENT
from bench.foreign.stage import TWO, Caller, ForeignStage, basic, foreign
from bench.load import Measured
from bench.process import usage
from tests.live.child import LOOPBACK

CALLERS = 50
PAUSE = 1.0  # seconds that a caller waits before he tries again
FEW, IDLE = 20.0, 65.0  # seconds; each session is tried once in a minute (`[sessions] keepalive`)
AT_ONCE = 4  # logins of one domain
MIB = 1 << 20


class Kept(NamedTuple):
    """Bytes of the gateway with one session, with half of ACCOUNTS, with all, and shares of a processor."""

    one: int
    half: int
    every: int
    idle_one: float
    idle_half: float
    login: float
    """Processor time of one of the logins, in seconds."""


def many_sessions(stage: ForeignStage) -> Kept:
    """By a gateway of its own, with one worker; its sessions last until it ends."""
    gateway = stage.gateway("many sessions", 1, "")
    port, pid = gateway.port, gateway.pid
    _log_in(port, OTHERS[:1])
    one, idle_one = usage(pid).resident, _share(pid, FEW)
    began = usage(pid).cpu
    _log_in(port, OTHERS[1 : ACCOUNTS // 2])
    half, login = usage(pid).resident, (usage(pid).cpu - began) / (ACCOUNTS // 2 - 1)
    idle_half = _share(pid, IDLE)
    _log_in(port, OTHERS[ACCOUNTS // 2 :])
    return Kept(one, half, usage(pid).resident, idle_one, idle_half, login)


def _log_in(port: int, users: Sequence[str]) -> None:
    """Each of them, a few at a time."""

    def log_in(users: Sequence[str]) -> None:
        caller = Caller(port)
        for user in users:
            status = caller("GET", SESSION, foreign(user))
            assert status == 200, (user, status)
        caller.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(log_in, (users[n::AT_ONCE] for n in range(AT_ONCE))))


def _share(pid: int, seconds: float) -> float:
    """Of a processor, while nobody asks for anything."""
    time.sleep(2)  # what the last request has begun ends
    before, began = usage(pid).cpu, time.monotonic()
    time.sleep(seconds)
    return (usage(pid).cpu - before) / (time.monotonic() - began)


class Callers:
    """CALLERS clients that try accounts of a silent server, each of a domain of its own, again and again. A context."""

    def __init__(self, port: int) -> None:
        self.answers: Counter[int] = Counter()
        """Status → how often."""
        self._ended = threading.Event()
        self._connections = [http.client.HTTPConnection(LOOPBACK, port, timeout=60) for _ in range(CALLERS)]
        self._threads = [threading.Thread(target=self._call, args=(n,), daemon=True) for n in range(CALLERS)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for connection in self._connections:
            with contextlib.suppress(OSError, AttributeError):  # it has none now
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        connection, who = self._connections[number], basic(f"romeo@n{number}.{SILENT}", "wherefore")
        while not self._ended.wait(PAUSE):
            with contextlib.suppress(OSError, http.client.HTTPException):  # this ends
                connection.request("GET", SESSION, headers=who)
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] += 1
            connection.close()


class Beside(NamedTuple):
    """Requests of a hosted account alone, and beside Callers; `answers`: what those got."""

    name: str
    alone: Measured
    beside: Measured
    answers: Counter[int]


def beside_callers(stage: ForeignStage, seconds: float) -> list[Beside]:
    """At the gateway with two workers."""
    found = []
    for name in (ECHOED, MESSAGE):
        alone = of_hosted(stage, TWO, name, 16, seconds)
        with Callers(stage.gateways[TWO].port) as callers:
            time.sleep(2 * PAUSE)  # until they are all there
            beside = of_hosted(stage, TWO, name, 16, seconds)
        found.append(Beside(name, alone, beside, callers.answers))
    return found
