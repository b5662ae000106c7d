"""An XMPP server that takes what components send and throws it away; only iqs that a component sends to itself come back (XEP-0114)."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

HEAD = "<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='{}' id='s1'>"
DOMAIN = re.compile(rb"<stream:stream [^>]*\bto=['\"]([^'\"]+)['\"][^>]*>")
HANDSHAKE = re.compile(rb"</handshake>")
IQ = re.compile(rb"<iq\b.*?</iq>")


class Sink:
    """Listens on loopback, at `port`, and lets every component in; a thread for each."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            stream, _ = self._listener.accept()
            threading.Thread(target=_serve, args=(stream,), daemon=True).start()


def _serve(stream: socket.socket) -> None:
    with suppress(OSError, EOFError):
        data, opened = _read(stream, b"", DOMAIN)
        stream.sendall(HEAD.format(opened[1].decode()).encode())
        data, _ = _read(stream, data, HANDSHAKE)
        stream.sendall(b"<handshake/>")
        while True:
            data, asked = _read(stream, data, IQ)
            stream.sendall(asked[0])


def _read(stream: socket.socket, data: bytes, wanted: re.Pattern[bytes]) -> tuple[bytes, re.Match[bytes]]:
    """What follows the first that is wanted, and that. Raises EOFError, OSError."""
    while (found := wanted.search(data)) is None:
        data = data[-4096:]  # nobody looks at what is before
        more = stream.recv(1 << 18)
        if not more:
            raise EOFError
        data += more
    return data[found.end() :], found
