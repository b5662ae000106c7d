"""Other servers, as far as hooks see them: they take messages, tell what addresses are, and have rooms."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from tests.link.fake import attach
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, MUC, MUC_USER, STANZA_ID
from xmpp_rest.protocol.stanza import child, copied, make, refusal, result

INFO = f"{{{DISCO_INFO}}}query"
ROOM = "ward@rooms.montague.example"


class Network:
    """Answers on the thread that sends, so that tests wait for nothing. `silent`: who does not answer at all."""

    def __init__(self, router: Router) -> None:
        self.sent: list[Element] = []
        self.rooms = {ROOM: Room(ROOM)}
        self.light: set[str] = set()
        self.refused: dict[str, str] = {}
        """Recipient → condition by which it refuses messages."""
        self.silent: set[str] = set()
        self._router = router
        attach(router, lambda _, stanza: self.take(stanza))

    @property
    def messages(self) -> list[Element]:
        return [stanza for stanza in self.sent if stanza.tag == "message"]

    def presences(self, kind: str | None = None) -> list[Element]:
        return [stanza for stanza in self.sent if stanza.tag == "presence" and stanza.get("type") == kind]

    def take(self, stanza: Element) -> None:
        self.sent.append(stanza)
        to = parse_jid(stanza.attrib["to"])
        if str(to.bare) in self.silent:
            return
        for answer in self.answers(stanza, to):
            self.say(answer)

    def say(self, stanza: Element) -> None:
        sender, to = parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"])
        if not self._router.resolve(stanza, sender, to):
            self.answered = self._router.deliver(stanza, sender, to)

    def answers(self, stanza: Element, to: JID) -> list[Element]:
        name = str(to.bare)
        if stanza.tag == "iq":
            return [self.info(stanza, name)] if stanza.find(INFO) is not None else self.owner(stanza, name)
        if name in self.refused:
            return [refusal(stanza, stanza_error(self.refused[name]))] if stanza.tag == "message" else []
        if name in self.light:
            return [refusal(stanza, stanza_error("bad-request"))] if stanza.tag == "presence" and stanza.get("type") is None else []
        if "@rooms." not in name or (name not in self.rooms and stanza.get("type") == "unavailable"):
            return []
        known = name in self.rooms
        room = self.rooms.setdefault(name, Room(name))
        return room.take(stanza, to, created=not known)

    def info(self, iq: Element, name: str) -> Element:
        if name not in self.rooms and name not in self.light:
            return refusal(iq, stanza_error("service-unavailable"))
        features = ["urn:xmpp:muclight:0"] if name in self.light else [MUC]
        identity = child(f"{{{DISCO_INFO}}}identity", category="conference", type="text")
        return result(iq, make(INFO, identity, *(child(f"{{{DISCO_INFO}}}feature", var=feature) for feature in features)))

    def owner(self, iq: Element, name: str) -> list[Element]:
        del self.rooms[name]
        return [result(iq)]


class Room:
    """A room of XEP-0045."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.occupants: dict[str, str] = {}  # full address → nick
        self.taken: set[str] = set()
        self.refuses: Callable[[Element], str | None] = lambda _: None
        self.says = ""
        """The text of its errors."""
        self.ids = True
        self.said = 0

    def take(self, stanza: Element, to: JID, *, created: bool) -> list[Element]:
        sender = stanza.attrib["from"]
        if (condition := self.refuses(stanza)) is not None:
            return [refusal(stanza, stanza_error(condition, self.says))]
        if stanza.tag == "message":
            return self.message(stanza, sender)
        if stanza.get("type") == "unavailable":
            return [self.presence(sender, "unavailable")] if sender in self.occupants else []
        if to.resource in self.taken:
            return [refusal(stanza, stanza_error("conflict"))]
        self.occupants[sender] = to.resource
        return [self.presence(sender, None, *(("201",) if created else ())), self.subject(sender)]

    def message(self, stanza: Element, sender: str) -> list[Element]:
        if sender not in self.occupants:
            return [refusal(stanza, stanza_error("not-acceptable"))]
        self.said += 1
        stamp = [child(f"{{{STANZA_ID}}}stanza-id", by=self.name, id=f"s{self.said}")] if self.ids else []
        return [copied(stanza, [*stanza, *stamp], from_=f"{self.name}/{self.occupants[sender]}", to_=to) for to in self.occupants]

    def subject(self, to: str) -> Element:
        return make("message", child("subject"), type_="groupchat", from_=self.name, to_=to)

    def presence(self, to: str, kind: str | None, *codes: str, reason: str = "", **by: str) -> Element:
        """The presence of an occupant to itself; unavailable, it is not one any more."""
        nick = self.occupants[to] if kind is None else self.occupants.pop(to)
        why = [child(f"{{{MUC_USER}}}actor", **by)] if by else []
        why += [child(f"{{{MUC_USER}}}reason", reason)] if reason else []
        item = make(f"{{{MUC_USER}}}item", *why, affiliation="none", role="none")
        x = make(f"{{{MUC_USER}}}x", item, *(child(f"{{{MUC_USER}}}status", code=code) for code in (*codes, "110")))
        return make("presence", x, type_=kind, from_=f"{self.name}/{nick}", to_=to)
