"""The accounts of other servers that are listened to, in the leader (accounts-anywhere §7.3)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.listening.account_listening import AccountListening, ListeningServices
from xmpp_rest.service.sessions.listening.stream_places import OnEventsPage, OnPlace
from xmpp_rest.threads.timers import Timers

log = logging.getLogger("xmpp_rest.sessions")

LINGERS = 10.0  # seconds after the last stream of an account, in which its reader may come back
LOOK = 1.0  # seconds at most between two looks at who listens, and whose archive is to be read


class MortalSession(Protocol):
    """A session, as far as it may end."""

    @property
    def has_ended(self) -> bool: ...


class Hold(Protocol):
    """Keeps a session open until it is released."""

    @property
    def session(self) -> MortalSession: ...
    def release(self) -> None: ...


class _Listened:
    """An account that is listened to, and until when."""

    def __init__(self, listening: AccountListening, hold: Hold) -> None:
        self.listening = listening
        self.session = hold.session
        self._holds = [hold]  # one for each stream
        self._last = time.monotonic()  # when it had one

    def seen(self) -> None:
        """It has a stream now, or is about to have one."""
        self._last = time.monotonic()

    def is_over(self) -> bool:
        """Whether its last stream ended long enough ago."""
        return time.monotonic() - self._last >= LINGERS

    def hold_open(self, count: int, hold: Callable[[], Hold]) -> None:
        """Hold the session so many times: once for each stream."""
        try:
            while len(self._holds) < count:
                self._holds.append(hold())
        except GatewayError as e:  # it is about to be told that the session has ended
            log.debug("the session of %s is not held open: %s", self.listening.account, e)
        while len(self._holds) > count:
            self._holds.pop().release()


class Listeners:
    """Begins to listen with the first stream of an account, and ends LINGERS seconds after the last one.

    Safe to be used by several threads. Methods do not wait.
    """

    def __init__(
        self,
        services: ListeningServices,
        count: Callable[[JID], int],
        hold: Callable[[JID], Hold],
        own_priority: Callable[[JID], int | None],
        timers: Timers,
    ) -> None:
        """`count`: how many streams an account has in all processes; `hold`: keeps its session open, or raises GatewayError;
        `own_priority`: of the presence that an account has sent itself, None without one.
        """
        self._services = services
        self._count = count
        self._hold = hold
        self._own_priority = own_priority
        self._timers = timers
        self._listened: dict[JID, _Listened] = {}
        self._looks = False  # whether a timer runs
        self._lock = threading.Lock()  # guards the two above

    def place(self, account: JID, after: str | None, done: OnPlace) -> None:
        """Find where a new stream of the account begins; as `StreamPlaces.find`."""
        self._of(account).place(after, done)

    def page(self, account: JID, after: str, done: OnEventsPage) -> None:
        """Read a page of what a stream of the account has missed; as `StreamPlaces.page`."""
        self._of(account).page(after, done)

    def expect(self, account: JID) -> None:
        """Listen as if a stream of the account had ended just now: its reader, who was at another process, may come back.

        Raises GatewayError: it has no session.
        """
        self._of(account, succeeds=True)

    def is_quiet(self, account: JID) -> bool:
        """Whether the account's session is available because somebody listens, and not by a presence of its own."""
        listened = self._listened.get(account)
        return listened is not None and listened.listening.is_quiet

    def is_listened_to(self, account: JID) -> bool:
        """Whether anybody listens, or did so a moment ago."""
        return account in self._listened

    # -- what happens to sessions

    def received(self, account: JID, stanza: Element) -> bool:
        """Tell a message or presence that has reached the account's session; whether anybody listens."""
        listened = self._listened.get(account)
        if listened is None or stanza.tag == "iq":
            return False
        listened.listening.received(stanza)
        return True

    def own_changed(self, account: JID) -> None:
        """The account has another presence of its own, or none any more."""
        if (listened := self._listened.get(account)) is not None:
            listened.listening.own_presence(self._own_priority(account))

    def resumed(self, account: JID) -> None:
        """The account's session goes on after a break."""
        if (listened := self._listened.get(account)) is not None:
            listened.listening.resumed()

    def rebound(self, account: JID) -> None:
        """The account's session goes on as a new one for its server; on the sessions' thread."""
        if (listened := self._listened.get(account)) is not None:
            listened.listening.rebound()

    def ended(self, account: JID, session: object, reason: str) -> None:
        """This session of the account has ended: so do its streams, which say this reason."""
        if self._forget(account, session):
            self._services.pool.submit(lambda: self._services.end_streams(account, reason))

    def _forget(self, account: JID, session: object) -> bool:
        """Forget what is told from this session; whether it was."""
        with self._lock:
            listened = self._listened.get(account)
            if listened is None or listened.session is not session:
                return False
            del self._listened[account]
        listened.hold_open(0, partial(self._hold, account))
        return True

    def _of(self, account: JID, *, succeeds: bool = False) -> AccountListening:
        """What is told of the account. Raises GatewayError: it has no session."""
        with self._lock:
            if (listened := self._listened.get(account)) is not None:
                listened.seen()
                return listened.listening
        hold = self._hold(account)
        with self._lock:
            listened = self._listened.get(account)
            is_new = listened is None
            if listened is None:
                listening = AccountListening(account, self._services, self._own_priority(account), succeeds=succeeds)
                listened = self._listened[account] = _Listened(listening, hold)
                self._look_later()
        if not is_new:
            hold.release()
        elif hold.session.has_ended:  # perhaps before it was listened to: then nobody else says so
            self._forget(account, hold.session)
            raise at_server("session-lost", account.domain)
        return listened.listening

    # -- from time to time

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self._timers.after(min(LOOK, self._services.settings().poll), self._look)

    def _look(self) -> None:
        for account, listened in tuple(self._listened.items()):
            try:
                self._look_at(account, listened)
            except Exception as e:  # the others are looked at
                self._services.incidents.report(log, "listening", "streams of %s may miss something: %r", account, e, trace=True)
        with self._lock:
            self._looks = False
            if self._listened:
                self._look_later()

    def _look_at(self, account: JID, listened: _Listened) -> None:
        if count := self._count(account):
            listened.seen()
            listened.hold_open(count, partial(self._hold, account))
        if self._has_ended(account, listened):
            listened.hold_open(0, partial(self._hold, account))
        else:
            listened.listening.tick()

    def _has_ended(self, account: JID, listened: _Listened) -> bool:
        """End it, if nobody has listened for so long; whether it was so."""
        with self._lock:
            is_over = listened.is_over() and self._listened.get(account) is listened
            if is_over:
                del self._listened[account]
                listened.listening.end()  # with the lock: who listens next says so after it
        return is_over
