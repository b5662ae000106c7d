"""Elements and stanzas that rooms send: items, status codes, invitations, pubsub wrappers (XEP-0045 §7, §8, §9, §10, §16)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CONFERENCE, HINTS, MUC, OCCUPANT_ID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.messages.forged import is_forged

USER = f"{{{MUC}#user}}"
ADMIN = f"{{{MUC}#admin}}"
OWNER = f"{{{MUC}#owner}}"
MUCSUB = "urn:xmpp:mucsub:0"  # ejabberd's subscriptions
NODES_PREFIX = "urn:xmpp:mucsub:nodes:"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
NODES = tuple(
    NODES_PREFIX + word for word in ("messages", "presence", "participants", "affiliations", "subject", "config", "system", "subscribers")
)

SELF, NON_ANONYMOUS, CREATED, NICK_CHANGED = "110", "100", "201", "210"
BANNED, RENAMED, KICKED, UNAFFILIATED, MEMBERS_ONLY, SHUTDOWN, FAILED = "301", "303", "307", "321", "322", "332", "333"
_OURS = frozenset((f"{{{MUC}}}x", f"{USER}x", f"{{{OCCUPANT_ID}}}occupant-id"))
CONFIGURED, NOW_NON_ANONYMOUS, NOW_ANONYMOUS = "104", "172", "173"


class OccupantItem(NamedTuple):
    """The `<item/>` about an occupant."""

    affiliation: str
    role: str
    jid: JID | None = None
    nick: str = ""
    reason: str = ""
    actor: str = ""


def user_x(item: OccupantItem | None, codes: Iterable[str] = (), destroy: Element | None = None) -> Element:
    """The `<x xmlns='…muc#user'/>` in presence and messages of the room."""
    items = [] if item is None else [item_element(USER, item)]
    ends = [] if destroy is None else [destroy]
    return make(f"{USER}x", *items, *ends, *(child(f"{USER}status", code=code) for code in codes))


def item_element(namespace: str, item: OccupantItem) -> Element:
    actor = [child(f"{namespace}actor", nick=item.actor)] if item.actor else []
    reason = [child(f"{namespace}reason", item.reason)] if item.reason else []
    attributes = {"affiliation": item.affiliation, "role": item.role, "jid": str(item.jid or ""), "nick": item.nick}
    return make(f"{namespace}item", *actor, *reason, **attributes)


def destroyed(reason: str, alternate: str = "", password: str = "") -> Element:
    """The `<destroy/>` element, with the alternate room (XEP-0045 §10.9)."""
    parts = {"reason": reason, "password": password}
    return make(f"{USER}destroy", *(child(f"{USER}{name}", text) for name, text in parts.items() if text), jid=alternate)


def direct_invitation(room: JID, to: str, reason: str, password: str) -> Element:
    """A direct invitation (XEP-0249 §2)."""
    x = make(f"{{{CONFERENCE}}}x", jid=str(room), reason=reason, password=password)
    # without a body, an archive keeps it only if told to: users who are offline have to find it there
    return make("message", x, child(f"{{{HINTS}}}store"), from_=str(room), to_=to, id_=new_id())


def wrapped(room: JID, to: JID, node: str, stanza: Element) -> Element:
    """The stanza as an item of a node for a subscriber, with the hint to archive it."""
    items = make(f"{EVENT}items", make(f"{EVENT}item", stanza, id=new_id()), node=node)
    hints = [child(f"{{{HINTS}}}store")] if stanza.find("body") is not None else []
    return make("message", make(f"{EVENT}event", items), *hints, from_=str(room), to_=str(to), id_=new_id())


def said(stanza: Element, room: JID) -> list[Element]:
    """The payload of a message or presence, without the elements that only the room may send."""
    return [element for element in stanza if element.tag not in _OURS and not is_forged(element, room)]
