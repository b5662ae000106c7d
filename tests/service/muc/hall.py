"""Clients of other servers in rooms, for tests: stanzas enter through the router, and what leaves is sorted by recipient."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from flask import Flask

from tests.conftest import DOMAIN
from tests.link.fake import attach
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.router import Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.muc.conference import Conference

SERVICE = f"conference.{DOMAIN}"
ROOM = f"balcony@{SERVICE}"
ROMEO, JULIET, NURSE, TYBALT = (
    "romeo@montague.example/orchard",
    "juliet@verona.example/window",
    "nurse@verona.example/kitchen",
    "tybalt@verona.example/street",
)
NICKS = {ROMEO: "Romeo", JULIET: "Juliet", NURSE: "Nurse", TYBALT: "Tybalt"}
USER = "{http://jabber.org/protocol/muc#user}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
ERRORS = "{urn:ietf:params:xml:ns:xmpp-stanzas}"


class Hall:
    """A gateway, and an inbox for every address at other domains."""

    def __init__(self, app: Flask) -> None:
        self.gateway: Gateway = app.extensions["gateway"]
        self.gateway.start()
        self.inbox: dict[str, list[Element]] = defaultdict(list)
        self.refused: dict[str, str] = {}  # addresses that cannot be reached
        attach(self.gateway.parts.router, self._out)

    def _out(self, _: str, stanza: Element) -> None:
        self.inbox[stanza.attrib["to"]].append(parse_text(serialise(stanza)))

    @property
    def rooms(self) -> Conference:
        assert self.gateway.parts.conference
        return self.gateway.parts.conference

    def send(self, sender: str, xml: str) -> Element | None:
        """A stanza comes in; the answer."""
        stanza = parse_text(xml)
        stanza.set("from", sender)
        answer = self.gateway.parts.router.deliver(stanza, parse_jid(sender), parse_jid(stanza.attrib["to"]))
        assert not isinstance(answer, Unhandled)
        return answer

    def presence(self, sender: str, nick: str = "", inner: str = MUC, kind: str = "", room: str = ROOM) -> Element | None:
        what = f" type='{kind}'" if kind else ""
        return self.send(sender, f"<presence id='p1' to='{room}/{nick or NICKS[sender]}'{what}>{inner}</presence>")

    def enter(self, *senders: str, room: str = ROOM) -> None:
        """They come in, and their inboxes are emptied."""
        for sender in senders:
            assert self.presence(sender, room=room) is None
        self.inbox.clear()

    def leave(self, sender: str, room: str = ROOM) -> None:
        assert self.presence(sender, inner="", kind="unavailable", room=room) is None

    def say(self, sender: str, body: str, inner: str = "", room: str = ROOM, kind: str = "groupchat") -> Element | None:
        text = f"<body>{escape(body)}</body>" if body else ""
        return self.send(sender, f"<message to='{room}' type='{kind}' id='m1'>{text}{inner}</message>")

    def iq(self, sender: str, payload: str, kind: str = "set", to: str = ROOM) -> Element:
        """The answer to an iq."""
        answer = self.send(sender, f"<iq to='{to}' type='{kind}' id='i1'>{payload}</iq>")
        assert answer is not None
        assert (answer.get("id"), answer.get("to")) == ("i1", sender)
        return answer

    def admin(self, sender: str, *items: str, kind: str = "set") -> Element:
        return self.iq(sender, f"<query xmlns='http://jabber.org/protocol/muc#admin'>{''.join(items)}</query>", kind)

    def configure(self, sender: str = ROMEO, **fields: str) -> Element:
        """Submit the form; `membersonly="1"` names muc#roomconfig_membersonly."""
        rows = "".join(f"<field var='muc#roomconfig_{k}'><value>{v}</value></field>" for k, v in fields.items())
        form = f"<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>{rows}</x>"
        return self.iq(sender, f"<query xmlns='http://jabber.org/protocol/muc#owner'>{form}</query>")

    def take(self, who: str, tag: str = "") -> list[Element]:
        """What came for somebody since the last time, of one kind."""
        came = self.inbox.pop(who, [])
        return [stanza for stanza in came if not tag or stanza.tag == tag]


def error(stanza: Element | None) -> tuple[str, str]:
    """Type and condition of a refusal."""
    assert stanza is not None
    assert stanza.get("type") == "error", serialise(stanza)
    found = stanza.find("error")
    assert found is not None
    return found.get("type", ""), next(c.tag.removeprefix(ERRORS) for c in found if c.tag != f"{ERRORS}text")


def codes(stanza: Element) -> set[str]:
    """The status codes that a stanza of a room carries."""
    return {status.get("code", "") for status in stanza.iter(f"{USER}status")}


def item(stanza: Element) -> dict[str, Any]:
    """The attributes of the item in a presence."""
    found = stanza.find(f"{USER}x/{USER}item")
    return {} if found is None else dict(found.attrib)


def bodies(stanzas: list[Element]) -> list[str]:
    return [body for s in stanzas if (body := s.findtext("body")) is not None]


def from_nicks(stanzas: list[Element]) -> Iterator[str]:
    return (s.attrib["from"].partition("/")[2] for s in stanzas)
