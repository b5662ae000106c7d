"""Rooms of another server behind a scripted stream: they answer by rules that a test may change, and remember what came."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from tests.conftest import DOMAIN, MakeApp, register_users
from tests.link.attached import until
from tests.link.network import Network, attached
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, MUC, MUC_USER, PING, STANZA_ERRORS
from xmpp_rest.protocol.stanza import child, copied, make, refusal, result
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.store import RoomStore
from xmpp_rest.service.rooms.values import RoomPlace, RoomView, Wish

SERVICE = "conference.montague.example"
ROOM = f"garden@{SERVICE}"
ACTOR = parse_jid(f"juliet@{DOMAIN}")
_INFO = f"{{{DISCO_INFO}}}query"


def status(*codes: str, **item: str) -> Element:
    """The element of muc#user with these codes; `nick` and so on: of its item."""
    about = make(f"{{{MUC_USER}}}item", affiliation=item.pop("affiliation", "none"), role=item.pop("role", "participant"), **item)
    return make(f"{{{MUC_USER}}}x", about, *(child(f"{{{MUC_USER}}}status", code=code) for code in codes))


class ScriptedRoom:
    """Rules: `join`, `message`, `ping`, `info` answer with a condition, None for as it should be, or "" for silence."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.occupants: dict[str, str] = {"other@montague.example/x": "other"}  # full address → nick
        self.features = [MUC, "muc_persistent"]
        self.rules: dict[str, Callable[[Element], str | None]] = {}
        self.created: tuple[str, ...] = ()
        self.has_subject = True
        self.given_nick = ""
        self.exists = True

    def rule(self, kind: str, stanza: Element) -> str | None:
        rule = self.rules.get(kind)
        return None if rule is None else rule(stanza)


class ScriptedService:
    """The service of the rooms. `served`: the domain of those who hear what is said there."""

    def __init__(self, served: str) -> None:
        self.rooms = {ROOM: ScriptedRoom(ROOM)}
        self.served = served

    def answers(self, stanza: Element) -> list[Element]:
        """What comes back for this, from the rooms."""
        to = parse_jid(stanza.get("to", DOMAIN))
        if to.domain != SERVICE or stanza.get("type") in ("error", "result"):
            return []
        room = self.rooms.get(str(to.bare))
        if stanza.tag == "iq":
            return self._iq(stanza, to, room)
        if room is None and stanza.get("type") is None:
            room = self.rooms[str(to.bare)] = ScriptedRoom(str(to.bare))
            room.occupants.clear()
            room.created = ("201",)
        if room is None:
            return [refusal(stanza, stanza_error("item-not-found"))] if stanza.get("type") != "unavailable" else []
        return self._presence(stanza, to, room) if stanza.tag == "presence" else self._message(stanza, room)

    def _iq(self, stanza: Element, to: JID, room: ScriptedRoom | None) -> list[Element]:
        if room is None:
            return [refusal(stanza, stanza_error("item-not-found"))]
        if stanza.find(_INFO) is not None:
            return self._ruled(stanza, room, "info") or [self._info(stanza, room)]
        if stanza.find(f"{{{PING}}}ping") is not None:
            is_in = room.occupants.get(stanza.attrib["from"]) == to.resource
            return self._ruled(stanza, room, "ping") or [result(stanza) if is_in else refusal(stanza, stanza_error("not-acceptable"))]
        return self._ruled(stanza, room, "iq") or [result(stanza)]

    def _ruled(self, stanza: Element, room: ScriptedRoom, kind: str) -> list[Any]:
        condition = room.rule(kind, stanza)
        if condition is None:
            return []
        return (
            [refusal(stanza, stanza_error(condition))]
            if condition
            else [make("presence", from_=SERVICE, to_=f"nobody@{DOMAIN}", type_="probe")]
        )

    def _info(self, stanza: Element, room: ScriptedRoom) -> Element:
        identity = child(f"{{{DISCO_INFO}}}identity", category="conference", type="text", name="Garden")
        return result(stanza, make(_INFO, identity, *(child(f"{{{DISCO_INFO}}}feature", var=feature) for feature in room.features)))

    def _presence(self, stanza: Element, to: JID, room: ScriptedRoom) -> list[Element]:
        sender = stanza.attrib["from"]
        if stanza.get("type") == "unavailable":
            nick = room.occupants.pop(sender, None)
            return (
                []
                if nick is None
                else [make("presence", status("110", role="none"), type_="unavailable", from_=f"{room.name}/{nick}", to_=sender)]
            )
        if ruled := self._ruled(stanza, room, "join"):
            return ruled
        if (before := room.occupants.get(sender)) not in (None, to.resource):
            return self._renamed(sender, str(before), to.resource, room)
        if to.resource in room.occupants.values() and before is None:
            return [refusal(stanza, stanza_error("conflict"))]
        nick = room.occupants[sender] = room.given_nick or to.resource
        caps = make("presence", child("{http://jabber.org/protocol/caps}c", node="x", ver="y", hash="sha-1"), from_=room.name, to_=sender)
        others = [make("presence", status(), from_=f"{room.name}/{n}", to_=sender) for o, n in room.occupants.items() if o != sender]
        own = make(
            "presence", status("110", *room.created, *(("210",) if room.given_nick else ())), from_=f"{room.name}/{nick}", to_=sender
        )
        room.created = ()
        subject = [make("message", child("subject", "Tonight"), type_="groupchat", from_=f"{room.name}/other", to_=sender)]
        return [caps, *others, own, *(subject if room.has_subject else [])]

    @staticmethod
    def _renamed(sender: str, before: str, after: str, room: ScriptedRoom) -> list[Element]:
        if after in room.occupants.values():
            return [make("presence", child("error", type="cancel"), type_="error", from_=f"{room.name}/{after}", to_=sender)]
        room.occupants[sender] = after
        gone = make("presence", status("110", "303", nick=after), type_="unavailable", from_=f"{room.name}/{before}", to_=sender)
        return [gone, make("presence", status("110"), from_=f"{room.name}/{after}", to_=sender)]

    def _message(self, stanza: Element, room: ScriptedRoom) -> list[Element]:
        sender = stanza.attrib["from"]
        if ruled := self._ruled(stanza, room, "message"):
            return ruled
        if sender not in room.occupants:
            return [refusal(stanza, stanza_error("not-acceptable"))]
        return [
            copied(stanza, from_=f"{room.name}/{room.occupants[sender]}", to_=to)
            for to in room.occupants
            if parse_jid(to).domain == self.served
        ]


class Scripted(ScriptedService):
    """The gateway and the rooms."""

    def __init__(self, make_app: MakeApp, network: Network) -> None:
        super().__init__(DOMAIN)
        self._make_app = make_app
        self.network = network
        self.came: list[Element] = []
        self.gateway: Gateway | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._is_over = False
        self._is_idle = False

    def start(self, **settings: str) -> Scripted:
        self.gateway = self._attached(**settings)
        self._thread.start()
        return self

    def _attached(self, **settings: str) -> Gateway:
        return attached(lambda **given: register_users(self._make_app(**given)), self.network, **settings)

    def stop_gateway(self) -> None:
        """Stop, and return once all that it has sent was taken."""
        assert self.gateway is not None
        self.gateway.stop()
        until(lambda: self._is_idle)

    def again(self, **settings: str) -> None:
        """Start another gateway, where the accounts are there already."""
        self.gateway = attached(self._make_app, self.network, **settings)

    def stop(self) -> None:
        self._is_over = True
        if self.gateway is not None:
            self.gateway.stop()
            self._thread.join(10)

    @property
    def store(self) -> RoomStore:
        assert self.gateway is not None
        return RoomStore(self.gateway.driver, DOMAIN, self.gateway.incidents)

    @property
    def memberships(self) -> Memberships:
        assert self.gateway is not None
        return self.gateway.parts.memberships

    def place(self, room: str = ROOM, actor: JID = ACTOR) -> RoomPlace:
        return self.memberships.place(actor, parse_jid(room))

    # -- what tests do

    def enter(self, wish: Wish = Wish(), room: str = ROOM, seconds: float = 30) -> RoomRefused | None:  # noqa: B008  # it does not change
        told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
        self.memberships.enter(self.place(room), wish, told.put)
        return told.get(timeout=seconds)

    def view(self, room: str = ROOM) -> RoomView | None:
        return self.memberships.view(self.place(room))

    def until_state(self, state: str, room: str = ROOM) -> RoomView:
        until(lambda: (view := self.view(room)) is not None and view.state == state)
        view = self.view(room)
        assert view is not None
        return view

    def say(self, *stanzas: Element) -> None:
        for stanza in stanzas:
            self.network.send(serialise(stanza), DOMAIN)

    def put_out(self, *codes: str, room: str = ROOM, x: Element | None = None) -> None:
        """The room sends its occupant out."""
        occupant = str(self.place(room).occupant)
        nick = self.rooms[room].occupants.pop(occupant)
        self.say(
            make("presence", x if x is not None else status(*codes, role="none"), type_="unavailable", from_=f"{room}/{nick}", to_=occupant)
        )

    def presences(self, kind: str | None = None) -> list[Element]:
        return [stanza for stanza in list(self.came) if stanza.tag == "presence" and stanza.get("type") == kind]

    # -- the other server

    def _serve(self) -> None:
        while not self._is_over:
            try:
                stanza = self.network.next(0.2)
            except queue.Empty:
                self._is_idle = True
                continue
            self._is_idle = False
            self.came.append(stanza)
            try:
                self.say(*self.answers(stanza))
            except AssertionError:  # the stream has ended meanwhile
                continue


def gone_x(jid: str = "", reason: str = "") -> Element:
    """The element of a presence by which a room is destroyed."""
    destroy = make(f"{{{MUC_USER}}}destroy", *([child(f"{{{MUC_USER}}}reason", reason)] if reason else []), jid=jid or None)
    return make(f"{{{MUC_USER}}}x", make(f"{{{MUC_USER}}}item", affiliation="none", role="none"), destroy)


def error_presence(room: str, nick: str, to: str, condition: str, text: str = "") -> Element:
    """A presence of type error."""
    told = [child(f"{{{STANZA_ERRORS}}}text", text)] if text else []
    error = make("error", child(f"{{{STANZA_ERRORS}}}{condition}"), *told, type="cancel")
    return make("presence", error, type_="error", from_=f"{room}/{nick}", to_=to)
