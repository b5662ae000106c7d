"""Privacy lists: reads, writes and evaluates the rules of a list (XEP-0016). Nothing is stored here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import PRIVACY
from xmpp_rest.protocol.stanza import child

MESSAGE, IQ, PRESENCE_IN, PRESENCE_OUT = "message", "iq", "presence-in", "presence-out"
WAYS = (MESSAGE, IQ, PRESENCE_IN, PRESENCE_OUT)
"""The stanzas to which a rule may be limited (XEP-0016 §2.1): incoming ones, and outgoing presence."""
OTHER = ""
"""Other stanzas (outgoing messages and iqs, subscriptions), which only rules without a limit cover."""
ITEM = f"{{{PRIVACY}}}item"
_WAY_OF = {f"{{{PRIVACY}}}{way}": way for way in WAYS}
ACTIONS = {"allow": True, "deny": False}
SUBSCRIPTIONS = ("both", "to", "from", "none")
MAX_ITEMS = 1000
MAX_ORDER = 2**32 - 1  # xs:unsignedInt
MAX_VALUE = 3071  # bytes of an address (RFC 6122 §2.1)


class PrivacyError(ValueError):
    """The stanza error condition with which a privacy query is refused (RFC 6120 §8.3.3); the sentence says why."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition


@dataclass(frozen=True, slots=True)
class PrivacyItem:
    """One rule. `kind`: jid, group, subscription, or "" for everybody; `ways`: those of WAYS that it covers; empty: all stanzas."""

    order: int
    allow: bool
    kind: str = ""
    value: str = ""
    ways: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Peer:
    """The other party of a stanza, and its entry in the account's roster."""

    jid: JID
    subscription: str = "none"
    groups: Collection[str] = ()


def _is_at(value: str, peer: Peer) -> bool:
    """Whether `value` covers the peer: user@domain/resource, user@domain, domain/resource, or a domain and its subdomains (§2.1)."""
    jid = peer.jid
    return value in (str(jid), str(jid.bare), jid.domain) or jid.domain.endswith(f".{value}")


MATCHES: Mapping[str, Callable[[str, Peer], bool]] = {
    "": lambda _, __: True,
    "jid": _is_at,
    "group": lambda value, peer: value in peer.groups,
    "subscription": lambda value, peer: value == peer.subscription,
}


def allows(items: Iterable[PrivacyItem], peer: Peer, way: str) -> bool:
    """Whether the list allows this between the account and `peer`: the first matching item decides; without one it is allowed."""
    for item in items:
        if (not item.ways or way in item.ways) and MATCHES[item.kind](item.value, peer):
            return item.allow
    return True


def in_order(items: Iterable[PrivacyItem]) -> tuple[PrivacyItem, ...]:
    return tuple(sorted(items, key=lambda item: item.order))


def read_list(element: Element) -> tuple[PrivacyItem, ...]:
    """The items of a `<list/>`, in order. Raises PrivacyError for invalid ones (XEP-0016 §2.1)."""
    if any(item.tag != ITEM for item in element):
        raise PrivacyError("bad-request", "a list holds items, and nothing else")
    if len(element) > MAX_ITEMS:
        raise PrivacyError("not-acceptable", f"a list holds at most {MAX_ITEMS} items")
    items = in_order(map(_read_item, element))
    if len({item.order for item in items}) < len(items):
        raise PrivacyError("bad-request", "two items have the same order")
    return items


def _read_item(element: Element) -> PrivacyItem:
    order, action = element.get("order", ""), element.get("action", "")
    if not re.fullmatch("[0-9]{1,10}", order) or int(order) > MAX_ORDER:
        raise PrivacyError("bad-request", f"order: write a number from 0 to {MAX_ORDER}")
    if action not in ACTIONS:
        raise PrivacyError("bad-request", "action: write allow or deny")
    ways = frozenset(_WAY_OF.get(part.tag, "") for part in element)
    if "" in ways:
        raise PrivacyError("bad-request", f"an item is limited to {', '.join(WAYS)} by elements of these names, and holds nothing else")
    kind = element.get("type", "")
    return PrivacyItem(int(order), ACTIONS[action], kind, _read_value(kind, element.get("value", "")), ways)


def _read_value(kind: str, value: str) -> str:
    if kind not in MATCHES:
        raise PrivacyError("bad-request", "type: write jid, group or subscription, or omit it for everybody")
    if len(value.encode()) > MAX_VALUE:
        raise PrivacyError("not-acceptable", f"value: at most {MAX_VALUE} bytes")
    if kind == "subscription" and value not in SUBSCRIPTIONS:
        raise PrivacyError("bad-request", f"value: write one of {', '.join(SUBSCRIPTIONS)} for a subscription")
    if kind == "group" and not value:
        raise PrivacyError("bad-request", "value: write the name of a group")
    if kind != "jid":
        return value if kind else ""
    try:
        return str(parse_jid(value))
    except InvalidJID as e:
        raise PrivacyError("bad-request", f"value: {e}") from e


def write_list(name: str, items: Iterable[PrivacyItem] = ()) -> Element:
    """The `<list/>` with these items."""
    element = child(f"{{{PRIVACY}}}list", name=name)
    element.extend(map(_write_item, items))
    return element


def _write_item(item: PrivacyItem) -> Element:
    about = {"type": item.kind, "value": item.value} if item.kind else {}
    element = child(ITEM, **about, action="allow" if item.allow else "deny", order=str(item.order))
    element.extend(child(f"{{{PRIVACY}}}{way}") for way in WAYS if way in item.ways)
    return element
