"""The stream of a login that is under way: what is awaited next is read, and not a byte more is parsed (RFC 6120 §4)."""

from __future__ import annotations

import contextlib
import socket
import ssl
from xml.etree.ElementTree import Element
from xml.sax.saxutils import quoteattr

from xmpp_rest.link.c2s.failures import NO_TLS, STREAM_ERRORS, UNREACHABLE, LoginFailed
from xmpp_rest.link.c2s.login_time import LoginTime
from xmpp_rest.link.c2s.quick_ack import acknowledge_at_once
from xmpp_rest.link.c2s.stream_header import HeaderReader
from xmpp_rest.link.c2s.tls import encrypted
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.link.stream import StanzaStream
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.namespaces import CLIENT, STREAMS

READ_SIZE = 16384  # bytes: a record of TLS
MOST_BYTES, MOST_TAGS = 1 << 20, 10_000  # of a server in a login: those measured send about 3,000 bytes; 10,000 tags take 0.1 s
_OPENING = "<?xml version='1.0'?><stream:stream to={} version='1.0' xml:lang='en' xmlns='jabber:client' xmlns:stream='{}'>"
_BLOCKED = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_FEATURES = f"{{{STREAMS}}}features"


class LoginStream:
    """A connected socket that does not block, and what was read from it. Methods raise LoginFailed. A context: closed at its end."""

    def __init__(self, sock: socket.socket, time: LoginTime) -> None:
        self._socket: socket.socket | TlsSocket = sock
        self.time = time
        self.header = b""
        self._domain = time.domain
        self._received = b""  # and not parsed
        self._scanned = 0  # bytes of it that hold no end of a tag
        self._bytes = self._tags = 0
        self._elements: list[Element] = []
        self._parser: StanzaStream | None = None
        self._handed_over = False

    def _failed(self, down: LinkDown) -> LoginFailed:
        return LoginFailed(STREAM_ERRORS.get(down.reason, UNREACHABLE), self._domain, str(down))

    def __enter__(self) -> LoginStream:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._handed_over:
            self.close()

    def encrypt(self, context: ssl.SSLContext, name: str) -> None:
        """Go on with TLS. What was sent in front of it is not part of what it protects (CVE-2011-0411)."""
        if self._received:
            raise LoginFailed(NO_TLS, self._domain, "data between <proceed/> and TLS")
        assert isinstance(self._socket, socket.socket)
        self._socket = encrypted(self._socket, context, name, self.time)

    def extend(self, time: LoginTime) -> None:
        """The server is reached: what follows has this time."""
        self.time = time

    def open(self) -> Element:
        """Begin a stream, or begin it again; its features (RFC 6120 §4.3.2)."""
        self.write(_OPENING.format(quoteattr(self._domain), STREAMS))
        reader = HeaderReader()
        try:
            while (header := reader.feed(self._piece())) is None:
                pass
        except LinkDown as e:
            raise self._failed(e) from e
        if not header.version:
            raise LoginFailed(NO_TLS, self._domain, "a server without features")
        self.header = header.text
        self._parser = StanzaStream(self._keep, MOST_BYTES, self._refuse, header=header.text, namespace=CLIENT, ends_beyond_limit=True)
        features = self.read()
        if features.tag != _FEATURES:
            raise LoginFailed(UNREACHABLE, self._domain, f"{features.tag[:100]} in place of the features of the stream")
        return features

    def _keep(self, element: Element, size: int) -> None:
        self._elements.append(element)

    @staticmethod
    def _refuse(head: Element, why: str) -> None:
        raise LinkDown("policy-of-login", f"an element with {why}")

    def read(self) -> Element:
        """The next element."""
        assert self._parser is not None
        while not self._elements:
            try:
                self._parser.Parse(self._piece())
            except LinkDown as e:
                raise self._failed(e) from e
        return self._elements.pop()

    def _piece(self) -> bytes:
        """What has come up to the end of the next tag, so that nothing of what follows an element is parsed with it."""
        while not (end := self._received.find(b">", self._scanned) + 1):
            self._scanned = len(self._received)
            self._receive()
        self._tags += 1
        if self._tags > MOST_TAGS:
            raise LoginFailed(UNREACHABLE, self._domain, f"more than {MOST_TAGS} tags in a login")
        piece, self._received = self._received[:end], self._received[end:]
        self._scanned = 0
        return piece

    def _receive(self) -> None:
        while True:
            try:
                data = self._socket.recv(READ_SIZE)
                break
            except _BLOCKED as e:
                self._wait(e, writing=False)
            except OSError as e:
                raise LoginFailed(UNREACHABLE, self._domain, e.strerror or str(e)) from e
        if not data:
            raise LoginFailed(UNREACHABLE, self._domain, "the server closed the connection")
        self._bytes += len(data)
        if self._bytes > MOST_BYTES:
            raise LoginFailed(UNREACHABLE, self._domain, f"more than {MOST_BYTES} bytes in a login")
        self._received += data

    def send(self, element: Element) -> None:
        """Write an element."""
        self.write(serialise(element))

    def write(self, text: str) -> None:
        """Write this text."""
        data = text.encode()
        while data:
            try:
                data = data[self._socket.send(data) :]
            except _BLOCKED as e:
                self._wait(e, writing=True)
            except OSError as e:
                raise LoginFailed(UNREACHABLE, self._domain, e.strerror or str(e)) from e

    def _wait(self, blocked: OSError, *, writing: bool) -> None:
        """Until it can go on; TLS may have to read before it writes, and the other way round."""
        writing = writing if isinstance(blocked, BlockingIOError) else isinstance(blocked, ssl.SSLWantWriteError)
        if not writing:
            acknowledge_at_once(self._socket)
        self.time.wait(self._socket, writing=writing)

    def hand_over(self) -> tuple[TlsSocket, bytes]:
        """The socket, which is not closed here any more, and what has come and is not parsed."""
        assert isinstance(self._socket, TlsSocket)
        while self._socket.pending():  # decrypted by TLS: nobody would be woken for it
            self._receive()
        self._handed_over = True
        return self._socket, self._received

    def close(self) -> None:
        """End the stream, as far as that can be said at once, and the connection (RFC 6120 §4.4)."""
        with contextlib.suppress(OSError):
            self._socket.send(b"</stream:stream>")
        self._socket.close()
