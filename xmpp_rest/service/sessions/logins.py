"""Logs accounts in, checks passwords, and ends sessions: what the cases of accounts-anywhere §5.1 come to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.link.c2s.failures import WRONG_PASSWORD, LoginFailed
from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.c2s.session import ClientSession, SessionEvents
from xmpp_rest.logs.events import say
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.asking import AskingServers, Connector
from xmpp_rest.service.sessions.core import NO_PRESENCE, SessionCore
from xmpp_rest.service.sessions.ends import RELOAD, TOO_MANY, WRONG_NOW
from xmpp_rest.service.sessions.proofs import is_same
from xmpp_rest.service.sessions.resource import SessionResources
from xmpp_rest.service.sessions.session_table import KeptSession
from xmpp_rest.service.sessions.wrong_passwords import Guess

log = logging.getLogger("xmpp_rest.sessions")


class Keeper(Protocol):
    """Takes streams over that are logged in."""

    def adopt(self, opened: OpenedStream, account: JID, login: LoginSettings, events: SessionEvents) -> ClientSession:
        """The session of an account, from now on. Quick, and calls none of the events itself. Raises GatewayError: it takes no more."""

    def configure(self, settings: SessionsSettings) -> None:
        """Work by these settings from now on."""


class Logins:
    """`log_in`, `check` and `recheck` block, for `login_timeout` at most: they are called on threads of the queue."""

    def __init__(
        self,
        core: SessionCore,
        connector: Connector,
        keeper: Keeper,
        events: SessionEvents,
        resources: SessionResources,
        asking: AskingServers,
        changed: Callable[[JID], object],
    ) -> None:
        """`changed`: to be told of each session that ends, or has another password."""
        self._core = core
        self._connector = connector
        self._keeper = keeper
        self._events = events
        self._resources = resources
        self._asking = asking
        self._changed = changed

    def log_in(self, guess: Guess, password: str) -> JID | WrongPassword | GatewayError:
        """Open the session of an account, for which the table has a place, and the attempt is counted."""
        domain = guess.account.domain
        login, settings = self._core.login_of(domain), self._core.settings
        if login is None:  # settings have changed meanwhile
            self._give_up(domain)
            with self._core.lock:
                self._core.wrong.end(guess)
            return WrongPassword()
        credentials = LoginCredentials(guess.account, password)

        def connect() -> OpenedStream:
            return self._connector.log_in(login, credentials, settings, self._resources.of(guess.account), None, self.stops)

        try:
            opened = self._asking.ask(guess, connect, "login")
        except LoginFailed as e:
            self._give_up(domain)
            return self._told(guess, e)
        except BaseException:
            self._give_up(domain)
            raise
        return self._keep(guess, login, opened)

    def _give_up(self, domain: str) -> None:
        with self._core.lock:
            self._core.table.give_up(domain)

    def _keep(self, guess: Guess, login: LoginSettings, opened: OpenedStream) -> JID | GatewayError:
        """Keep the session, and end those that have to go for it."""
        domain = guess.account.domain
        now, clock = time.time(), self._core.clock()
        with self._core.lock:  # an event of the new session waits until it is kept
            try:
                session = self._keeper.adopt(opened, guess.account, login, self._events)
            except GatewayError as e:
                self._core.table.give_up(domain)
                return e
            if self._core.login_of(domain) != login:  # settings have changed meanwhile
                self._core.table.give_up(domain)
                gone = None
            else:
                gone = self._core.table.add(KeptSession(session, login, guess.proof, opened.keys, now, clock, now, clock, now))
        if gone is None:
            session.end(RELOAD, unavailable=False)
            return at_server("session-lost", domain)
        for kept in gone:
            self._end(kept, TOO_MANY)
        say(log, logging.INFO, "login", account=str(opened.jid), server=opened.server, tls=opened.tls)
        return session.jid

    def check(self, guess: Guess, password: str, *, ends_if_refused: bool) -> JID | WrongPassword | GatewayError:
        """Have the server say whether this opens the account, whose session goes on.

        `ends_if_refused`: the password is the session's own, so that the session ends if it has become wrong.
        """
        with self._core.lock:
            kept = self._core.table.get(guess.account)
            if kept is None:  # it has ended just now: the next request logs in
                self._core.wrong.end(guess)
                return at_server("session-lost", guess.account.domain)
        try:
            self._check(guess, kept, LoginCredentials(guess.account, password, kept.keys if ends_if_refused else None))
        except LoginFailed as e:
            if e.name == WRONG_PASSWORD and ends_if_refused:
                self.end(kept, WRONG_NOW)
            return self._told(guess, e)
        return kept.session.jid

    def recheck(self, kept: KeptSession) -> None:
        """Have the server say whether the keys of a session are still good, and end it if they are not (accounts-anywhere §5.1)."""
        guess = Guess(kept.account, "", kept.proof)
        with self._core.lock:
            self._core.wrong.begin(guess)
        try:
            self._check(guess, kept, LoginCredentials(kept.account, None, kept.keys))
        except LoginFailed as e:
            if e.name == WRONG_PASSWORD:
                self.end(kept, WRONG_NOW)

    def _check(self, guess: Guess, kept: KeptSession, credentials: LoginCredentials) -> None:
        """Raises LoginFailed."""
        settings = self._core.settings
        keys = self._asking.ask(guess, lambda: self._connector.check(kept.login, credentials, settings, self.stops), "check")
        with self._core.lock:
            is_other = not is_same(kept.proof, guess.proof)
            kept.prove(guess.proof, keys, self._core.clock())
            self._core.table.use(kept)
        if is_other:
            self._changed(kept.account)

    def _told(self, guess: Guess, failure: LoginFailed) -> WrongPassword | GatewayError:
        """What the caller is told: as who comes next, while the server is left in peace."""
        if failure.name == WRONG_PASSWORD:
            return WrongPassword()
        with self._core.lock:
            try:
                self._core.pauses.require_none(guess.account)
            except GatewayError as e:
                return e
        return failure.to_error()

    def end(self, kept: KeptSession, reason: str) -> bool:
        """End a session; whether it was kept."""
        with self._core.lock:
            was_kept = self._core.table.remove(kept)
        if was_kept:
            self._end(kept, reason)
        return was_kept

    def _end(self, kept: KeptSession, reason: str) -> None:
        """End a session that is no longer kept; it says that it is unavailable if it has said anything (accounts-anywhere §5.6)."""
        self._changed(kept.account)
        kept.session.end(reason, unavailable=self._core.presence_of(kept.session.jid) != NO_PRESENCE)

    def settings_changed(self) -> None:
        """End the sessions of domains that are no longer listed, or whose section has changed."""
        self._connector.forget()
        self._keeper.configure(self._core.settings)
        with self._core.lock:
            gone = [kept for kept in self._core.table if self._core.login_of(kept.account.domain) != kept.login]
        for kept in gone:
            self.end(kept, RELOAD)

    def stops(self) -> bool:
        """Whether attempts are to be given up."""
        return self._core.queue.stopped
