"""Sessions of the gateway at a real server, with a relay in between, and a record of what their owner was told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tests.link.c2s.kept import KeptEvents
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.login import log_in
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.c2s.sessions_thread import SessionsThread
from xmpp_rest.link.c2s.tls import TlsContexts
from xmpp_rest.protocol.jid import JID, parse_jid

from .proxy import Proxy
from .tls_servers import TLSServer
from .xmppserver import PASSWORD

RESOURCE = "xmpp-rest-5f1c09ab"


class LiveSessions:
    """A thread of sessions, and logins for it."""

    def __init__(self, server: TLSServer, proxy: Proxy | None = None, **settings: Any) -> None:
        section = server.login_settings(port=proxy.port if proxy else None)
        environment = {f"XMPP_REST_LOGIN_LIVE_{key.upper()}": value for key, value in section.items()}
        environment |= {f"XMPP_REST_SESSIONS_{key.upper()}": str(value) for key, value in settings.items()}
        loaded = load_settings(None, environment)
        self._login = loaded.logins["live"]
        self._settings = loaded.sessions
        self._finder = ServerFinder(())
        self._contexts = TlsContexts()
        self._server = server
        self._helpers: list[threading.Thread] = []
        self.attempts = 0
        """To log in again."""
        self.thread = SessionsThread(self._settings, self.log_in_again)

    def log_in_again(
        self,
        account: JID,
        login: LoginSettings,
        keys: ScramKeys,
        resumption: Resumption | None,
        done: Callable[[OpenedStream | Exception], None],
    ) -> None:
        def run() -> None:
            try:
                outcome: OpenedStream | Exception = self._log_in(LoginCredentials(account, None, keys), RESOURCE, resumption)
            except Exception as e:
                outcome = e
            done(outcome)

        self.attempts += 1
        helper = threading.Thread(target=run, daemon=True)
        self._helpers.append(helper)
        helper.start()

    def _log_in(self, credentials: LoginCredentials, resource: str, resumption: Resumption | None = None) -> OpenedStream:
        return log_in(self._login, credentials, self._settings, resource, self._finder, self._contexts, resumption, stop=lambda: False)

    def open(self, user: str, events: KeptEvents, resource: str = RESOURCE) -> ClientSession:
        """A session of this account."""
        account = parse_jid(self._server.jid(user))
        opened = self._log_in(LoginCredentials(account, PASSWORD), resource)
        return self.thread.adopt(opened, account, self._login, events)

    def close(self) -> None:
        self.thread.stop()
        for helper in self._helpers:
            helper.join(60)
