"""A router with the session of one account of another server, which functions of the test answer for."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element

from tests.processes.memory import alone
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import copied, is_request, refusal
from xmpp_rest.threads.waits import Waits

ROMEO = parse_jid("romeo@montague.example")
SESSION = ROMEO.at("xmpp-rest-5f1c09ab")


class Speaks(Protocol):
    """Where what a server sends goes: the session of a client."""

    @property
    def jid(self) -> JID: ...

    def send(self, stanza: Element | str) -> None: ...


Answers = Callable[[Speaks, Element], object]
"""Gets what a client has sent; whether that was all that is to be done."""


class AtServer:
    """`answers` are asked in order; what none of them takes is refused, if it asks for an answer."""

    def __init__(self, *answers: Answers, size: int = 100, remote: Remote | None = None) -> None:
        self.answers = list(answers)
        self.sent: list[Element] = []
        self.jid = SESSION
        self.lost: Exception | None = None
        self.remote = remote or alone()
        weakref.finalize(self, self.remote.timers.stop)  # else each test leaves a thread
        self.waits = Waits(8)
        self.router = Router(frozenset(("capulet.example",)), Pending(size), self.remote)
        self.router.accounts.serve_by(_Streams(self))

    def write(self, stanza: Element) -> None:
        """What the client has sent."""
        if self.lost is not None:
            raise self.lost
        self.sent.append(stanza)
        stanza = copied(stanza, from_=str(self.jid))
        if not any(answer(self, stanza) for answer in self.answers) and is_request(stanza):
            self.send(refusal(stanza, stanza_error("service-unavailable")))

    def send(self, stanza: Element | str) -> None:
        """The client gets this."""
        if isinstance(stanza, str):
            stanza = parse_stored(stanza)
        self.router.resolve(stanza, parse_jid(stanza.get("from", str(self.jid.bare))), self.jid)

    def iqs(self, name: str) -> list[Element]:
        """The iqs that have gone out with this child."""
        return [iq for iq in self.sent if iq.tag == "iq" and iq[0].tag == name]


class _Streams:
    """The session, as the router knows it."""

    def __init__(self, server: AtServer) -> None:
        self._server = server

    def has(self, sender: JID) -> bool:
        return sender.bare == self._server.jid.bare

    def jid(self, sender: JID) -> JID:
        assert self.has(sender)
        return self._server.jid

    def stream(self, sender: JID) -> int:
        return 1

    def send(self, sender: JID, stanza: Element) -> None:
        self._server.write(stanza)
