"""A login with nothing but PLAIN, for tests of what comes after it."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tests.link.c2s.fake_server import FakeServer
from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption, StreamManagement
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.protocol.jid import JID, parse_jid

T = TypeVar("T")
KEYS = ScramKeys("SCRAM-SHA-1", b"salt", 4096, b"client", b"server")
HEADER = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{0}'>"


class _Opening:
    def __init__(self, server: FakeServer) -> None:
        context = ssl.create_default_context(cafile=server.ca_file)
        sock = socket.create_connection(("127.0.0.1", server.direct_port), 30)
        self.socket = TlsSocket(sock, context, server.domain)
        self._until_done(self.socket.do_handshake)
        self.received = b""

    @staticmethod
    def _until_done(act: Callable[[], T]) -> T:
        """The socket blocks: there is nothing to wait for."""
        while True:
            with suppress(ssl.SSLWantReadError):
                return act()

    def send(self, text: str) -> None:
        self.socket.send(text.encode())

    def until(self, pattern: str) -> re.Match[str]:
        """What the server sent up to this."""
        while (found := re.search(pattern, self.received.decode())) is None:
            data = self._until_done(lambda: self.socket.recv(65536))
            if not data:
                raise EOFError(self.received)
            self.received += data
        self.received = self.received[len(self.received.decode()[: found.end()].encode()) :]
        return found


def open_stream(
    server: FakeServer, account: JID, resource: str = "xmpp-rest", resumption: Resumption | None = None, keys: ScramKeys | None = KEYS
) -> OpenedStream:
    """Log in, and bind or resume."""
    it = _Opening(server)
    opening = HEADER.format(server.domain)
    it.send(opening)
    it.until("</stream:features>")
    message = f"\0{account.local}\0{server.accounts[account.local]}".encode()
    it.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{base64.b64encode(message).decode()}</auth>")
    it.until("<success[^>]*>")
    it.until("</success>|")
    it.send(opening)
    it.until("</stream:features>")
    jid, management, h, resumed = account, None, 0, False
    if resumption is not None:
        it.send(f"<resume xmlns='urn:xmpp:sm:3' previd='{resumption.id}' h='{resumption.received}'/>")
        answer = it.until("<resumed [^>]*h='([0-9]+)'/>|<failed.*</failed>")
        if resumed := answer[1] is not None:
            h, management = int(answer[1]), StreamManagement(resumption.id, None)
    if not resumed:
        it.send(f"<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind></iq>")
        jid = parse_jid(it.until("<jid>([^<]*)</jid>.*?</iq>")[1])
        if server.management:
            it.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
            management = StreamManagement(it.until("<enabled[^>]*? id='([^']*)'[^>]*>")[1], None)
    it.socket.setblocking(False)
    return OpenedStream(
        it.socket,
        it.received,
        (),
        opening.encode(),
        jid,
        keys,
        f"127.0.0.1:{server.direct_port}",
        it.socket.version() or "",
        management,
        resumed,
        h,
    )
