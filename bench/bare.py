"""The smallest external component: XEP-0114 on a plain socket, to receive, to echo, to flood.

`python bench/bare.py sink|echo PORT DOMAIN SECRET` runs one; the flood runs inside the benchmark.
"""

from __future__ import annotations

import hashlib
import re
import socket
import sys
import time
from typing import NamedTuple

OPEN = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='{}'>"
IQ = re.compile(rb"<iq\b[^>]*>")
ATTRIBUTE = re.compile(rb"\b(id|from|to)=['\"]([^'\"]*)['\"]")
SENDERS = 64  # different values of {s}


class Flood(NamedTuple):
    """So many answers came in so many seconds; `delays` in ms, from sending to answer."""

    number: int
    seconds: float
    delays: list[float]


def attach(port: int, domain: str, secret: str) -> socket.socket:
    """A component stream that is logged in. Raises OSError, ConnectionRefusedError."""
    s = socket.create_connection(("127.0.0.1", port), 10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(OPEN.format(domain).encode())
    head = s.recv(4096).decode()
    stream = re.search(r"\bid=['\"]([^'\"]+)", head)
    if stream is None:
        raise ConnectionRefusedError(head)
    s.sendall(f"<handshake>{hashlib.sha1((stream[1] + secret).encode()).hexdigest()}</handshake>".encode())
    answer = s.recv(4096)
    if b"handshake" not in answer:
        raise ConnectionRefusedError(answer.decode())
    return s


def attach_again(port: int, domain: str, secret: str) -> socket.socket:
    """As `attach`, once the server has noticed that the last stream of this name has ended. Raises ConnectionRefusedError."""
    for _ in range(100):
        try:
            return attach(port, domain, secret)
        except ConnectionRefusedError:
            time.sleep(0.1)
    return attach(port, domain, secret)


def drink(s: socket.socket) -> None:
    """Take everything and do nothing with it."""
    s.settimeout(None)
    while s.recv(1 << 18):
        continue


def echo(s: socket.socket) -> None:
    """Answer every iq with an empty result, as lean as Python can."""
    s.settimeout(None)
    rest = b""
    while data := s.recv(1 << 16):
        rest += data
        out, end = [], 0
        for match in IQ.finditer(rest):
            end = match.end()
            values = dict(ATTRIBUTE.findall(match[0]))
            out.append(b"<iq type='result' id='%b' from='%b' to='%b'/>" % (values[b"id"], values[b"to"], values[b"from"]))
        rest = rest[end:]
        if out:
            s.sendall(b"".join(out))


def flood(s: socket.socket, stanza: str, answer: re.Pattern[bytes], seconds: float, window: int) -> Flood:
    """Keep `window` stanzas under way for so many seconds. `stanza` has {n} in it, which `answer` finds again, and perhaps {s}."""
    s.settimeout(5)
    sent_at: dict[int, float] = {}
    delays: list[float] = []
    number, rest = 0, b""
    start = now = time.monotonic()
    while now - start < seconds:
        new = range(number, number + window - len(sent_at))
        if new:
            sent_at.update(dict.fromkeys(new, now))
            s.sendall("".join(stanza.replace("{n}", str(n)).replace("{s}", str(n % SENDERS)) for n in new).encode())
            number = new.stop
        rest += s.recv(1 << 16)
        now, end = time.monotonic(), 0
        for match in answer.finditer(rest):
            end = match.end()
            if (at := sent_at.pop(int(match[1]), None)) is not None:
                delays.append((now - at) * 1000)
        rest = rest[end:]
    return Flood(len(delays), now - start, delays)


def main() -> None:
    role, port, domain, secret = sys.argv[1:]
    {"sink": drink, "echo": echo}[role](attach(int(port), domain, secret))


if __name__ == "__main__":
    main()
