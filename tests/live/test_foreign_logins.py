"""Logins at real servers of accounts, one after the other, by the gateway's own client."""

from __future__ import annotations

import pytest

from tests.link.c2s.settings import login_section, sessions
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.link.c2s.login import log_in
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.tls import TlsContexts
from xmpp_rest.protocol.jid import parse_jid

from .tls_servers import FOREIGN, TLSServer
from .xmppserver import PASSWORD

SESSIONS = sessions()


class Visitor:
    """Logs in at a server, as the gateway does."""

    def __init__(self, server: TLSServer, tls: str = "direct") -> None:
        self.login = login_section(server.login_settings(tls))
        self.finder = ServerFinder(())
        self.contexts = TlsContexts()

    def log_in(self, credentials: LoginCredentials, resource: str = "xmpp-rest", resumption: Resumption | None = None) -> OpenedStream:
        return log_in(self.login, credentials, SESSIONS, resource, self.finder, self.contexts, resumption, stop=lambda: False)


def of(user: str, password: str = PASSWORD) -> LoginCredentials:
    return LoginCredentials(parse_jid(f"{user}@{FOREIGN}"), password)


@pytest.mark.parametrize("tls", ["direct", "starttls"])
def test_a_login(tls_server: TLSServer, tls: str) -> None:
    opened = Visitor(tls_server, tls).log_in(of("romeo"))
    with opened.socket:
        assert str(opened.jid) == f"romeo@{FOREIGN}/xmpp-rest"
        assert (opened.tls, opened.resumed, opened.acknowledged, opened.pending) == ("TLSv1.3", False, 0, b"")
        assert opened.keys is not None
        assert opened.keys.mechanism.startswith("SCRAM-SHA-")
        assert opened.management is not None
        assert opened.management.id
