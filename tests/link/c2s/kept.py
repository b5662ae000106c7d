"""Kept sessions of a scripted server, and a record of what their owner was told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.opening import KEYS, open_stream
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.credentials import ScramKeys
from xmpp_rest.link.c2s.opened_stream import OpenedStream, Resumption
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.c2s.sessions_thread import SessionsThread
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import child, make

JULIET = parse_jid("juliet@capulet.example")
STRANGER = "romeo@montague.example"
SECONDS = 60


def message(identifier: str, to: str | None = STRANGER, **attributes: str) -> Element:
    return make("message", child("body", "Art thou not Romeo?"), id_=identifier, to_=to, **attributes)


def sessions_settings(**values: Any) -> SessionsSettings:
    """The usual ones, but for these."""
    return load_settings(None, {f"XMPP_REST_SESSIONS_{name.upper()}": str(value) for name, value in values.items()}).sessions


class KeptEvents:
    """Records what sessions tell, and lets a test wait for it."""

    def __init__(self) -> None:
        self.worth = True
        """Whether sessions are to be resumed."""
        self.on_rebound: Callable[[ClientSession], object] = lambda session: None
        self.on_received: Callable[[ClientSession, Element], object] = lambda session, stanza: None
        self.stanzas: list[Element] = []
        self.told: list[str] = []
        """Of all but stanzas: broke, resumed, rebound, and why a session has ended."""
        self._changed = threading.Condition()

    def _tell(self, what: str) -> None:
        with self._changed:
            self.told.append(what)
            self._changed.notify_all()

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        with self._changed:
            self.stanzas.append(stanza)
            self._changed.notify_all()
        self.on_received(session, stanza)

    def is_worth_resuming(self, session: ClientSession) -> bool:
        return self.worth

    def broke(self, session: ClientSession) -> None:
        self._tell("broke")

    def resumed(self, session: ClientSession) -> None:
        self._tell("resumed")

    def rebound(self, session: ClientSession) -> None:
        self.on_rebound(session)
        self._tell("rebound")

    def ended(self, session: ClientSession, reason: str) -> None:
        self._tell(reason)

    def until(self, holds: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait until this is true; it is asked again after each event."""
        with self._changed:
            assert self._changed.wait_for(holds, seconds), (self.told, [(stanza.tag, stanza.attrib) for stanza in self.stanzas])

    def until_told(self, *what: str) -> None:
        """Wait until this was told, and nothing else."""
        self.until(lambda: len(self.told) >= len(what))
        assert self.told[: len(what)] == list(what)


class Kept:
    """A thread of sessions whose logins lead to `server`."""

    def __init__(self, server: FakeServer, **settings: Any) -> None:
        self.server = server
        self.events = KeptEvents()
        self.keys: ScramKeys | None = KEYS
        """Of sessions that `open` begins; None: as after PLAIN."""
        self.login_failures: list[Exception] = []
        """What comes of the next attempts to log in again, the first one first."""
        self.logins: list[Resumption | None] = []
        """What was to be resumed in each attempt."""
        self.thread = SessionsThread(sessions_settings(**settings), self.log_in_again)
        self._helpers: list[threading.Thread] = []

    def log_in_again(
        self,
        account: JID,
        login: LoginSettings,
        keys: ScramKeys,
        resumption: Resumption | None,
        done: Callable[[OpenedStream | Exception], None],
    ) -> None:
        assert keys is KEYS
        self.logins.append(resumption)

        def run() -> None:
            outcome: OpenedStream | Exception
            try:
                outcome = self.login_failures.pop(0) if self.login_failures else open_stream(self.server, account, resumption=resumption)
            except Exception as e:
                outcome = e
            done(outcome)

        helper = threading.Thread(target=run, daemon=True)
        self._helpers.append(helper)
        helper.start()

    def open(self, account: JID = JULIET) -> ClientSession:
        """A session that is up."""
        opened = open_stream(self.server, account, keys=self.keys)
        return self.thread.adopt(opened, account, self.server.settings(), self.events)

    def close(self) -> None:
        self.thread.stop()
        for helper in self._helpers:
            helper.join(SECONDS)


class Confirmed:
    """Waits for what comes of stanzas that are confirmed."""

    def __init__(self, session: ClientSession, *stanzas: Element) -> None:
        self.written = 0
        self._outcomes: list[GatewayError | None] = []
        self._done = threading.Event()
        session.confirm(stanzas, self._take, self._note)

    def _note(self) -> None:
        self.written += 1

    def _take(self, error: GatewayError | None) -> None:
        self._outcomes.append(error)
        self._done.set()

    @property
    def is_known(self) -> bool:
        return self._done.is_set()

    def outcome(self) -> str:
        """ "" once it is confirmed, or the name of the error."""
        assert self._done.wait(SECONDS)
        [error] = self._outcomes  # it is called once
        return error.name if error else ""


def outcomes(several: Sequence[Confirmed]) -> list[str]:
    return [each.outcome() for each in several]


def sent(fake: FakeServer, tag: str = "message") -> list[str | None]:
    """The ids of what juliet's session has sent, of this kind."""
    return [stanza.get("id") for stanza in fake.received("juliet", tag)]
