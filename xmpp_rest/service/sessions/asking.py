"""Asks a server, and keeps account of what comes of it: failures, refused passwords, pauses, metrics, and a line in the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.failures import STALE_KEYS, WRONG_PASSWORD, LoginFailed
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.logs.events import say
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.wrong_passwords import Guess

log = logging.getLogger("xmpp_rest.sessions")
T = TypeVar("T")
DISABLED = "account-disabled"
RESULTS = {WRONG_PASSWORD: "wrong"}
"""Name of a LoginFailed → result in metrics, where that is another word."""


class Connector(Protocol):
    """Connects to servers, and blocks while it does. Both raise LoginFailed; `stop`: whether to give up."""

    def log_in(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, resource: str,
        resumption: Resumption | None, stop: Callable[[], bool],
    ) -> OpenedStream:  # fmt: skip
        """A stream on which the account is bound."""

    def check(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, stop: Callable[[], bool]
    ) -> ScramKeys | None:
        """The keys of a password that is right."""

    def forget(self) -> None:
        """Files that settings name may have changed."""


class LoginCounts(Protocol):
    """Counts attempts and refusals; `Counts` is one."""

    def logged_in(self, pattern: str, result: str, seconds: float) -> None: ...
    def session_resumed(self, result: str) -> None: ...
    def session_refused(self, reason: str) -> None: ...


class AskingServers:
    """Used on threads of the queue."""

    def __init__(self, core: SessionCore, counts: LoginCounts) -> None:
        self._core = core
        self._counts = counts

    def ask(self, guess: Guess, connect: Callable[[], T], what: str) -> T:
        """What `connect` returns, which asks the server and was counted. Raises LoginFailed, and what else that does.

        `what`: the kind of attempt, for the log.
        """
        began = time.monotonic()
        try:
            result = connect()
        except LoginFailed as e:
            self._failed(guess, e)
            self._count(guess, RESULTS.get(e.name, e.name), began)
            fields = {"account": str(guess.account), "name": e.name, "detail": e.detail or None, "address": guess.address or None}
            say(log, logging.WARNING, f"{what}-failed", **{key: value for key, value in fields.items() if value})
            raise
        except BaseException:
            with self._core.lock:
                self._core.wrong.end(guess)
            self._count(guess, "internal", began)
            raise
        with self._core.lock:
            self._core.wrong.succeeded(guess)
            self._core.refused.forget(guess.proof)
            self._core.pauses.succeeded(guess.account)
        self._count(guess, "ok", began)
        return result

    def _count(self, guess: Guess, result: str, began: float) -> None:
        self._counts.logged_in(self._core.domains.pattern(guess.account.domain), result, time.monotonic() - began)

    def _failed(self, guess: Guess, failure: LoginFailed) -> None:
        with self._core.lock:
            if failure.name == WRONG_PASSWORD:
                self._core.wrong.refused(guess)
                self._core.refused.add(guess.proof, WrongPassword(), self._core.settings.refused_for)
                self._core.pauses.succeeded(guess.account)  # the server works
                return
            self._core.wrong.end(guess)
            if failure.name == DISABLED:  # asking again and again counts as guessing at servers
                self._core.refused.add(guess.proof, failure.to_error(), self._core.settings.refused_for)
            self._core.pauses.failed(guess.account, failure.to_error(), of_account=failure.of_account)
            if failure.name == STALE_KEYS and (kept := self._core.table.get(guess.account)) is not None:
                kept.forget_keys()  # accounts-anywhere §4.4: a request has to bring the password
