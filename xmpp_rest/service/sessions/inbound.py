"""What comes in by sessions: answers wake the requests that wait for them; the rest is handled in the order of each account.

Whatever is raised on the way, the stanza is accounted for and the next one is taken: a request is answered `internal-server-error`.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.inbound_queue import FAILED
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Handler, Router, Unhandled
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import KINDS, is_request, refusal
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.sessions.session_observer import SessionObserver
from xmpp_rest.threads.crew import crew
from xmpp_rest.threads.keyed_pool import KeyedPool

log = logging.getLogger("xmpp_rest.sessions")

AT_ONCE = 4  # accounts whose stanzas are handled at the same time
SHARE = 1 << 20  # bytes of one account that wait to be handled, beyond which nothing is read for it
MOST = 16 << 20  # of all accounts, likewise
STANZA = 1000  # bytes that a stanza counts for at least
_UNKNOWN = stanza_error("service-unavailable")


class CameStanza(NamedTuple):
    """A stanza that waits to be handled, or is being handled."""

    stream: int  # number of the stream by which it came; 0: its server counts it on none
    before: int  # stanzas that were received on that stream before it
    stanza: Element


class SessionInbound(SessionObserver):
    """An observer of sessions; in the leader. Its threads begin with the first stanza."""

    def __init__(self, router: Router, handlers: Sequence[Handler], incidents: Incidents, counts: Counts) -> None:
        """`handlers` are asked in this order about what no request waits for; the first that takes a stanza ends the search."""
        self._router = router
        self._handlers = list(handlers)
        self._incidents = incidents
        self._counts = counts
        self._pool: KeyedPool | None = None
        self._stopped = False
        self._bytes: Counter[ClientSession] = Counter()  # of what waits, or is being handled
        self._total = 0  # of all of them
        self._held: set[ClientSession] = set()
        self._came: dict[ClientSession, deque[CameStanza]] = {}  # in order; what waits, or is being handled
        self._given_away: set[ClientSession] = set()  # what waits of these is handled by another process
        self._lock = threading.Lock()  # guards the seven above
        self._broken: dict[ClientSession, int] = {}  # session → the number of its stream, which may get another one

    def stop(self) -> None:
        """Handle nothing more."""
        with self._lock:
            self._stopped = True
        if self._pool is not None:
            self._pool.stop()

    def is_idle(self, session: ClientSession) -> bool:
        """Whether all that has come by this session is handled."""
        return session not in self._came

    def give_away(self, session: ClientSession) -> list[CameStanza]:
        """What has come by this session and is not handled, which is not begun here any more. One may be under way."""
        with self._lock:
            self._given_away.add(session)
            return list(self._came.get(session, ()))

    def take_over(self, session: ClientSession, stanza: Element) -> None:
        """Handle what another process has given away, before all that comes by the session."""
        sender = jid_or_none(stanza.get("from", str(session.account)))
        if sender is not None:
            self._put(session, CameStanza(0, 0, stanza), sender, weight(stanza))

    def after(self, account: JID, act: Callable[[], None]) -> None:
        """Call this once all that has come by the session of this bare address so far is handled."""
        with self._lock:
            pool = None if self._stopped else self._started()
        if pool is not None:
            pool.restore(account, act)

    # on the sessions' thread, which must go on

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        """A stanza without a sender is of the account itself (RFC 6120 §8.1.2.1)."""
        try:
            sender = jid_or_none(stanza.get("from", str(session.account)))
            if stanza.tag not in KINDS or sender is None:
                self._incidents.report(log, "stanza-dropped", "session of %s: dropped a stanza that is none", session.account)
                return
            self._counts.received(stanza.tag)
            came = CameStanza(session.number if size else 0, session.received, stanza)
            size = max(size, weight(stanza))
            if not self._router.resolve(stanza, sender, session.jid, size):
                self._put(session, came, sender, size)
        except Exception:
            self._failed(session)

    def broke(self, session: ClientSession) -> None:
        self._broken[session] = session.number

    def resumed(self, session: ClientSession) -> None:
        self._broken.pop(session, None)

    def rebound(self, session: ClientSession) -> None:
        """What was asked by the former stream will not be answered on this one."""
        former = self._broken.pop(session, session.number)
        self._router.accounts.changed(former, session.jid, session.number)

    def ended(self, session: ClientSession, reason: str) -> None:
        """The account may have another session already, by the same address."""
        former = self._broken.pop(session, session.number)
        now = self._router.accounts.stream(session.jid)
        self._router.accounts.changed(former, session.jid, now if now != session.number else 0)

    def _put(self, session: ClientSession, came: CameStanza, sender: JID, size: int) -> None:
        """Have it handled. Beyond a bound the server has to wait until some of it is."""
        size = max(size, STANZA)
        with self._lock:
            if self._stopped:
                return
            pool = self._started()
            self._bytes[session] += size
            self._total += size
            self._came.setdefault(session, deque()).append(came)
            is_full = session not in self._held and (self._bytes[session] > SHARE or self._total > MOST)
            if is_full:
                self._held.add(session)
                session.hold(True)  # with the lock: the other call of it would come before
        pool.restore(session.account, partial(self._handle, session, came.stanza, sender, size))

    def _started(self) -> KeyedPool:
        """Needs the lock."""
        if self._pool is None:
            self._pool = KeyedPool(crew("session stanzas"), AT_ONCE, 1)
            self._pool.start()
        return self._pool

    # in order for each account, on other threads

    def _handle(self, session: ClientSession, stanza: Element, sender: JID, size: int) -> None:
        try:
            if session not in self._given_away:
                self._take(session, stanza, sender)
        except Exception:
            self._failed(session)
        finally:
            self._handled(session, size)

    def _handled(self, session: ClientSession, size: int) -> None:
        with self._lock:
            self._bytes[session] -= size
            self._total -= size
            self._came[session].popleft()
            left = self._bytes[session]
            if not left:
                del self._bytes[session], self._came[session]
            goes_on = session in self._held and left <= SHARE // 2 and (not left or self._total <= MOST)
            if goes_on:
                self._held.discard(session)
                session.hold(False)

    def _take(self, session: ClientSession, stanza: Element, sender: JID) -> None:
        try:
            answer = self._answer(stanza, sender, session.jid)
        except Exception:
            self._failed(session)
            answer = _refused(stanza, FAILED)
        if answer is not None:
            try:
                session.write(answer)
            except GatewayError as e:  # it has ended, or more waits to be written than may
                self._incidents.report(log, "session-unanswered", "session of %s: a stanza is not answered: %s", session.account, e)

    def _answer(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Nothing but an iq is answered by an error: that somebody is there is told to nobody who does not ask for it."""
        for handler in self._handlers:
            answer = handler(stanza, sender, to)
            if not isinstance(answer, Unhandled):
                return answer
        return _refused(stanza, _UNKNOWN)

    def _failed(self, session: ClientSession) -> None:
        self._incidents.report(
            log, "stanza-failed", "session of %s: a stanza could not be handled", session.account, level=logging.ERROR, trace=True
        )  # fmt: skip


def _refused(stanza: Element, error: StanzaError) -> Element | None:
    return refusal(stanza, error) if is_request(stanza) else None
