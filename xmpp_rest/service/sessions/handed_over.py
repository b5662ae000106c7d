"""The sessions that are in use, from one owner to the next (many-machines §9): their servers see a short break, and no end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.left_session import LeftSession
from xmpp_rest.link.c2s.session import ClientSession, SessionEvents
from xmpp_rest.logs.events import say
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.rooms.left_memberships import LeftMemberships
from xmpp_rest.service.rooms.session_history import SessionHistory
from xmpp_rest.service.sessions.contact_requests import ContactRequests
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.ends import STOPPING, TOO_MANY
from xmpp_rest.service.sessions.inbound import CameStanza, SessionInbound
from xmpp_rest.service.sessions.left_rows import left_in, row_of
from xmpp_rest.service.sessions.listening.listeners import Listeners
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.sessions.session_table import KeptSession
from xmpp_rest.service.sessions.upkeep import Upkeep

log = logging.getLogger("xmpp_rest.sessions")

CALLED_OFF_WITHIN = 1.0  # seconds in which logins that are under way give up
CONFIRMS_WITHIN = 0.5  # seconds that servers have for confirming what was sent
HANDLED_WITHIN = 0.5  # seconds for what has come
LEFT_WITHIN = 1.0  # seconds for the thread of the sessions
MOST_HEARD = 4 << 20  # characters of what was heard in rooms, of all sessions together
MOST_COME = 4 << 20  # likewise of what has come and is not handled
LOOK = 0.02  # seconds between two looks

Row = dict[str, Any]


class LeftKeeper(Protocol):
    """Keeps sessions that were left elsewhere; `SessionsThread` is one."""

    def go_on(self, left: LeftSession, account: JID, login: LoginSettings, events: SessionEvents) -> ClientSession:
        """The session, whose `connect` is to be called. Raises GatewayError, sessions-full."""


class HandedOverSessions:
    """Used by the owner as it ends, or begins."""

    def __init__(
        self,
        core: SessionCore,
        keeper: LeftKeeper,
        events: SessionEvents,
        upkeep: Upkeep,
        inbound: SessionInbound,
        presences: OwnPresences,
        requests: ContactRequests,
        rooms: LeftMemberships,
        history: SessionHistory,
        listeners: Listeners,
    ) -> None:
        """`events`: of all sessions, who also say which are in use; `history`: what they have heard in rooms."""
        self._core = core
        self._keeper = keeper
        self._events = events
        self._upkeep = upkeep
        self._inbound = inbound
        self._presences = presences
        self._requests = requests
        self._rooms = rooms
        self._history = history
        self._listeners = listeners

    def leave(self, keep: Callable[[list[Row]], None]) -> None:
        """Leave the sessions that event streams, presences or rooms need, without an end (bounded). All others stay as they are.

        `keep` gets what the next owner needs of each, which says by what to log in. What it raises is raised: then all end politely, as
        does each that cannot be left.
        """
        used = self._used()
        gone = set[KeptSession]()
        try:
            rows = self._rows(self._stand_still(used))
            if rows:
                keep(list(rows.values()))
            gone.update(rows)
        finally:
            for kept in used:
                kept.session.let_go("" if kept in gone else STOPPING)
        for kept in gone:
            say(log, logging.INFO, "session-left", account=str(kept.session.jid), server=kept.session.server)

    def _used(self) -> list[KeptSession]:
        """Those to be left. From now on no session gets another connection by this process, which would take it from the next owner."""
        queue = self._core.queue
        queue.stop()
        with self._core.lock:
            every = [kept for kept in self._core.table if kept.keys is not None and not kept.session.has_ended]
        used = [kept for kept in every if self._events.is_worth_resuming(kept.session)]
        _wait_for(lambda: not any(queue.is_under_way(kept.account) for kept in used), CALLED_OFF_WITHIN)
        used = [kept for kept in used if not queue.is_under_way(kept.account)]
        _wait_for(lambda: all(kept.session.is_confirmed or not kept.session.is_up for kept in used), CONFIRMS_WITHIN)
        return used

    def _stand_still(self, used: list[KeptSession]) -> list[tuple[KeptSession, LeftSession]]:
        """What is left of those that can be; what has come by them is handled, as far as there is time."""
        left: dict[KeptSession, LeftSession] = {}
        told = threading.Semaphore(0)
        for kept in used:
            kept.session.leave(partial(_take, left, told, kept))
        until = time.monotonic() + LEFT_WITHIN
        for _ in used:
            told.acquire(timeout=max(0.0, until - time.monotonic()))
        found = list(left.items())
        _wait_for(lambda: all(self._inbound.is_idle(kept.session) for kept, _ in found), HANDLED_WITHIN)
        return found

    def _rows(self, left: list[tuple[KeptSession, LeftSession]]) -> dict[KeptSession, Row]:
        rows: dict[KeptSession, Row] = {}
        room, more = MOST_HEARD, MOST_COME
        for kept, session in left:
            try:
                row = self._row(kept, session)
            except Exception:
                log.exception("the session of %s is not handed over", kept.account)
                continue
            room -= sum(len(text) for _, _, _, text in row["heard"])
            more -= sum(map(len, row["come"]))
            if more < 0:
                log.warning("%s: %d stanzas that have come are not handled: too many wait", kept.account, len(row["come"]))
            rows[kept] = {**row, "heard": row["heard"] if room >= 0 else [], "come": row["come"] if more >= 0 else []}
        return rows

    def _row(self, kept: KeptSession, left: LeftSession) -> Row:
        account = kept.account
        left = left._replace(keys=kept.keys or left.keys)  # a check may have brought others since the session began
        presence = self._presences.kept_of(kept.session)
        left, come = _not_handled(left, kept.session.number, self._inbound.give_away(kept.session))
        return {
            "session": row_of(left),
            "proof": kept.proof.hex(),
            "opened": kept.opened,
            "proven": kept.proven_at,
            "used": kept.used_at,
            "presence": None if presence is None else serialise(presence),
            "listens": self._listeners.is_listened_to(account),
            "requests": [str(sender) for sender in self._requests.of(account)],
            "rooms": self._rooms.rows(account),
            "heard": self._history.rows(account),
            "come": [serialise(stanza) for stanza in come],
        }

    def restore(self, row: Row) -> None:
        """Go on with what `leave` has returned, unless the settings let its account in no more.

        Raises GatewayError, and whatever a row that is none makes it raise.
        """
        left = left_in(row["session"])
        account = left.jid.bare
        session = self._kept(account, left, row)
        if session is None:
            return
        for restore in (self._restore_presence, self._restore_requests, self._restore_rooms, self._expect_listeners, self._restore_come):
            try:
                restore(session, row)
            except Exception:  # the session is let in already
                log.exception("the session of %s goes on without all that was known of it", account)
        try:
            session.confirm((), partial(self._has_come, account))
        except GatewayError as e:  # as much waits as may: the rooms do not wait for what its server has kept
            log.warning("the session of %s: %s", account, e)
            self._has_come(account, None)
        finally:
            session.connect(left.handled)
            self._upkeep.wake()

    def _restore_presence(self, session: ClientSession, row: Row) -> None:
        if row["presence"] is not None:
            self._presences.restore(session, parse_stored(row["presence"]))

    def _restore_requests(self, session: ClientSession, row: Row) -> None:
        for sender in row["requests"]:
            self._requests.restore(session.account, parse_jid(sender))

    def _restore_rooms(self, session: ClientSession, row: Row) -> None:
        for each in row["rooms"]:
            self._rooms.restore(session.jid, each)
        for each in row["heard"]:
            self._history.restore(session.account, each)

    def _expect_listeners(self, session: ClientSession, row: Row) -> None:
        """Who listens comes back within some seconds."""
        if row["listens"]:
            self._listeners.expect(session.account)

    def _restore_come(self, session: ClientSession, row: Row) -> None:
        for text in row["come"]:
            self._inbound.take_over(session, parse_stored(text))

    def _kept(self, account: JID, left: LeftSession, row: Row) -> ClientSession | None:
        proof, opened, proven_at, used_at = bytes.fromhex(row["proof"]), row["opened"], row["proven"], row["used"]
        domain, now = account.domain, self._core.clock()
        proven = now - max(0.0, time.time() - proven_at)
        with self._core.lock:
            login = self._core.login_of(domain)
            if login is None or self._core.table.get(account) is not None:
                return None
            self._core.table.claim(domain)
            try:
                session = self._keeper.go_on(left, account, login, self._events)
            except GatewayError:
                self._core.table.give_up(domain)
                raise
            gone = self._core.table.add(KeptSession(session, login, proof, left.keys, opened, proven, proven_at, now, used_at))
        self._inbound.broke(session)  # what is asked meanwhile is not answered if its server knows the session no more
        for kept in gone:  # this process keeps fewer than the one before
            kept.session.end(TOO_MANY, unavailable=True)
        return session

    def _has_come(self, account: JID, error: GatewayError | None) -> None:
        """What its server has kept for the session is here, and in front of what rooms are asked for now."""
        if error is None:
            self._inbound.after(account, partial(self._rooms.go_on, account))


def _take(left: dict[KeptSession, LeftSession], told: threading.Semaphore, kept: KeptSession, session: LeftSession | None) -> None:
    if session is not None:
        left[kept] = session
    told.release()


def _not_handled(left: LeftSession, stream: int, came: list[CameStanza]) -> tuple[LeftSession, list[Element]]:
    """What the next owner is to handle first; the rest of what came is not counted, so that the server repeats it (XEP-0198 §5)."""
    can_repeat = left.management is not None and bool(left.management.id)
    repeated = [each.before for each in came if can_repeat and each.stream == stream and each.before >= left.said]
    handled = min(repeated, default=left.handled)
    return left._replace(handled=handled), [each.stanza for each in came if each.stream != stream or not repeated or each.before < handled]


def _wait_for(holds: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(LOOK)
