"""Rooms behind the session of an account of another server: what the gateway sends by it is answered by scripted rooms."""

from __future__ import annotations

import queue
from xml.etree.ElementTree import Element

from tests.conftest import MakeApp, register_users
from tests.link.attached import until
from tests.service.rooms.scripted import ROOM, Scripted
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.account_streams import AccountRoutes, session_lost
from xmpp_rest.link.router import NOT_MINE
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.service.rooms.values import RoomPlace, RoomView
from xmpp_rest.threads.waits import Wait

ROMEO = parse_jid("romeo@montague.example")
SESSION = parse_jid("romeo@montague.example/xmpp-rest-5f1c09ab")


class FakeSessions:
    """Sessions whose stanzas a test reads. As `AccountStreams`."""

    def __init__(self) -> None:
        self.open: dict[JID, tuple[JID, int]] = {}  # account → its full address, and the number of its stream
        self.sent: queue.SimpleQueue[Element] = queue.SimpleQueue()
        self.refuses: Exception | None = None

    def has(self, sender: JID) -> bool:
        return sender.bare in self.open

    def jid(self, sender: JID) -> JID:
        if sender.bare not in self.open:
            raise session_lost(sender)
        return self.open[sender.bare][0]

    def stream(self, sender: JID) -> int:
        return self.open.get(sender.bare, (sender, 0))[1]

    def send(self, sender: JID, stanza: Element) -> None:
        if sender.bare not in self.open:
            raise session_lost(sender)
        if self.refuses is not None:
            raise self.refuses
        self.sent.put(parse_text(serialise(stanza)))

    # what tests read it by, in place of a network

    def next(self, seconds: float) -> Element:
        return self.sent.get(timeout=seconds)


class ScriptedSession(Scripted):
    """Romeo has a session, and his server brings what it sends to the rooms. `passed`: what came to it and was not the business of rooms."""

    def __init__(self, make_app: MakeApp) -> None:
        self.sessions = FakeSessions()
        super().__init__(make_app, self.sessions)  # type: ignore[arg-type]  # of a network nothing but `next` is used
        self.served = ROMEO.domain
        self.passed: list[Element] = []

    def _attached(self, **settings: str) -> Gateway:
        app = register_users(self._make_app(**settings))
        gateway: Gateway = app.extensions["gateway"]
        gateway.start()
        gateway.parts.router.accounts.serve_by(self.sessions)
        self.app = app
        return gateway

    def begin(self, **settings: str) -> ScriptedSession:
        self.start(**settings)
        self.comes(SESSION, 1)
        return self

    def comes(self, session: JID, stream: int) -> None:
        """The session has this stream now; 0: it has ended."""
        former = self.sessions.open.get(session.bare, (session, 0))[1]
        if stream:
            self.sessions.open[session.bare] = session, stream
        else:
            self.sessions.open.pop(session.bare, None)
        self.accounts.changed(former, session, stream)

    @property
    def accounts(self) -> AccountRoutes:
        assert self.gateway is not None
        return self.gateway.parts.router.accounts

    def say(self, *stanzas: Element) -> None:
        """These come by the session."""
        assert self.gateway is not None
        parts = self.gateway.parts
        for stanza in stanzas:
            to = parse_jid(stanza.attrib["to"])
            if to.domain != ROMEO.domain:  # the scripted room answers with nothing
                continue
            stanza, sender = parse_text(serialise(stanza)), parse_jid(stanza.attrib["from"])
            if not parts.router.resolve(stanza, sender, to) and parts.room_stanzas.handle(stanza, sender, to) is NOT_MINE:
                self.passed.append(stanza)

    def place(self, room: str = ROOM, actor: JID = ROMEO) -> RoomPlace:
        return super().place(room, actor)

    def speak(self, body: str, identifier: str, seconds: float | None = None, room: str = ROOM, more: str = "") -> SpokenResult:
        """Romeo says this."""
        assert self.gateway is not None
        text = f"<message from='{SESSION}' to='{room}' type='groupchat' id='{identifier}'><body>{body}</body>{more}</message>"
        outgoing = OutboundMessage(parse_text(text), SESSION, parse_jid(room))
        return self.gateway.parts.speaking.say(outgoing, seconds=seconds, wait=Wait(seconds or 30))

    def messages(self) -> list[str]:
        """The ids of what came to rooms, in order."""
        return [stanza.attrib["id"] for stanza in list(self.came) if stanza.tag == "message"]

    def until_gone(self, room: str = ROOM) -> None:
        until(lambda: self.view(room) is None)

    def views(self) -> list[RoomView]:
        assert self.gateway is not None
        return self.gateway.parts.room_calls.of(ROMEO)
