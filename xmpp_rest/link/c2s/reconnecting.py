"""Gives a session whose connection broke another one: when, how often, and when it is over (accounts-anywhere §5.6, §5.7)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.left_session import LeftSession
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption, StreamManagement
from xmpp_rest.link.c2s.resuming import FATAL, Attempts, is_held_up, why_final
from xmpp_rest.link.c2s.session_keeper import SessionKeeper
from xmpp_rest.link.c2s.tls_stream import close_unused
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.jid import JID

log = logging.getLogger("xmpp_rest.link")

WANTED = 30.0  # seconds for which a session goes on that another process has left: who uses it comes back in this time


class BrokenSession(Protocol):
    """The session, as who reconnects it sees it."""

    account: JID
    login: LoginSettings

    @property
    def waiting(self) -> int:
        """Stanzas that wait in it."""

    @property
    def has_ended(self) -> bool:
        """Whether it needs no connection any more."""

    def is_worth_resuming(self) -> bool:
        """Whether it is to go on though no stanza waits."""

    def guarded(self, act: Callable[[], object]) -> None:
        """Do this; what it raises breaks the session's stream."""

    def report(self, what: str) -> None:
        """Log the exception at hand."""

    def go_on(self, opened: OpenedStream, handled: int) -> bool:
        """Take this stream, on which so many stanzas were received before; whether its counts are possible."""

    def finish(self, reason: str, down: LinkDown | None = None) -> None:
        """End."""


class Reconnecting:
    """Of one session; all is for the thread of the sessions."""

    def __init__(self, session: BrokenSession, keeper: SessionKeeper, begun: OpenedStream | LeftSession) -> None:
        """`begun`: the session's first stream, or what another process has left of it."""
        self._session = session
        self._keeper = keeper
        self._keys = begun.keys
        self._management = begun.management
        self._attempts = Attempts()
        self._handled = 0  # stanzas of the server, on the stream that broke
        self._asks = False  # a login is under way
        self._is_left = False  # another process goes on with it
        self._wanted_until = 0.0  # monotonic time: until then it is worth it, no matter which part needs it

    @property
    def possible(self) -> bool:
        """Whether there are keys to log in with."""
        return self._keys is not None

    @property
    def keys(self) -> ScramKeys | None:
        """What it logs in by."""
        return self._keys

    @property
    def management(self) -> StreamManagement | None:
        """XEP-0198, as far as the stream can be resumed."""
        return self._management

    @property
    def handled(self) -> int:
        """Stanzas of the server on the stream that broke."""
        return self._handled

    def leave(self, *, goes_on: bool) -> None:
        """Whether the session goes on in another process, where this one makes no other connection."""
        self._is_left = goes_on

    def go_on(self, handled: int) -> None:
        """Have the first connection made, of a session that another process has left after so many stanzas."""
        now = time.monotonic()
        self._handled, self._wanted_until = handled, now + WANTED
        self._attempts.broke(now)
        self._log_in()

    def opened(self) -> None:
        """A stream is up."""
        self._attempts.opened(time.monotonic())

    def broke(self, down: LinkDown, handled: int | None) -> None:
        """The stream ended, on which so many stanzas were received; None: it had not begun."""
        self._handled = self._handled if handled is None else handled
        if down.reason == "bad-count":  # what it says is not relied on any more
            self._management = None
        steady = self._attempts.broke(time.monotonic())
        if down.reason in FATAL:
            self._session.finish(down.reason, down)
        elif not self._is_worth_it():
            self._session.finish("broken", down)
        elif not (steady and self.possible):
            self._session.finish("lost", down)
        else:
            log.debug("the session of %s broke: %s", self._session.account, down)
            self._try_again()

    def _is_worth_it(self) -> bool:
        """Whether the session is to go on. Stanzas that wait are worth it as long as a session may be idle."""
        now = time.monotonic()
        down_for = now - self._attempts.down_since
        if now < self._wanted_until:
            return True
        return (self._session.waiting > 0 and down_for < self._keeper.settings.idle) or self._session.is_worth_resuming()

    def _try_again(self, failure: Exception | None = None) -> None:
        pause = self._attempts.pause(self._keeper.settings.retry_max, failure)
        self._keeper.after(pause, lambda: self._session.guarded(self._log_in))

    def _log_in(self) -> None:
        """Have another connection made."""
        if self._session.has_ended or self._keys is None:
            return
        if not self._is_worth_it():
            self._session.finish("broken")
            return
        self._asks = True
        known = self._management
        resumption = Resumption(known.id, self._handled) if known is not None and known.id else None
        try:
            self._keeper.log_in_again(self._session.account, self._session.login, self._keys, resumption, self._logged_in)
        except Exception as e:
            self._session.report("no login was begun")
            self._reopened(e)

    def _logged_in(self, outcome: OpenedStream | Exception) -> None:
        """For any thread: what came of it."""
        self._keeper.call(lambda: self._session.guarded(lambda: self._reopened(outcome)))

    def _reopened(self, outcome: OpenedStream | Exception) -> None:
        asked, self._asks = self._asks, False
        if isinstance(outcome, OpenedStream):
            if self._session.has_ended or not asked:
                close_unused(outcome, goes_on=self._is_left and outcome.resumed)
            else:
                self._take(outcome)
        elif asked and not self._session.has_ended:
            level = logging.DEBUG if is_held_up(outcome) else logging.INFO  # of many sessions each is, many times
            log.log(level, "the session of %s is not resumed: %s", self._session.account, outcome)
            if reason := why_final(outcome):
                self._session.finish(reason)
            else:
                self._try_again(outcome)

    def _take(self, opened: OpenedStream) -> None:
        """A connection is there again."""
        self._keys = opened.keys or self._keys
        if not opened.resumed:
            self._management, self._handled = opened.management, 0
        if not self._session.go_on(opened, self._handled):
            close_unused(opened)
            self._management = None  # the next one binds
            self._try_again()
