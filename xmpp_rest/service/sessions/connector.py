"""Connects to the servers of foreign accounts, as the settings say."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.login import check, log_in
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.server_finder import ServerFinder
from xmpp_rest.link.c2s.tls import TlsContexts


class ServerConnector:
    """Has what logins share: what DNS has said, and one TLS context for each section of the settings."""

    def __init__(self) -> None:
        self._finder = ServerFinder(())
        self._nameservers: tuple[tuple[str, int], ...] = ()
        self._contexts = TlsContexts()

    def log_in(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, resource: str,
        resumption: Resumption | None, stop: Callable[[], bool],
    ) -> OpenedStream:  # fmt: skip
        """A stream on which the account is bound."""
        return log_in(login, credentials, sessions, resource, self._found_by(sessions), self._contexts, resumption, stop=stop)

    def check(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, stop: Callable[[], bool]
    ) -> ScramKeys | None:
        """The keys of a password that is right."""
        return check(login, credentials, sessions, self._found_by(sessions), self._contexts, stop=stop)

    def forget(self) -> None:
        """Files of authorities may have changed."""
        self._contexts.forget()

    def _found_by(self, sessions: SessionsSettings) -> ServerFinder:
        """What asks these nameservers; another one after a change of settings."""
        if sessions.nameservers != self._nameservers:
            self._finder, self._nameservers = ServerFinder(sessions.nameservers), sessions.nameservers
        return self._finder
