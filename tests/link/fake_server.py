"""A scripted server on loopback, for what real servers do not do on request."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
from collections.abc import Callable

HEADER = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' from='{0}' id='s1'>"
ERROR = "<stream:error><{0} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
SECRET = "hand in glove"
HANDSHAKE = hashlib.sha1(f"s1{SECRET}".encode()).hexdigest()

Script = Callable[["Connection"], None]


class Connection:
    """The server's end of one connection."""

    def __init__(self, sock: socket.socket, number: int = 1) -> None:
        self.sock = sock
        self.number = number
        """1: the first connection of the server."""
        sock.settimeout(30)
        self.received = b""

    def send(self, text: str | bytes) -> None:
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def read_until(self, mark: str, seconds: float = 30) -> str:
        """Everything up to and including `mark`."""
        self.sock.settimeout(seconds)
        while mark.encode() not in self.received:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.received.decode())
            self.received += data
        head, _, self.received = self.received.partition(mark.encode())
        return (head + mark.encode()).decode()

    def open(self, domain: str = "gateway.example") -> None:
        self.read_until(">")  # the XML declaration
        self.read_until(">")
        self.send(HEADER.format(domain))

    def accept(self) -> None:
        """The whole login of XEP-0114 §3, with the right secret."""
        self.open()
        assert HANDSHAKE in self.read_until("</handshake>")
        self.send("<handshake/>")


class FakeServer:
    """Runs `script` on each connection, in a thread of its own; counts them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.failures: list[BaseException] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                sock, _ = self._listener.accept()
                self.connections += 1
                self._open.append(sock)
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            self.script(Connection(sock, number))
        except (OSError, EOFError):
            return  # the component hung up
        except BaseException as e:  # shown by the test that owns this server
            self.failures.append(e)
        finally:
            sock.close()

    def close(self) -> None:
        self._listener.close()
        for sock in self._open:
            sock.close()
        assert not self.failures, self.failures
