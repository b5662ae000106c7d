"""The sessions of accounts: event streams that are open in any process, and resources that said they are available."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.contacts.presence import Available, Presences
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.streams.directory import OpenStream
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.stream import Stream

log = logging.getLogger(__name__)

SILENT = -1  # the priority of a resource without available presence (COMPAT ejabberd)
NAMELESS = "rest"  # the name of a presence without a resource: clients of commands expect one everywhere
UNKNOWN = "0.0.0.0"  # noqa: S104  # an unknown client address; the same clients parse it
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


class Sessions:
    """The sessions of the hosted accounts. Methods raise StorageError, GatewayError."""

    def __init__(self, domain: str, streams: Streams, presences: Presences, sending: Sending) -> None:
        self._domain = domain
        self._streams = streams
        self._presences = presences
        self._sending = sending
        self.opened: Callable[[Stream], None] = _nothing
        """Called after a stream has been opened."""
        streams.opened, streams.closed = self._opened, self._closed

    # -- who is online

    def all(self) -> list[Session]:
        """Every session, by address."""
        return self._merged(map(_session_of, self._streams.directory.all()), self._presences.everybody(self._domain))

    def of(self, account: JID) -> list[Session]:
        """The sessions of one account."""
        streams = [_session_of(s) for s in self._streams.directory.all() if s.jid.bare == account]
        return self._merged(streams, self._presences.rows(account))

    def is_online(self, account: JID) -> bool:
        """Whether the account has a session; called in the leader, for each message."""
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

    # -- ending and presence

    def kick(self, sessions: Iterable[Session], reason: str) -> int:
        """End these sessions; their number."""
        count = 0
        for count, session in enumerate(sessions, 1):  # noqa: B007
            self._streams.end(session.jid, reason)
            if session.show != "unavailable":
                self.send_presence(session.jid, "unavailable", "", reason, 0)
        return count

    def end_all(self, account: JID, reason: str) -> None:
        """End all sessions of the account, even if the unavailable presence cannot be sent.

        Raises StorageError, and GatewayError if no process says which sessions there are.
        """
        for session in self.of(account):
            try:
                self.kick([session], reason)
            except GatewayError as e:
                log.warning("nobody was told that %s is gone: %s", session.jid, e)

    def send_presence(self, jid: JID, kind: str, show: str, text: str, priority: int) -> None:
        """Have a resource broadcast its presence; `kind`: "" for available, or unavailable."""
        said = {"show": show, "status": text, "priority": str(priority) if priority else ""}
        payload = [child(name, value) for name, value in said.items() if value]
        sender = self.sender(jid)
        self._sending.send(make("presence", *payload, from_=str(sender), type_=kind, id_=new_id()), sender, sender.bare)

    def sender(self, jid: JID) -> JID:
        """The address by which a session sends: without a resource, if that is how it said that it is available."""
        if jid.resource != NAMELESS or any(row.jid.resource == NAMELESS for row in self._presences.rows(jid.bare)):
            return jid
        return jid.bare

    def _opened(self, stream: Stream) -> None:
        self.opened(stream)

    def _closed(self, stream: Stream) -> None:
        jid = stream.owner._replace(resource=stream.resource)
        try:
            if any(row.jid == jid for row in self._presences.rows(stream.owner)):
                self.send_presence(jid, "unavailable", "", "", 0)
        except Exception as e:  # other streams end after this one
            unforeseen = not isinstance(e, StorageError | GatewayError)
            log.warning("%s stays available although its stream has ended: %s", jid, e, exc_info=unforeseen)


def _nothing(stream: Stream) -> None:
    """The default of `opened`."""


def _session_of(stream: OpenStream) -> Session:
    return Session(stream.jid, CONNECTION, stream.ip or UNKNOWN, stream.port, stream.since)


def uptime(session: Session) -> int:
    """Seconds since the session started."""
    return max(0, int(time.time() - session.since))
