"""Logs sessions in again whose connection broke, by their keys, among all other logins (accounts-anywhere §5.7)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.failures import STALE_KEYS, LoginFailed
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.asking import AskingServers, Connector
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.login_queue import LoginJob
from xmpp_rest.service.sessions.wrong_passwords import Guess

log = logging.getLogger("xmpp_rest.sessions")
Done = Callable[[OpenedStream | Exception], None]


class Relogins:
    """What the sessions' thread calls, which it does not keep."""

    def __init__(self, core: SessionCore, connector: Connector, asking: AskingServers) -> None:
        self._core = core
        self._connector = connector
        self._asking = asking

    def __call__(self, account: JID, login: LoginSettings, keys: ScramKeys, resumption: Resumption | None, done: Done) -> None:
        """Log in, resuming if that is given, and call `done` once, from any thread: with a LoginFailed, or a GatewayError of back-off."""

        def run() -> None:
            try:
                done(self._log_in(account, login, resumption))
            except (LoginFailed, GatewayError) as e:
                done(e)
            except Exception:
                log.exception("a session could not be logged in again")
                done(GatewayError("internal"))

        try:
            with self._core.lock:
                self._core.pauses.require_none(account)
            self._core.queue.put(LoginJob(account, lambda: True, run, done))
        except GatewayError as e:
            done(e)

    def _log_in(self, account: JID, login: LoginSettings, resumption: Resumption | None) -> OpenedStream:
        with self._core.lock:
            kept = self._core.table.get(account)
            if kept is None:  # it was ended meanwhile
                raise at_server("session-lost", account.domain)
            if kept.keys is None:  # those that the session began with are of no use any more, either (accounts-anywhere §4.4)
                raise LoginFailed(STALE_KEYS, account.domain)
            keys = kept.keys  # a check may have brought others since the session began
            guess = Guess(account, "", kept.proof)
            self._core.wrong.begin(guess)
        resource, settings = kept.session.jid.resource, self._core.settings
        credentials = LoginCredentials(account, None, keys)

        def connect() -> OpenedStream:
            return self._connector.log_in(login, credentials, settings, resource, resumption, lambda: self._core.queue.stopped)

        return self._asking.ask(guess, connect, "relogin")
