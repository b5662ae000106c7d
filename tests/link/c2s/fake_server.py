"""An XMPP server in this process, over TLS on loopback: accounts, SCRAM and PLAIN, bind, XEP-0198 with resuming, ping, disco, messages between its
accounts. A test adds what it needs by `handlers`, and can cut, freeze, restart and refuse.

    with FakeServer(tmp_path, {"juliet": "wherefore"}) as server:
        server.handlers.append(lambda session, stanza: stanza.tag == "iq" and not session.send(...) )
        login = server.settings()
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import Element

from tests.authority import Authority
from tests.link.c2s.fake_scram import FakeSalts
from tests.link.c2s.fake_session import FakeSession
from tests.link.c2s.fake_stream import Closed, FakeStream, Left
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import CARBONS, DISCO_INFO, PING
from xmpp_rest.protocol.stanza import child, copied, is_request, make, refusal, result

Handler = Callable[[FakeSession, Element], object]
"""Gets what a client sent; if what it returns is true, that was all. On the server's thread."""
T = TypeVar("T")
SECONDS = 60


class FakeServer:
    """Attributes may be changed while it runs: they count for what comes next. `accounts`: user → password."""

    def __init__(self, folder: Path, accounts: dict[str, str], domain: str = "capulet.example") -> None:
        self.domain = domain
        self.accounts = dict(accounts)
        self.salts = FakeSalts()
        self.mechanisms = ["SCRAM-SHA-1", "PLAIN"]
        self.management = True
        """Whether XEP-0198 is offered."""
        self.acknowledges = True
        """Whether <r/> is answered."""
        self.sasl_failure = ""
        """The condition that answers right passwords."""
        self.bind_error = ""
        self.refuses = False
        """Whether new connections are closed at once."""
        self.features = ["urn:xmpp:ping", CARBONS]
        """Of the accounts (XEP-0030)."""
        self.handlers: list[Handler] = []
        self.connections = 0
        self.attempts: list[str] = []
        """The mechanism of each SASL attempt."""
        self.refused = 0
        """Wrong passwords."""
        self.logins: list[str] = []
        self.resumes = 0
        self.failures: list[BaseException] = []
        self.tried = 0
        """How often a client asked what was received, or sent a ping."""
        self.sessions: list[FakeSession] = []
        """Bound resources, those that wait to be resumed included."""
        self.ended: list[FakeSession] = []
        authority = Authority(folder / "authority")
        self.ca_file = authority.ca_file
        self.context = authority.issue(domain).context()
        self.going = asyncio.Event()
        self._streams: set[FakeStream] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fake server", daemon=True)
        self._thread.start()
        self.direct_port, self.starttls_port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(SECONDS)

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def _listen(self) -> tuple[int, int]:
        self.going.set()
        self._listeners = [
            await asyncio.start_server(lambda r, w: self._accept(r, w, encrypted=True), "127.0.0.1", 0, ssl=self.context, backlog=1000),
            await asyncio.start_server(lambda r, w: self._accept(r, w, encrypted=False), "127.0.0.1", 0, backlog=1000),
        ]
        direct, starttls = (listener.sockets[0].getsockname()[1] for listener in self._listeners)
        return direct, starttls

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, encrypted: bool) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        stream = FakeStream(self, reader, writer, encrypted=encrypted)
        self._streams.add(stream)
        try:
            if not self.refuses:
                await stream.run()
        except Left:
            stream.end()
            if stream.session is not None:
                stream.session.management = ""
        except (Closed, OSError, EOFError, asyncio.CancelledError):
            stream.end()
        except BaseException as e:  # shown by close()
            self.failures.append(e)
        finally:
            self._left(stream)
            self._streams.discard(stream)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    def _left(self, stream: FakeStream) -> None:
        """Its session waits to be resumed, if it can be."""
        session = stream.session
        if session is None or session.stream is not stream:
            return
        with self._changed:
            session.stream = None
            self._changed.notify_all()
        if not session.management:
            self.forget(session)

    # for tests, from any thread

    def settings(self, **others: Any) -> LoginSettings:
        """How to reach it: by `[login.fake]`."""
        login = LoginSettings((self.domain,), "127.0.0.1", self.direct_port, "direct", self.ca_file, False, name="fake")
        return replace(login, **others)

    def ini(self, **others: str) -> dict[str, str]:
        """The same as keys of a configuration file."""
        return {
            "domains": self.domain,
            "host": "127.0.0.1",
            "port": str(self.direct_port),
            "tls": "direct",
            "ca_file": str(self.ca_file),
            **others,
        }

    def call(self, act: Callable[[], T]) -> T:
        """What `act` returns on the server's thread, which owns all streams and sessions."""

        async def run() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(SECONDS)

    def session(self, user: str) -> FakeSession:
        """The session of this user that was bound last."""
        return [session for session in self.sessions if session.jid.local == user][-1]

    def send(self, user: str, stanza: Element | str) -> None:
        """The session of this user gets this."""
        self.call(lambda: self.session(user).send(stanza))

    def until(self, holds: Callable[[], T], seconds: float = SECONDS) -> T:
        """What this returns once it is true; it is asked again for whatever happens here."""
        with self._changed:
            assert self._changed.wait_for(lambda: bool(holds()), seconds), f"not within {seconds} s; {self.failures}"
            return holds()

    def received(self, user: str, tag: str = "") -> list[Element]:
        """What the sessions of this user have sent, of this kind unless it is empty."""
        return [
            each
            for session in list(self.sessions)
            if session.jid.local == user
            for each in list(session.received)
            if not tag or each.tag == tag
        ]

    def cut(self) -> None:
        """Break all connections."""
        self.call(lambda: [stream.cut() for stream in self._streams])

    def freeze(self) -> None:
        """Process nothing from now on, though connections stay."""
        self.call(self.going.clear)

    def thaw(self) -> None:
        self.call(self.going.set)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Process nothing meanwhile."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def restart(self) -> None:
        """Break all connections, and know nothing of sessions any more."""

        def restart() -> None:
            for session in list(self.sessions):
                session.management = ""
                self.forget(session)
            for stream in self._streams:
                stream.cut()

        self.call(restart)

    def end(self, user: str, condition: str = "", text: str = "") -> None:
        """Close the stream of this user, by a stream error of this condition unless it is empty."""

        def end() -> None:
            session = self.session(user)
            session.management = ""
            if session.stream is not None:
                session.stream.end(condition, text)

        self.call(end)

    def close(self) -> None:
        """End everything; what failed here fails the test."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SECONDS)
        self._loop.close()
        assert not self.failures, self.failures

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        for stream in self._streams:
            stream.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # for streams, on the server's thread

    def bound(self, stream: FakeStream, resource: str) -> FakeSession:
        """A new session, which replaces one of the same resource."""
        jid = JID(stream.user, self.domain, resource or secrets.token_hex(4))
        for session in list(self.sessions):
            if session.jid == jid:
                session.management = ""
                if session.stream is not None:
                    session.stream.end("conflict", "Replaced by new connection")
                self.forget(session)
        session = FakeSession(jid, stream)
        with self._changed:
            self.sessions.append(session)
            self._changed.notify_all()
        return session

    def keep(self, _session: FakeSession) -> str:
        """The name by which a session is resumed."""
        return secrets.token_hex(8)

    def resumable(self, management: str, user: str) -> FakeSession | None:
        """The session of this name."""
        for session in self.sessions:
            if session.management == management and session.jid.local == user:
                if session.stream is not None:
                    session.stream.session = None
                    session.stream.cut()
                return session
        return None

    def forget(self, session: FakeSession) -> None:
        """It is gone; what it sent is still in `received` of the object."""
        with self._changed:
            if session in self.sessions:
                self.sessions.remove(session)
                self.ended.append(session)
            self._changed.notify_all()

    def was_tried(self) -> None:
        """A client has asked whether the server is there."""
        with self._changed:
            self.tried += 1
            self._changed.notify_all()

    def handle(self, session: FakeSession, stanza: Element) -> None:
        """A stanza of a client: for the handlers of the test, or as servers do."""
        stanza = copied(stanza, from_=str(session.jid), to_=stanza.get("to"))
        if not any(handler(session, stanza) for handler in self.handlers):
            self._as_servers_do(session, stanza)
        with self._changed:
            self._changed.notify_all()

    def _as_servers_do(self, session: FakeSession, stanza: Element) -> None:
        to = parse_jid(stanza.get("to") or str(session.jid.bare))
        if stanza.tag == "presence" and "to" not in stanza.attrib:
            available = stanza.get("type") is None
            session.presence = stanza if available else None
            session.priority = int(stanza.findtext("priority") or "0") if available else None
        elif to.domain != self.domain:
            if is_request(stanza) or (stanza.tag == "message" and stanza.get("type") != "error"):
                session.send(refusal(stanza, stanza_error("remote-server-not-found")))
        elif is_request(stanza) and (not to.resource or not to.local):
            session.send(self._answer(session, stanza))
        elif to.resource or stanza.tag == "message":
            self._deliver(session, stanza, to)

    def _answer(self, session: FakeSession, iq: Element) -> Element:
        if iq.find(f"{{{PING}}}ping") is not None:
            self.was_tried()
            return result(iq)
        if iq.find(f"{{{DISCO_INFO}}}query") is not None:
            features = [child(f"{{{DISCO_INFO}}}feature", var=name) for name in self.features]
            return result(
                iq, make(f"{{{DISCO_INFO}}}query", child(f"{{{DISCO_INFO}}}identity", category="account", type="registered"), *features)
            )
        for name in "enable", "disable":
            if iq.find(f"{{{CARBONS}}}{name}") is not None:
                session.carbons = name == "enable"
                return result(iq)
        return refusal(iq, stanza_error("service-unavailable"))

    def _deliver(self, session: FakeSession, stanza: Element, to: JID) -> None:
        others = [each for each in self.sessions if each.jid.bare == to.bare]
        if to.resource and (full := [each for each in others if each.jid == to]):
            full[0].send(stanza)
        elif to.local not in self.accounts or stanza.tag == "iq":
            if stanza.get("type") not in ("error", "result") and stanza.tag != "presence":
                session.send(refusal(stanza, stanza_error("service-unavailable")))
        elif stanza.tag == "message":
            for each in others:
                if each.priority is not None and each.priority >= 0:
                    each.send(stanza)
