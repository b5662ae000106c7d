"""Admissions in front of a server that is a script: what it says to each password, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, cast

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.credentials import LoginCredentials, ScramKeys
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.session import ClientSession, SessionEvents
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.sessions.admissions import Admitted, SessionAdmissions
from xmpp_rest.service.sessions.asking import AskingServers
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.relogins import Relogins
from xmpp_rest.service.sessions.resource import SessionResources
from xmpp_rest.service.sessions.upkeep import Upkeep
from xmpp_rest.threads.future import OneShot

SECONDS = 30.0
ROMEO, TYBALT = parse_jid("romeo@montague.example"), parse_jid("tybalt@capulet.example")
GOOD, WRONG = "swear not by the moon", "the inconstant moon"
HERE = "192.0.2.1"
KEYS = ScramKeys("SCRAM-SHA-1", b"salt", 4096, b"client", b"server")


def sessions(**given: Any) -> SessionsSettings:
    """`[sessions]` with these values."""
    written = {"nameservers": "", **{name: str(value) for name, value in given.items()}}
    fields = SessionsSettings.__dataclass_fields__
    return SessionsSettings(**{name: f.metadata["read"](written.get(name, f.metadata["default"])) for name, f in fields.items()})


class ScriptedSession:
    """What the admissions know of a session."""

    numbers = count(1)

    def __init__(self, opened: OpenedStream, account: JID, events: SessionEvents) -> None:
        self.account = account
        self.jid = opened.jid
        self.number = next(self.numbers)
        self.server, self.tls = opened.server, opened.tls
        self.waiting = 0
        self.idle = SECONDS * 1000  # since something was written
        self.resumable = True
        self.has_ended = False
        self.ends: list[tuple[str, bool]] = []
        self._events = events

    def end(self, reason: str, *, unavailable: bool) -> None:
        self.has_ended = True
        self.ends.append((reason, unavailable))
        self._events.ended(cast(ClientSession, self), reason)


class ScriptedKeeper:
    """Keeps sessions in a list."""

    def __init__(self) -> None:
        self.sessions: list[ScriptedSession] = []

    def adopt(self, opened: OpenedStream, account: JID, login: LoginSettings, events: SessionEvents) -> ClientSession:
        self.sessions.append(ScriptedSession(opened, account, events))
        return cast(ClientSession, self.sessions[-1])

    def configure(self, settings: SessionsSettings) -> None:
        self.settings = settings


class ScriptedServer:
    """Answers as `says` has it, by password: "" lets in, else the name of a LoginFailed. A password that is not there is wrong."""

    def __init__(self) -> None:
        self.says: dict[str | None, str] = {GOOD: ""}
        self.of_account = False
        self.raises: Exception | None = None
        self.asked: list[tuple[str, str, str | None]] = []
        """Whether to log in or to check, the account, and its password."""
        self.keys: ScramKeys | None = KEYS
        self.credentials: list[LoginCredentials] = []
        self.going = threading.Event()
        self.going.set()
        self.arrived = threading.Semaphore(0)
        self.forgotten = 0
        self.lock = threading.Lock()

    def log_in(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, resource: str,
        resumption: Resumption | None, stop: Callable[[], bool],
    ) -> OpenedStream:  # fmt: skip
        self._answer("login", credentials)
        jid = credentials.jid._replace(resource=resource)
        return OpenedStream(cast(Any, None), b"", (), b"", jid, self.keys, "192.0.2.7:5223", "TLSv1.3", None, False, 0)

    def check(
        self, login: LoginSettings, credentials: LoginCredentials, sessions: SessionsSettings, stop: Callable[[], bool]
    ) -> ScramKeys | None:
        self._answer("check", credentials)
        return self.keys

    def forget(self) -> None:
        self.forgotten += 1

    def _answer(self, what: str, credentials: LoginCredentials) -> None:
        with self.lock:
            self.asked.append((what, str(credentials.jid), credentials.password))
            self.credentials.append(credentials)
        self.arrived.release()
        assert self.going.wait(SECONDS)
        if self.raises is not None:
            raise self.raises
        said = self.says.get(credentials.password, "wrong-password")
        if said:
            raise LoginFailed(said, credentials.jid.domain, "a detail", of_account=self.of_account)


class CountedLogins:
    """What metrics would count."""

    def __init__(self) -> None:
        self.results: list[tuple[str, str]] = []

        self.resumes: list[str] = []
        self.refusals: list[str] = []

    def logged_in(self, pattern: str, result: str, seconds: float) -> None:
        self.results.append((pattern, result))

    def session_resumed(self, result: str) -> None:
        self.resumes.append(result)

    def session_refused(self, reason: str) -> None:
        self.refusals.append(reason)


class Scripted:
    """Everything that lets accounts in, but for the processes around it."""

    def __init__(self, folder: Path, domains: str = "montague.example, capulet.example", **given: Any) -> None:
        self.server, self.keeper, self.counts = ScriptedServer(), ScriptedKeeper(), CountedLogins()
        self.login = LoginSettings(
            domains=tuple(domains.split(", ")), host="", port=None, tls="auto", ca_file=None, private=False, name="x"
        )
        self.now = 1000.0
        self.changed: list[JID] = []
        self.core = SessionCore(LoginDomains({"x": self.login}, ()), sessions(**given), lambda: self.now)
        asking, resources = AskingServers(self.core, self.counts), SessionResources(folder, lambda: "xmpp-rest")
        self.observers: list[SessionEvents] = []
        self.logins = Logins(self.core, self.server, self.keeper, cast(SessionEvents, self), resources, asking, self.changed.append)
        self.relogins = Relogins(self.core, self.server, asking)
        self.upkeep = Upkeep(self.core, self.logins, self.counts, self.changed.append)
        self.admissions = SessionAdmissions(self.core, self.logins, self.counts)

    def ended(self, session: ClientSession, reason: str) -> None:
        self.upkeep.ended(session, reason)

    def begin(self, password: str = GOOD, account: JID = ROMEO, address: str = HERE) -> Callable[[], Admitted]:
        """Have somebody come in; what this returns waits for the outcome."""
        outcome: OneShot[Admitted] = OneShot()
        self.admissions.begin(account, password, address, outcome.give)

        def wait() -> Admitted:
            admitted = outcome.wait(SECONDS)
            assert admitted is not None
            return admitted

        return wait

    def admit(self, password: str = GOOD, account: JID = ROMEO, address: str = HERE) -> str:
        """The resource's begin for who is in, "wrong", or the name of the error."""
        return told(self.begin(password, account, address)())

    def stop(self) -> None:
        self.server.going.set()
        self.core.queue.stop()
        self.upkeep.stop()


def told(admitted: Admitted) -> str:
    """An outcome in a word."""
    if isinstance(admitted, WrongPassword):
        return "wrong"
    return admitted.name if isinstance(admitted, GatewayError) else "in"
