"""Converts the children of a user in a file of XEP-0227 to neutral records."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from xml.etree.ElementTree import Element

from xmpp_rest.importing import records as r
from xmpp_rest.importing.xep0227.credentials import banned, scram
from xmpp_rest.importing.xep0227.names import ARCHIVE, BANNED, EXTENDED, ITEMS, OFFLINE, OWNER_PUBSUB, PIE_SCRAM, PUBSUB
from xmpp_rest.importing.xep0227.nodes import node_settings
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.namespaces import BLOCKING, DELAY, FORWARD, MAM, PRIVACY, ROSTER
from xmpp_rest.protocol.privacy import PrivacyError, read_list
from xmpp_rest.service.accounts.vcards import tag as vcard_tag

TEMPORARY = "{urn:xmpp:mam:tmp}archived"
"""COMPAT ejabberd: names the archive item of an offline message."""
Parts = Iterator[r.AccountPart]


def of_attributes(attributes: Mapping[str, str]) -> Parts:
    """What the attributes of `user` say."""
    if password := attributes.get("password"):
        yield r.Password(password)
    extended = {key.rpartition("}")[2]: value for key, value in attributes.items() if key.startswith(f"{{{EXTENDED}}}")}
    if (made := extended.get("created", "")).isascii() and made.isdigit():
        yield r.Made(float(made))
    if extended.get("disabled") == "true":
        yield r.Disabled()


def of_element(container: str, element: Element, owner: str) -> Parts:
    """What a child of `user`, or of one of its containers, holds. `owner`: the bare address."""
    if container:
        yield from _CONTENTS[container](element, owner)
    elif element.tag in _CHILDREN:
        yield from _CHILDREN[element.tag](element)
    else:
        yield r.LeftOut(element.tag.rpartition("}")[2], f"{element.tag} is not known here")


def _roster(query: Element) -> Parts:
    for item in query.iterfind(f"{{{ROSTER}}}item"):
        groups = tuple(group.text for group in item.iterfind(f"{{{ROSTER}}}group") if group.text)
        get = item.get
        yield r.RosterItem(
            get("jid", ""),
            get("subscription", "none"),
            get("name", ""),
            groups,
            get("ask") == "subscribe",
            approved=get("approved") == "true",
        )


def _presence(presence: Element) -> Parts:
    if presence.get("type") == "subscribe":
        yield r.RosterItem(presence.get("from", ""), ask_in=True, listed=False, request=presence if len(presence) else None)
    else:
        yield r.LeftOut("presence", f"of type {presence.get('type')!r}, which has no place here")


def _private(query: Element) -> Parts:
    for element in query:
        if element.tag == BANNED:
            yield from banned(element)
        else:
            yield r.Private(element)


def _privacy(query: Element) -> Parts:
    default = query.find(f"{{{PRIVACY}}}default")
    name_of_default = default.get("name") if default is not None else None
    for each in query.iterfind(f"{{{PRIVACY}}}list"):
        name = each.get("name", "")
        try:
            yield r.PrivacyList(name, read_list(each), name == name_of_default)
        except PrivacyError as e:
            yield r.LeftOut(r.KINDS[r.PrivacyList], f"{name}: {e}")


def _blocked(blocklist: Element) -> Parts:
    for item in blocklist.iterfind(f"{{{BLOCKING}}}item"):
        yield r.BlockedAddress(item.get("jid", ""))


def _preferences(prefs: Element) -> Parts:
    always, never = (tuple(jid.text or "" for jid in prefs.iterfind(f"{{{MAM}}}{name}/{{{MAM}}}jid")) for name in ("always", "never"))
    if (default := prefs.get("default")) in ("always", "never", "roster"):
        yield r.ArchivePreferences(default, always, never)


def _offline(message: Element, owner: str) -> Parts:
    """An offline message, without what the server has added: when it came, and where it is in the archive."""
    host = owner.rpartition("@")[2]
    when = 0.0
    for child in list(message):
        if child.tag == TEMPORARY:
            message.remove(child)
        elif child.tag == f"{{{DELAY}}}delay" and (child.get("from", host) in (host, owner) or not when):
            when = _time(child.get("stamp", "")) or when
            if child.get("from", host) in (host, owner):
                message.remove(child)
    if message.tag == "message":
        yield r.OfflineMessage(message, when)
    else:
        yield r.LeftOut(r.KINDS[r.OfflineMessage], f"<{message.tag.rpartition('}')[2]}/> is not a message")


def _archived(result: Element, owner: str) -> Parts:
    forwarded = result.find(f"{{{FORWARD}}}forwarded")
    message = forwarded.find("message") if forwarded is not None else None
    delay = forwarded.find(f"{{{DELAY}}}delay") if forwarded is not None else None
    when = _time(delay.get("stamp", "")) if delay is not None else None
    if message is None or when is None or result.tag != f"{{{MAM}}}result":
        yield r.LeftOut(r.KINDS[r.Archived], "it has no message, or no time")
        return
    to, from_ = (message.get(name, owner).partition("/")[0] for name in ("to", "from"))
    yield r.Archived(result.get("id", ""), when, from_ if to == owner else to, message)


def _items(items: Element, _: str) -> Parts:
    node = items.get("node", "")
    if not node:
        yield r.LeftOut(r.KINDS[r.PepNode], "it has no name")
        return
    yield r.PepNode(node)
    for item in items.iterfind(f"{{{PUBSUB}}}item"):
        if len(item) == 1:
            yield r.PepItem(node, item.get("id", ""), item.get("publisher", ""), item[0])
        else:
            yield r.LeftOut(r.KINDS[r.PepItem], f"{node}: it has no payload, or more than one")


def _time(text: str) -> float | None:
    try:
        return parse_datetime(text)
    except ValueError:
        return None


_CHILDREN: dict[str, Callable[[Element], Parts]] = {
    f"{{{PIE_SCRAM}}}scram-credentials": scram,
    f"{{{ROSTER}}}query": _roster,
    vcard_tag("vCard"): lambda card: iter((r.Card(card),)),
    "{jabber:iq:private}query": _private,
    f"{{{PRIVACY}}}query": _privacy,
    f"{{{BLOCKING}}}blocklist": _blocked,
    f"{{{MAM}}}prefs": _preferences,
    "presence": _presence,
}
"""Child of `user` → its reader."""
_CONTENTS: dict[str, Callable[[Element, str], Parts]] = {
    OFFLINE: _offline,
    ARCHIVE: _archived,
    ITEMS: _items,
    OWNER_PUBSUB: lambda element, _: node_settings(element),
}
"""Container → the reader of its children."""
