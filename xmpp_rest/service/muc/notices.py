"""In which words does a room speak of its occupants and to them? (XEP-0045 §7, §8, §9, §10, §16)"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError, stanza_error
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


class Refused(Exception):
    """The room answers a stanza with this error."""

    def __init__(self, condition: str, text: str = "", kind: str = "") -> None:
        usual = stanza_error(condition, text)
        self.error: StanzaError = usual._replace(type=kind) if kind else usual
        super().__init__(f"{condition}: {text}")


class Item(NamedTuple):
    """What is said of an occupant."""

    affiliation: str
    role: str
    jid: JID | None = None
    nick: str = ""
    reason: str = ""
    actor: str = ""


def user_x(item: Item | None, codes: Iterable[str] = (), destroy: Element | None = None) -> Element:
    """The element that goes with presence and messages of the room."""
    x = child(f"{USER}x")
    if item is not None:
        x.append(item_element(USER, item))
    if destroy is not None:
        x.append(destroy)
    x.extend(child(f"{USER}status", code=code) for code in codes)
    return x


def item_element(namespace: str, item: Item) -> Element:
    attributes = {"affiliation": item.affiliation, "role": item.role, "jid": str(item.jid or ""), "nick": item.nick}
    element = child(f"{namespace}item", **{k: v for k, v in attributes.items() if v})
    if item.actor:
        element.append(child(f"{namespace}actor", nick=item.actor))
    if item.reason:
        element.append(child(f"{namespace}reason", item.reason))
    return element


def destroyed(reason: str, alternate: str = "", password: str = "") -> Element:
    """That the room is no more, and where to go instead (XEP-0045 §10.9)."""
    element = child(f"{USER}destroy", **({"jid": alternate} if alternate else {}))
    for name, text in (("reason", reason), ("password", password)):
        if text:
            element.append(child(f"{USER}{name}", text))
    return element


def direct_invitation(room: JID, to: str, reason: str, password: str) -> Element:
    """XEP-0249 §2."""
    attributes = {"jid": str(room), "reason": reason, "password": password}
    x = child(f"{{{CONFERENCE}}}x", **{k: v for k, v in attributes.items() if v})
    # a body is not said, but an archive should keep it: whoever is not online has to find it there
    return make("message", x, child(f"{{{HINTS}}}store"), from_=str(room), to_=to, id_=new_id())


def wrapped(room: JID, to: JID, node: str, stanza: Element) -> Element:
    """What a subscriber hears: the stanza as an item of a node, and the wish that an archive keeps what was said."""
    item = child(f"{EVENT}item", id=new_id())
    item.append(stanza)
    items = child(f"{EVENT}items", node=node)
    items.append(item)
    event = child(f"{EVENT}event")
    event.append(items)
    hints = [child(f"{{{HINTS}}}store")] if stanza.find("body") is not None else []
    return make("message", event, *hints, from_=str(room), to_=str(to), id_=new_id())


def said(stanza: Element, room: JID) -> list[Element]:
    """What somebody says in a message or presence, without what only the room says."""
    return [element for element in stanza if element.tag not in _OURS and not is_forged(element, room)]


def copied(stanza: Element, payload: Iterable[Element] | None = None, **attributes: str | None) -> Element:
    """A stanza with the same attributes but for these (written as for `make`), and the same children or others."""
    own: dict[str, str | None] = {f"{name}_": value for name, value in stanza.attrib.items()}
    return make(stanza.tag, *(stanza if payload is None else payload), **{**own, **attributes})
