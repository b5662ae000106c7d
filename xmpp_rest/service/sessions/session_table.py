"""The sessions that are open: one for each account, and which of them has to go for another one (accounts-anywhere §5.2)."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field

from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.proofs import is_same

MARK = 1.0  # seconds within which two uses of a session count as one


@dataclass(eq=False)
class KeptSession:
    """A session, what opened it, and when it was used. Changed by its table's owner alone."""

    session: ClientSession
    login: LoginSettings
    proof: bytes = field(repr=False)
    keys: ScramKeys | None = field(repr=False)
    opened: float  # Unix time
    proven: float  # monotonic time at which the server last said that the password is right
    proven_at: float  # the same as Unix time
    used: float  # monotonic time
    used_at: float  # Unix time
    streams: int = 0  # event streams that hold it open

    @property
    def account(self) -> JID:
        """The bare address."""
        return self.session.account

    @property
    def is_idle(self) -> bool:
        """Whether nothing holds it open."""
        return not (self.streams or self.session.waiting)

    def touch(self, now: float) -> None:
        """It is used now."""
        self.used, self.used_at = now, time.time()

    def hold(self, more: int) -> None:
        """So many more, or fewer, streams hold it open."""
        self.streams += more

    def forget_keys(self) -> None:
        """They are of no use any more."""
        self.keys = None

    def prove(self, proof: bytes, keys: ScramKeys | None, now: float) -> None:
        """The server has said that the password of this proof is right."""
        former = self.keys if is_same(proof, self.proof) else None  # those of another password are good for nothing
        self.proof, self.keys = proof, keys or former
        self.proven, self.proven_at = now, time.time()


class SessionTable:
    """Account → session, that used least lately first. Guarded by its owner."""

    def __init__(self, settings: SessionsSettings, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: OrderedDict[JID, KeptSession] = OrderedDict()
        self._domains: Counter[str] = Counter()
        self._users: list[Callable[[], Set[JID]]] = []
        self._coming: Counter[str] = Counter()  # places that logins under way have, by domain
        self.configure(settings)

    def configure(self, settings: SessionsSettings) -> None:
        """How many there may be from now on; those that are too many go when others come."""
        self._total, self._per_domain = settings.total, settings.per_domain

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[KeptSession]:
        return iter(list(self._kept.values()))

    def get(self, account: JID) -> KeptSession | None:
        """The session of a bare address."""
        return self._kept.get(account)

    def use(self, kept: KeptSession) -> None:
        """It is used now, so others go before it."""
        now = self._clock()
        if now - kept.used >= MARK:
            kept.touch(now)
            self._kept.move_to_end(kept.account)

    def claim(self, domain: str) -> None:
        """Reserve a place for a session of this domain, which `add` or `give_up` must follow.

        Raises GatewayError, sessions-full, if there are as many as there may be, and all are in use.
        """
        for is_full, matches in self._bounds(domain):
            if is_full and self._idle(matches) is None:
                raise GatewayError("sessions-full")
        self._coming[domain] += 1

    def give_up(self, domain: str) -> None:
        """The place that was claimed is not needed."""
        self._coming[domain] -= 1
        if not self._coming[domain]:
            del self._coming[domain]

    def _bounds(self, domain: str) -> list[tuple[bool, Callable[[KeptSession], bool]]]:
        """Of the domain, and of all: whether no session may come, and which ones could go for it."""
        own = self._domains[domain] + self._coming[domain]
        return [
            (own >= self._per_domain, lambda kept: kept.account.domain == domain),
            (len(self._kept) + self._coming.total() >= self._total, lambda kept: True),
        ]

    def _idle(self, matches: Callable[[KeptSession], bool]) -> KeptSession | None:
        return next(self.idle(matches), None)

    def idle(self, matches: Callable[[KeptSession], bool]) -> Iterator[KeptSession]:
        """Those that nothing holds open, that used least lately first."""
        users: Set[JID] | None = None
        for kept in self._kept.values():
            if kept.is_idle and matches(kept):
                if users is None:
                    users = frozenset().union(*(ask() for ask in self._users))
                if kept.session.jid not in users:
                    yield kept

    def in_use_by(self, users: Callable[[], Set[JID]]) -> None:
        """Sessions of these full addresses are in use as well. Called while building."""
        self._users.append(users)

    def add(self, kept: KeptSession) -> list[KeptSession]:
        """Keep a session for which a place was claimed; those that have to go for it, which are no longer kept, and which the caller ends.

        Where all others are in use by now, there is one more than there may be.
        """
        domain = kept.account.domain
        gone: list[KeptSession] = []
        self.give_up(domain)
        for index in range(2):
            is_full, matches = self._bounds(domain)[index]
            if not is_full:
                continue
            if (idle := self._idle(matches)) is not None:
                gone.append(idle)
                self.remove(idle)
        self._kept[kept.account] = kept
        self._domains[domain] += 1
        return gone

    def remove(self, kept: KeptSession) -> bool:
        """Keep it no longer; whether it was kept."""
        if self._kept.get(kept.account) is not kept:
            return False
        del self._kept[kept.account]
        self._domains[kept.account.domain] -= 1
        if not self._domains[kept.account.domain]:
            del self._domains[kept.account.domain]
        return True

    def of(self, session: ClientSession) -> KeptSession | None:
        """What is kept of this session, and not of another one of its account."""
        kept = self._kept.get(session.account)
        return kept if kept is not None and kept.session is session else None
