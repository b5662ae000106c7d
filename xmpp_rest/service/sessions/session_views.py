"""Sessions as their owners and administrators see them, and as these end them (accounts-anywhere §7.1, §7.6)."""

from __future__ import annotations

import math
from typing import NamedTuple

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.core import PresenceOf, SessionCore
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.session_table import KeptSession


class SessionView(NamedTuple):
    """One session. Times are Unix times."""

    jid: JID
    server: str
    tls: str
    since: float
    used: float
    proven: float
    streams: int
    waiting: int  # stanzas that wait to be written, or confirmed
    presence: str
    resumable: bool


class DomainView(NamedTuple):
    """What is known of one domain whose accounts log in. Times in seconds."""

    domain: str
    failures: int  # wrong passwords that count
    paused: int  # until new logins may come, of which too many were wrong
    retry_in: int  # until the server, which failed, is asked again


class SessionsView(NamedTuple):
    """All of them."""

    most: int
    sessions: list[SessionView]
    domains: list[DomainView]


class SessionViews:
    """Any process may ask."""

    def __init__(self, core: SessionCore, logins: Logins, remote: Remote) -> None:
        self._core = core
        self._logins = logins
        self._remote = remote
        remote.offer(self)

    def tell_presence_by(self, presence_of: PresenceOf) -> None:
        """Ask this for presences. Called while building."""
        self._core.tell_presence_by(presence_of)

    @on_leader(repeatable=True)
    def of(self, account: JID) -> SessionView | None:
        """The session of a bare address; None without one."""
        with self._core.lock:
            kept = self._core.table.get(account)
        return None if kept is None else self._view(kept)

    @on_leader(repeatable=True)
    def all(self) -> SessionsView:
        """All sessions, and all domains of which there is anything to say."""
        with self._core.lock:
            every = list(self._core.table)
            failures, paused, pauses = self._core.wrong.of_domains(), self._core.wrong.paused_domains(), self._core.pauses.left()
        domains = sorted({*failures, *paused, *pauses, *(kept.account.domain for kept in every)})
        return SessionsView(
            self._core.settings.total,
            sorted((self._view(kept) for kept in every), key=lambda view: str(view.jid)),
            [
                DomainView(name, failures.get(name, 0), math.ceil(paused.get(name, 0.0)), math.ceil(pauses.get(name, 0.0)))
                for name in domains
            ],
        )

    @on_leader(repeatable=True)
    def end(self, account: JID, reason: str) -> bool:
        """End the session of a bare address; whether there was one. `reason`: one of `ends`."""
        with self._core.lock:
            kept = self._core.table.get(account)
        return kept is not None and self._logins.end(kept, reason)

    def own_counts(self) -> dict[str, int]:
        """Pattern of the settings → sessions of this process, which leads."""
        with self._core.lock:
            counts = dict.fromkeys(self._core.domains.patterns, 0)
            for kept in self._core.table:
                if pattern := self._core.domains.pattern(kept.account.domain):  # else it is about to end, by a reload
                    counts[pattern] += 1
        return counts

    def _view(self, kept: KeptSession) -> SessionView:
        session = kept.session
        return SessionView(
            session.jid, session.server, session.tls, kept.opened, kept.used_at, kept.proven_at, kept.streams, session.waiting,
            self._core.presence_of(session.jid), session.resumable,
        )  # fmt: skip
