"""A service of rooms of MUC Light, scripted from its protocol (XEP Multi-User Chat Light §3-§5), as MongooseIM has it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tests.service.sessions.at_server import Speaks
from tests.service.sessions.fake_archive import BEGAN, FakeArchive
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, MAM, RSM
from xmpp_rest.protocol.stanza import child, copied, make, refusal, result

NS = "urn:xmpp:muclight:0"
_INFO, _ITEMS, _SET = f"{{{DISCO_INFO}}}query", f"{{{DISCO_ITEMS}}}query", f"{{{RSM}}}set"


class LightRoom:
    """What the service keeps of a room."""

    def __init__(self, jid: JID, config: dict[str, str], users: dict[str, str]) -> None:
        self.config = {"roomname": "Untitled", "subject": ""} | config
        self.users = users
        self.archive = FakeArchive(jid)
        self.version = "v1"


class FakeMucLight:
    """`domain`: of the accounts; the service is below it."""

    def __init__(self, domain: str = "montague.example", page: int = 100) -> None:
        self.domain = domain
        self.service = f"muclight.{domain}"
        self.others = ["upload.montague.example", "rooms.montague.example"]
        self.features = [NS, DISCO_INFO]
        self.page = page
        self.rooms: dict[str, LightRoom] = {}
        self.asked = 0
        """How often it was asked what there is."""
        self.refusals: dict[str, str] = {}
        """Child of an iq → the condition that answers it."""

    def make(self, name: str, *users: str, **config: str) -> LightRoom:
        """A room; the first of these is its owner."""
        affiliations = dict.fromkeys(users, "member") | {users[0]: "owner"}
        self.rooms[name] = LightRoom(JID(name, self.service, ""), config, affiliations)
        return self.rooms[name]

    def __call__(self, client: Speaks, stanza: Element) -> bool:
        """Answer what is asked of the domain, of the service, and of its rooms."""
        to = jid_or_none(stanza.get("to"))
        if to is None or (str(to) not in (self.domain, self.service, *self.others) and to.domain != self.service):
            return False
        if stanza.tag == "message":
            self._said(client, stanza, to)
        elif stanza.get("type") in ("get", "set"):
            self._iq(client, stanza, to)
        return True

    def _said(self, client: Speaks, message: Element, to: JID) -> None:
        room, sender = self.rooms.get(to.local), str(client.jid.bare)
        if room is None or sender not in room.users:
            client.send(refusal(message, stanza_error("item-not-found")))
            return
        said = copied(message, from_=f"{to}/{sender}", to_=sender)
        room.archive.keep(said, BEGAN + len(room.archive.items))
        client.send(said)

    def _iq(self, client: Speaks, iq: Element, to: JID) -> None:
        name = iq[0].tag.removeprefix("{").replace("}", " ")
        condition = self.refusals.get(name.partition(" ")[0].rpartition("#")[2])
        if condition is not None:
            client.send(refusal(iq, stanza_error(condition)))
        elif iq[0].tag == f"{{{MAM}}}query":
            if (room := self._of(client, to)) is None or not room.archive(client, iq):
                client.send(refusal(iq, stanza_error("item-not-found")))
        else:
            answer = self._answer(client, iq, to)
            client.send(result(iq, answer) if isinstance(answer, Element) or answer is None else refusal(iq, stanza_error(answer)))

    def _of(self, client: Speaks, to: JID) -> LightRoom | None:
        room = self.rooms.get(to.local)
        return room if room is not None and str(client.jid.bare) in room.users else None

    def _answer(self, client: Speaks, iq: Element, to: JID) -> Element | str | None:
        kind, tag = iq.get("type"), iq[0].tag
        if tag == _ITEMS:
            return self._items(iq, client) if str(to) == self.service else self._services()
        if tag == _INFO:
            features = self.features if str(to) == self.service else ["other"]
            return make(_INFO, *(child(f"{{{DISCO_INFO}}}feature", var=name) for name in features))
        if (kind, tag) == ("set", f"{{{NS}#create}}query"):
            return self._created(client, iq[0], to)
        room = self._of(client, to)
        if room is None:
            return "item-not-found"
        owner = room.users[str(client.jid.bare)] == "owner"
        if (kind, tag) == ("get", f"{{{NS}#configuration}}query"):
            return self._told(room, "configuration", *self._fields(room, "configuration"))
        if (kind, tag) == ("get", f"{{{NS}#info}}query"):
            users = [child(f"{{{NS}#info}}user", user, affiliation=what) for user, what in room.users.items()]
            parts = make(f"{{{NS}#info}}configuration", *self._fields(room, "info")), make(f"{{{NS}#info}}occupants", *users)
            return self._told(room, "info", *parts)
        if not owner and not (tag == f"{{{NS}#affiliations}}query" and iq[0][0].text == str(client.jid.bare)):
            return "not-allowed"
        if tag == f"{{{NS}#configuration}}query":
            room.config |= {field.tag.rpartition("}")[2]: field.text or "" for field in iq[0]}
            return None
        for user in iq[0]:
            if room.users.get(user.text or "", "none") == user.get("affiliation"):
                return "bad-request"
            room.users[user.text or ""] = user.attrib["affiliation"]
        room.users = {user: what for user, what in room.users.items() if what != "none"}
        return None

    def _created(self, client: Speaks, query: Element, to: JID) -> str | None:
        if to.local in self.rooms:
            return "conflict"
        fields = query.find(f"{{{NS}#create}}configuration")
        users = [user.text or "" for user in query.iter(f"{{{NS}#create}}user")]
        config = {} if fields is None else {field.tag.rpartition("}")[2]: field.text or "" for field in fields}
        if not config.keys() <= {"roomname", "subject"}:
            return "bad-request"
        self.make(to.local, str(client.jid.bare), *users, **config)
        return None

    @staticmethod
    def _fields(room: LightRoom, part: str) -> list[Element]:
        return [child(f"{{{NS}#{part}}}{name}", value) for name, value in room.config.items()]

    @staticmethod
    def _told(room: LightRoom, part: str, *payload: Element) -> Element:
        return make(f"{{{NS}#{part}}}query", child(f"{{{NS}#{part}}}version", room.version), *payload)

    def _services(self) -> Element:
        self.asked += 1
        return make(_ITEMS, *(child(f"{{{DISCO_ITEMS}}}item", jid=jid) for jid in (*self.others, self.service)))

    def _items(self, iq: Element, client: Speaks) -> Element:
        own = sorted(name for name, room in self.rooms.items() if str(client.jid.bare) in room.users)
        after = parse_jid(iq[0].findtext(f"{_SET}/{{{RSM}}}after", f"{self.service}")).local
        shown = [name for name in own if name > after][: self.page]
        jids = [f"{name}@{self.service}" for name in shown]
        items = [
            child(f"{{{DISCO_ITEMS}}}item", jid=jid, name=self.rooms[name].config["roomname"], version="v1")
            for name, jid in zip(shown, jids, strict=True)
        ]
        bounds = [child(f"{{{RSM}}}last", jids[-1])] if jids else []
        return make(_ITEMS, *items, make(_SET, *bounds, child(f"{{{RSM}}}count", str(len(own)))))
