"""Logins and first messages by the gateway, one after the other; and what the other server itself takes, by a bare socket."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from bench.foreign.requests import MESSAGE, post
from bench.foreign.servers import OTHERS
from bench.foreign.stage import Caller, ForeignStage, foreign
from bench.load import Clock, Measured
from bench.peers import SINK
from tests.live.tls_servers import FOREIGN, TLSServer
from tests.live.visitor import Visitor, credentials
from xmpp_rest.protocol.namespaces import STREAM_MANAGEMENT

LOGINS = 50
ACKNOWLEDGED = 50  # answers; ejabberd ends a stream with too many that are not
SESSION = "/rest/session"
BARE_PING = "<iq type='get' id='{}' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>"
BARE_MESSAGE = f"<message type='chat' to='friar@{SINK}'><body>wisely and slow; they stumble that run fast</body></message>"


def taken(clock: Clock, walls: Sequence[float], bad: int = 0) -> Measured:
    """Of things that were done one after the other, each in so many seconds."""
    ordered = sorted(walls)
    count = len(ordered)
    return Measured(count / sum(ordered), *clock.each(count), ordered[count // 2] * 1e3, ordered[count * 99 // 100] * 1e3, bad)


def each_once(acts: Sequence[Callable[[], bool]], pids: Sequence[int]) -> Measured:
    """Each of these once, in turn; they return whether all was well."""
    clock, walls, bad = Clock(pids), [], 0
    for act in acts:
        began = time.perf_counter()
        bad += not act()
        walls.append(time.perf_counter() - began)
    return taken(clock, walls, bad)


def logins(stage: ForeignStage, gateway: str) -> Measured:
    """`GET /rest/session` of accounts that have no session."""
    with _without_sessions(stage, gateway) as caller:
        return each_once([lambda u=user: caller("GET", SESSION, foreign(u)) == 200 for user in OTHERS[:LOGINS]], stage.pids(gateway))  # type: ignore[misc]


def first_messages(stage: ForeignStage, gateway: str) -> Measured:
    """`POST /rest` of accounts that have no session."""
    port = stage.gateways[gateway].port
    targets = [post(port, MESSAGE, foreign(user)) for user in OTHERS[:LOGINS]]
    with _without_sessions(stage, gateway) as caller:
        return each_once([lambda t=target: caller.ask(t) == 202 for target in targets], stage.pids(gateway))  # type: ignore[misc]


@contextmanager
def _without_sessions(stage: ForeignStage, gateway: str) -> Iterator[Caller]:
    """Before and afterwards: sessions that they have been given end."""
    caller = Caller(stage.gateways[gateway].port)
    try:
        yield caller
    finally:
        for user in OTHERS[:LOGINS]:
            assert caller("DELETE", SESSION, foreign(user)) == 204
        caller.close()


class BareStream:
    """A session of an account, and bytes that are written to it and read from it. A context."""

    def __init__(self, server: TLSServer) -> None:
        self._server = server
        self._socket = Visitor(server).log_in(credentials("benvolio"), "bare").socket
        self._socket.setblocking(True)
        self._count = 0

    def __enter__(self) -> BareStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def messages(self, seconds: float) -> Measured:
        """A message with a ping behind it, again and again."""
        return self._repeat(BARE_MESSAGE, seconds)

    def pings(self, seconds: float) -> Measured:
        return self._repeat("", seconds)

    def _repeat(self, before: str, seconds: float) -> Measured:
        clock, walls, end = Clock((self._server.pid,)), [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            self._ask(before)
            walls.append(time.perf_counter() - began)
        measured = taken(clock, walls)
        return measured._replace(cpu=0, behind=measured.cpu)

    def _ask(self, before: str) -> None:
        self._count += 1
        if self._count % ACKNOWLEDGED == 0:
            self._socket.send(f"<a xmlns='{STREAM_MANAGEMENT}' h='{self._count - 1}'/>".encode())
        self._socket.send((before + BARE_PING.format(f"q{self._count}", FOREIGN)).encode())
        answer, wanted = b"", re.compile(rf"id=['\"]q{self._count}['\"]".encode())
        while not wanted.search(answer):
            data = self._socket.recv(65536)
            assert data, answer
            answer += data
