"""The stanza handler of the MUC Light domain: messages, queries, discovery and blocking (XEP Multi-User Chat Light §3, §4.1, §4.5, §7)."""

from __future__ import annotations

from typing import Literal
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Handler, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, LAST, MAM, MUC, MUC_LIGHT, PING, RSM, VERSION
from xmpp_rest.protocol.stanza import child, is_answer, is_request, make, may_be_refused, refusal, result
from xmpp_rest.service.muclight.blocking import Blocked, Blocking
from xmpp_rest.service.muclight.muclight import MucLight
from xmpp_rest.service.muclight.notices import BLOCKING, CREATE
from xmpp_rest.service.muclight.queries import Answer, RoomQueries

NAME = "MUC Light"
PAGE = 200  # rooms in one answer to disco#items
_INFO, _ITEMS = f"{{{DISCO_INFO}}}query", f"{{{DISCO_ITEMS}}}query"
_SERVICE_FEATURES = (DISCO_INFO, DISCO_ITEMS, LAST, MUC_LIGHT, PING, VERSION)
_ROOM_FEATURES = (DISCO_INFO, DISCO_ITEMS, MAM, MUC_LIGHT)
_JOIN = f"{{{MUC}}}x"
_ACTIONS = {"deny": True, "allow": False}


class MucLightEntity:
    """A handler for the router. Queries that every entity answers are left to the last handler."""

    def __init__(self, rooms: MucLight, blocking: Blocking, archive: Handler) -> None:
        """`archive` answers queries to a room's archive; the permission is checked here."""
        self._rooms = rooms
        self._blocking = blocking
        self._archive = archive
        queries = RoomQueries(rooms)
        self._of_room: dict[tuple[str, str], Answer] = queries.answers | {("get", _INFO): self._room_info, ("get", _ITEMS): self._no_items}
        self._of_service: dict[tuple[str, str], Answer] = {
            ("get", _INFO): self._service_info,
            ("get", _ITEMS): self._service_items,
            ("get", f"{BLOCKING}query"): self._blocked,
            ("set", f"{BLOCKING}query"): self._block,
            ("set", f"{CREATE}query"): queries.create,
        }

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer, forward or refuse a stanza; NOT_MINE for iqs of other namespaces."""
        if stanza.tag == "message" and stanza.get("type") == "error":
            self._rooms.bounces.handle_error(stanza, sender)
            return None
        self._rooms.bounces.record_address(sender)
        if _is_join(stanza) and sender.domain != self._rooms.domain:
            return refusal(stanza, stanza_error("bad-request", "a room of this kind is not entered by presence"))
        if stanza.tag == "presence" or not may_be_refused(stanza) or is_answer(stanza):  # XEP §7.2
            return None
        if sender.domain == self._rooms.domain:  # rooms are not occupants of rooms: two of them would answer each other forever
            return refusal(stanza, stanza_error("item-not-found"))
        try:
            return self._message(stanza, sender, to) if stanza.tag == "message" else self._iq(stanza, sender, to)
        except GatewayError as e:
            return refusal(stanza, StanzaError(e.row.type, e.row.condition, e.text))

    def _message(self, message: Element, sender: JID, to: JID) -> Element | None:
        if message.get("type") != "groupchat" or not to.local or to.resource:  # XEP §7.3
            return refusal(message, stanza_error("bad-request", "a room takes messages of type groupchat to its bare address"))
        self._rooms.send_message(to.local, sender.bare, message)
        return None

    def _iq(self, iq: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if not is_request(iq) or to.resource:
            return NOT_MINE
        if len(iq) != 1:  # RFC 6120 §8.2.3
            return refusal(iq, stanza_error("bad-request", "an iq of type get or set has exactly one child"))
        answer = (self._of_room if to.local else self._of_service).get((iq.get("type", ""), iq[0].tag))
        if answer is not None:
            return result(iq, answer(iq, sender.bare, to.local))
        if not to.local:
            return NOT_MINE
        self._rooms.room(to.local, sender.bare)  # XEP §7.1: to others the room does not exist
        return self._archive(iq, sender, to)

    # -- service discovery

    def _service_info(self, iq: Element, asker: JID, name: str) -> Element:
        return _info(iq, NAME, _SERVICE_FEATURES)

    def _room_info(self, iq: Element, asker: JID, name: str) -> Element:
        return _info(iq, self._rooms.room(name, asker).config["roomname"], _ROOM_FEATURES)

    def _no_items(self, iq: Element, asker: JID, name: str) -> Element:
        self._rooms.room(name, asker)
        return child(_ITEMS)

    def _service_items(self, iq: Element, asker: JID, name: str) -> Element:
        """The rooms that the asker is in, paged by result set management (XEP §3.3, XEP-0059)."""
        _refuse_node(iq)
        rooms = sorted(self._rooms.occupied(asker), key=lambda room: str(room.jid))
        after = iq[0].findtext(f"{{{RSM}}}set/{{{RSM}}}after", "")
        rest = [room for room in rooms if str(room.jid) > after]
        shown = [child(f"{{{DISCO_ITEMS}}}item", jid=str(r.jid), name=r.config["roomname"], version=r.version) for r in rest[:PAGE]]
        pages = [_page([item.attrib["jid"] for item in shown], len(rooms) - len(rest), len(rooms))] if len(rest) > PAGE or after else []
        return make(_ITEMS, *shown, *pages)

    # -- blocking

    def _blocked(self, iq: Element, asker: JID, name: str) -> Element:
        return make(f"{BLOCKING}query", *(child(f"{BLOCKING}{what}", jid, action="deny") for what, jid in self._blocking.items(asker)))

    def _block(self, iq: Element, asker: JID, name: str) -> None:
        if not len(iq[0]):
            raise GatewayError("bad-room-change", "name at least one room or user")
        self._blocking.change(asker, dict(_blocking_item(item) for item in iq[0]))


def _is_join(stanza: Element) -> bool:
    """Whether the stanza tries to enter the room as if it were one of XEP-0045 (§7.2.1)."""
    return stanza.tag == "presence" and stanza.get("type") is None and stanza.find(_JOIN) is not None


def _info(iq: Element, name: str, features: tuple[str, ...]) -> Element:
    _refuse_node(iq)
    identity = child(f"{{{DISCO_INFO}}}identity", category="conference", type="text", name=name)
    return make(_INFO, identity, *(child(f"{{{DISCO_INFO}}}feature", var=feature) for feature in features))


def _refuse_node(iq: Element) -> None:
    if iq[0].get("node"):  # XEP-0030 §3.2
        raise GatewayError("room-unknown", "there are no nodes")


def _page(names: list[str], index: int, count: int) -> Element:
    ends = [child(f"{{{RSM}}}first", names[0], index=str(index)), child(f"{{{RSM}}}last", names[-1])] if names else []
    return make(f"{{{RSM}}}set", *ends, child(f"{{{RSM}}}count", str(count)))


def _blocking_item(item: Element) -> tuple[Blocked, bool]:
    kinds: dict[str, Literal["room", "user"]] = {f"{BLOCKING}room": "room", f"{BLOCKING}user": "user"}
    kind, deny = kinds.get(item.tag), _ACTIONS.get(item.get("action", ""))
    if kind is None or deny is None:
        raise GatewayError("bad-room-change", "write <room action='deny|allow'>address</room>, or <user …>")
    try:
        return Blocked(kind, parse_jid((item.text or "").strip()).bare), deny
    except InvalidJID as e:
        raise GatewayError("bad-room-change", f"{item.text!r} is not an address: {e}") from e
