"""The gateway's own client of c2s, without the gateway, at a real server."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from tests.link.c2s.settings import login_section, sessions
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.login import check, log_in
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.tls import TlsContexts
from xmpp_rest.protocol.jid import parse_jid

from .tls_servers import FOREIGN, TLSServer
from .xmppserver import PASSWORD

SESSIONS = sessions(login_timeout=60, connect_timeout=30)  # the machine may be slow


def credentials(user: str, password: str | None = PASSWORD, keys: ScramKeys | None = None) -> LoginCredentials:
    """Those of an account of such a server."""
    return LoginCredentials(parse_jid(f"{user}@{FOREIGN}"), password, keys)


class Visitor:
    """Logs in at a server by its section, or by another one."""

    def __init__(self, server: TLSServer, tls: str = "direct", nameservers: Sequence[tuple[str, int]] = (), **given: object) -> None:
        self.login: LoginSettings = login_section({**server.login_settings(tls), **given})
        self._finder = ServerFinder(nameservers)
        self._contexts = TlsContexts()

    def log_in(self, given: LoginCredentials, resource: str = "xmpp-rest", resumption: Resumption | None = None) -> OpenedStream:
        return log_in(self.login, given, SESSIONS, resource, self._finder, self._contexts, resumption, stop=lambda: False)

    def check(self, given: LoginCredentials) -> ScramKeys | None:
        return check(self.login, given, SESSIONS, self._finder, self._contexts, stop=lambda: False)


class VisitorStream:
    """What comes by a stream that was opened so. A context: it is closed without a goodbye at the end."""

    def __init__(self, opened: OpenedStream) -> None:
        self.opened = opened
        self.stanzas: list[Element] = list(opened.early)
        self._parser = opened.parser(lambda stanza, size: self.stanzas.append(stanza), 1 << 20, lambda head, why: None)
        self._socket = opened.socket
        self._socket.setblocking(True)
        self._parser.Parse(opened.pending)

    def __enter__(self) -> VisitorStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, text: str) -> None:
        self._socket.send(text.encode())

    def wait(self, name: str, value: str) -> Element:
        """The next stanza with this attribute. Raises LinkDown, or EOFError when the server has hung up."""
        while True:
            for stanza in self.stanzas:
                if stanza.get(name) == value:
                    self.stanzas.remove(stanza)
                    return stanza
            with contextlib.suppress(ssl.SSLWantReadError):
                if not (data := self._socket.recv(65536)):
                    raise EOFError
                self._parser.Parse(data)

    def ping(self) -> None:
        """The server answers."""
        self.send(f"<iq type='get' id='ping' to='{self.opened.jid.bare}'><ping xmlns='urn:xmpp:ping'/></iq>")
        assert self.wait("id", "ping").get("type") == "result"
