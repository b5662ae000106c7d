"""Who is online? Event streams that are open in any process, and resources that said they are available."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.contacts.presence import Available, Presences
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.streams.registry import Streams
from xmpp_rest.service.streams.stream import Stream

log = logging.getLogger(__name__)

LOOK = 0.2  # seconds
SILENT = -1  # the priority of who has not said that it is available (COMPAT ejabberd)
NAMELESS = "rest"  # how a presence without a resource is listed: clients of commands expect one everywhere
UNKNOWN = "0.0.0.0"  # noqa: S104  # the address of a client that is not known; the same clients parse it
CONNECTION = "http_bind"  # the peer's word that is nearest to what HTTP is here (XEP-0124)
SHOWS = ("away", "chat", "dnd", "xa")  # RFC 6121 §4.7.2.1


class Session(NamedTuple):
    """One resource of an account. `since`: Unix time; `show`: one of SHOWS, available, or unavailable for one that has not said."""

    jid: JID
    connection: str
    ip: str
    port: int
    since: float
    priority: int = SILENT
    show: str = "unavailable"
    text: str = ""


class Others(Protocol):
    """The other processes of the gateway."""

    @property
    def is_owner(self) -> bool: ...
    def have_done(self, name: str, **arguments: Any) -> Any: ...
    def order(self, name: str, **arguments: Any) -> None: ...


class Sessions:
    """The sessions of the hosted accounts. `others` is None in a process that stands alone. Methods raise StorageError, GatewayError."""

    def __init__(self, domain: str, streams: Streams, presences: Presences, sending: Sending) -> None:
        self._domain = domain
        self._streams = streams
        self._presences = presences
        self._sending = sending
        self._elsewhere: dict[int, list[Session]] = {}  # process → its streams; in the owner
        self._lock = threading.Lock()  # of the line above
        self.others: Others | None = None
        self.opened: Callable[[Stream], None] = _nothing
        """Called once a stream is open."""
        streams.opened, streams.closed = self._opened, self._closed
        streams.elsewhere, streams.elsewhere_now = self._count_elsewhere, self._count_elsewhere_now

    @property
    def offers(self) -> dict[str, Callable[..., Any]]:
        """What the owner of the link does for the other processes."""
        return {"listening": self._listening, "listeners": self._listeners, "listeners_but": self._listeners_but}

    # -- who is online

    def all(self) -> list[Session]:
        """Every session, by address."""
        return self._merged(self._open_streams(), self._presences.everybody(self._domain))

    def of(self, account: JID) -> list[Session]:
        """The sessions of one account."""
        streams = [s for s in self._open_streams() if s.jid.bare == account]
        return self._merged(streams, self._presences.rows(account))

    def is_online(self, account: JID) -> bool:
        """Whether the account has a session; asked in the process that owns the link, for each message."""
        elsewhere = any(s.jid.bare == account for sessions in tuple(self._elsewhere.values()) for s in sessions)
        return self._streams.is_open(account) or elsewhere or bool(self._presences.rows(account))

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

    # -- what is done to them

    def kick(self, sessions: Iterable[Session], reason: str) -> int:
        """End these sessions; how many there were."""
        count = 0
        for count, session in enumerate(sessions, 1):  # noqa: B007
            arguments = {"owner": str(session.jid.bare), "resource": session.jid.resource, "reason": reason}
            self.end_stream(**arguments)
            if self.others is not None:
                self.others.order("end_stream", **arguments)
            if session.show != "unavailable":
                self.say(session.jid, "unavailable", "", reason, 0)
        return count

    def end_all(self, account: JID, reason: str) -> None:
        """End all sessions of the account, even if nobody can be told that one is gone.

        Raises StorageError, and GatewayError if no process says which sessions there are.
        """
        for session in self.of(account):
            try:
                self.kick([session], reason)
            except GatewayError as e:
                log.warning("nobody was told that %s is gone: %s", session.jid, e)

    def end_stream(self, owner: str, resource: str, reason: str) -> None:
        """End the stream of this resource, if it is one of this process; in the owner it is not listed any more in any case."""
        jid = parse_jid(owner)
        with self._lock:
            for pid, sessions in self._elsewhere.items():
                self._elsewhere[pid] = [s for s in sessions if s.jid != jid._replace(resource=resource)]
        self._streams.end(jid, resource, reason)

    def say(self, jid: JID, kind: str, show: str, text: str, priority: int) -> None:
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

    # -- the streams of other processes

    def _open_streams(self) -> list[Session]:
        if self.others is None or self.others.is_owner:
            return [_read(row) for row in self._listeners()]
        return [_read(row) for row in self.others.have_done("listeners")]

    def _listeners(self) -> list[list[Any]]:
        """Every open stream; in the owner."""
        with self._lock:
            for pid in [pid for pid in self._elsewhere if not _lives(pid)]:
                del self._elsewhere[pid]
            others = list(self._elsewhere.values())
        mine = [_session_of(stream) for stream in self._streams.all()]
        return [_written(s) for sessions in (mine, *others) for s in sessions]

    def _count_elsewhere(self, account: JID) -> int:
        """How many streams the account has in other processes."""
        if self.others is None:
            return 0
        if self.others.is_owner:
            return self._listeners_but(os.getpid(), str(account))
        return int(self.others.have_done("listeners_but", pid=os.getpid(), account=str(account)))

    def _count_elsewhere_now(self, account: JID) -> int:
        """The same, once the others have looked whose readers have left; they are given LOOK seconds."""
        before = count = self._count_elsewhere(account)
        if self.others is not None:
            self.others.order("drop_gone")
            end = time.monotonic() + LOOK
            while count >= before and time.monotonic() < end:
                time.sleep(LOOK / 20)
                count = self._count_elsewhere(account)
        return count

    def _listeners_but(self, pid: int, account: str) -> int:
        """How many streams the account has in other processes than `pid`; in the owner."""
        mine = [] if pid == os.getpid() else [str(stream.owner) for stream in self._streams.all()]
        with self._lock:
            others = [str(s.jid.bare) for other, sessions in self._elsewhere.items() if other != pid and _lives(other) for s in sessions]
        return [*mine, *others].count(account)

    def _listening(self, pid: int, rows: list[list[Any]]) -> None:
        """A peer tells which streams it has; in the owner."""
        with self._lock:
            self._elsewhere[pid] = [_read(row) for row in rows]

    def tell(self) -> None:
        """Tell the owner which streams are open here; nothing in the owner itself."""
        if self.others is None or self.others.is_owner:
            return
        try:
            self.others.have_done("listening", pid=os.getpid(), rows=[_written(_session_of(s)) for s in self._streams.all()])
        except GatewayError as e:  # there will be another owner, which the streams are told of when they are opened again
            log.info("the owner of the link does not hear of the streams here: %s", e)

    def _opened(self, stream: Stream) -> None:
        self.tell()
        self.opened(stream)

    def _closed(self, stream: Stream) -> None:
        self.tell()
        jid = stream.owner._replace(resource=stream.resource)
        try:
            if any(row.jid == jid for row in self._presences.rows(stream.owner)):
                self.say(jid, "unavailable", "", "", 0)
        except Exception as e:  # other streams end after this one
            unforeseen = not isinstance(e, StorageError | GatewayError)
            log.warning("%s stays available although its stream has ended: %s", jid, e, exc_info=unforeseen)


def _nothing(stream: Stream) -> None:
    """Nobody wants to know."""


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is somebody else's
        return True
    return True


def _session_of(stream: Stream) -> Session:
    ip, port = stream.peer
    return Session(stream.owner._replace(resource=stream.resource), CONNECTION, ip or UNKNOWN, port, stream.since)


def _written(session: Session) -> list[Any]:
    return [str(session.jid), *session[1:]]


def _read(row: list[Any]) -> Session:
    return Session(parse_jid(row[0]), *row[1:])


def uptime(session: Session) -> int:
    """Seconds since it began."""
    return max(0, int(time.time() - session.since))
