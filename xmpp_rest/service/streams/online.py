"""The accounts that are online: event streams that are open in any process, and resources that said they are available."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.contacts.presence import Available, Presences
from xmpp_rest.service.streams.directory import OpenStream
from xmpp_rest.service.streams.registry import Streams

SILENT = -1  # the priority of a resource without available presence (COMPAT ejabberd)
NAMELESS = "rest"  # the name of a presence without a resource: clients of commands expect one everywhere
UNKNOWN = "0.0.0.0"  # noqa: S104  # the address of a client that is not known; the same clients parse it
CONNECTION = "http_bind"  # the peer's name for the kind of connection that is nearest to ours (XEP-0124)
SHOWS = ("away", "chat", "dnd", "xa")  # RFC 6121 §4.7.2.1


class Session(NamedTuple):
    """One resource of an account. `since`: Unix time; `show`: one of SHOWS, available, or unavailable without a presence."""

    jid: JID
    connection: str
    ip: str
    port: int
    since: float
    priority: int = SILENT
    show: str = "unavailable"
    text: str = ""


class Online:
    """Tells the sessions of the hosted accounts. Methods raise StorageError, GatewayError."""

    def __init__(self, domain: str, streams: Streams, presences: Presences) -> None:
        self._domain = domain
        self._streams = streams
        self._presences = presences

    def all(self) -> list[Session]:
        """Every session, by address."""
        return self._merged(map(_session_of, self._of_accounts()), self._presences.everybody(self._domain))

    def _of_accounts(self) -> Iterable[OpenStream]:
        """The streams of accounts: those of hooks are nobody's sessions."""
        return (stream for stream in self._streams.directory.all() if stream.jid.domain == self._domain)

    def of(self, account: JID) -> list[Session]:
        """The sessions of one account."""
        streams = [_session_of(s) for s in self._streams.directory.of(account)]
        return self._merged(streams, self._presences.rows(account))

    def has_session(self, account: JID) -> bool:
        """Whether the account has a session; may ask the leader."""
        return bool(self.of(account))

    def is_online(self, account: JID) -> bool:
        """Whether the account has a session; asked in the leader alone, for each message."""
        streams = self._streams
        return streams.is_open(account) or streams.directory.is_open_elsewhere(account) or bool(self._presences.rows(account))

    def best(self, account: JID) -> Session | None:
        """The available session of the highest priority."""
        available = [s for s in self.of(account) if s.show != "unavailable"]
        return max(available, key=lambda s: (s.priority, s.since), default=None)

    def _merged(self, streams: Iterable[Session], said: Iterable[Available]) -> list[Session]:
        found = {session.jid: session for session in streams}
        for row in said:
            jid = row.jid if row.jid.resource else row.jid._replace(resource=NAMELESS)
            old = found.get(jid) or Session(jid, CONNECTION, UNKNOWN, 0, row.since)
            found[jid] = old._replace(priority=row.priority, show=row.show, text=row.text)
        return sorted(found.values(), key=lambda s: str(s.jid))


def _session_of(stream: OpenStream) -> Session:
    return Session(stream.jid, CONNECTION, stream.ip or UNKNOWN, stream.port, stream.since)


def uptime(session: Session) -> int:
    """Seconds since it began."""
    return max(0, int(time.time() - session.since))
