"""Service discovery of the conference domain and its rooms (XEP-0045 §6, XEP-0030, XEP-0128)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, LAST, MAM, MUC, PING, REGISTER, RSM, VERSION
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.muc.nicks import Nicks
from xmpp_rest.service.muc.notices import MUCSUB
from xmpp_rest.service.muc.room import Room
from xmpp_rest.service.muc.rooms import MucRooms

NAME = "Chatrooms"
PAGE = 200  # rooms in one answer
RESERVED_NICK = "x-roomuser-item"  # node, XEP-0045 §7.12: which nick is reserved for the asker
_INFO, _ITEMS = f"{{{DISCO_INFO}}}", f"{{{DISCO_ITEMS}}}"
_SERVICE = (DISCO_INFO, DISCO_ITEMS, LAST, MUC, MUCSUB, PING, REGISTER, RSM, VERSION)
_ROOM = (DISCO_INFO, DISCO_ITEMS, MUC, f"{MUC}#stable_id", f"{MUC}#self-ping-optimization", f"{MUC}#request")
# option → the feature if it is true, and if it is false (XEP-0045 §15.3)
_FEATURES = {
    "public": ("muc_public", "muc_hidden"),
    "members_only": ("muc_membersonly", "muc_open"),
    "moderated": ("muc_moderated", "muc_unmoderated"),
    "anonymous": ("muc_semianonymous", "muc_nonanonymous"),
    "password_protected": ("muc_passwordprotected", "muc_unsecured"),
    "persistent": ("muc_persistent", "muc_temporary"),
}


class Disco:
    """Answers disco#info and disco#items. Raises StanzaRefused, GatewayError, StorageError."""

    def __init__(self, rooms: MucRooms, nicks: Nicks) -> None:
        self._rooms = rooms
        self._nicks = nicks

    def service_info(self, iq: Element, asker: JID, name: str) -> Element:
        _refuse_node(iq)
        return _info(NAME, _SERVICE)

    def service_items(self, iq: Element, asker: JID, name: str) -> Element:
        """The public rooms, paged by result set management (XEP-0059)."""
        _refuse_node(iq)
        after = iq[0].findtext(f"{{{RSM}}}set/{{{RSM}}}after", "")
        items: list[Element] = []
        for room in self._rooms.views(self._rooms.names_after(after.partition("@")[0])):
            if room.on("public") or room.is_present(asker.bare):
                items.append(_item(room))
            if len(items) == PAGE:
                break
        pages = [_page([item.attrib["jid"] for item in items])] if after or len(items) == PAGE else []
        return make(f"{_ITEMS}query", *items, *pages)

    def room_info(self, iq: Element, asker: JID, name: str) -> Element:
        node = iq[0].get("node", "")
        with self._rooms.held(name) as room:
            if node == RESERVED_NICK:
                return _info(self._nicks.of(asker.bare), (), node)
            _refuse_node(iq)
            features = [pair[not room.on(option)] for option, pair in _FEATURES.items()]
            optional = [f for f, on in ((MAM, room.on("mam")), (MUCSUB, room.on("allow_subscription"))) if on]
            return _info(room.options["title"] or name, (*_ROOM, *features, *optional), "", _details(room, self._rooms.history.size))

    def room_items(self, iq: Element, asker: JID, name: str) -> Element:
        """The occupants, if the list is public or the asker is one of them (§6.5)."""
        _refuse_node(iq)
        with self._rooms.held(name) as room:
            shown = room.occupants.values() if room.on("public_list") or room.is_present(asker.bare) else ()
            return make(f"{_ITEMS}query", *(child(f"{_ITEMS}item", jid=f"{room.jid}/{o.nick}", name=o.nick) for o in shown))


def _item(room: Room) -> Element:
    title = room.options["title"] or room.jid.local
    return child(f"{_ITEMS}item", jid=str(room.jid), name=f"{title} ({len(room.occupants)})")


def _info(name: str, features: tuple[str, ...], node: str = "", *forms: Element) -> Element:
    identity = make(f"{_INFO}identity", category="conference", type="text", name=name)
    found = [child(f"{_INFO}feature", var=feature) for feature in sorted(features)]
    return make(f"{_INFO}query", identity, *found, *forms, node=node)


def _details(room: Room, history: int) -> Element:
    """The form of XEP-0045 §15.5.4."""
    rows = {
        "FORM_TYPE": f"{MUC}#roominfo",
        "muc#roomconfig_roomname": room.options["title"],
        "muc#roominfo_description": room.options["description"],
        "muc#roominfo_lang": room.options["lang"],
        "muc#roominfo_occupants": str(len(room.occupants)),
        "muc#roominfo_subject": room.options["subject"],
        "muc#roominfo_subjectmod": str(int(room.on("allow_change_subj"))),
        "muc#roominfo_pubsub": room.options["pubsub"],
        "muc#maxhistoryfetch": str(history),
    }
    fields = [field(value, var=var, type="hidden" if var == "FORM_TYPE" else "") for var, value in rows.items()]
    return make(f"{FORM}x", *fields, type="result")


def _refuse_node(iq: Element) -> None:
    if iq[0].get("node"):  # XEP-0030 §3.2
        raise StanzaRefused("item-not-found", "there is no such node")


def _page(addresses: list[str]) -> Element:
    ends = zip(("first", "last"), (addresses[0], addresses[-1]), strict=True) if addresses else ()
    return make(f"{{{RSM}}}set", *(child(f"{{{RSM}}}{name}", address) for name, address in ends))
