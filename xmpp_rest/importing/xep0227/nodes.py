"""Settings of PEP nodes: the form of XEP-0060, and the names and types with which Prosody stores its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.importing.records import KINDS, LeftOut, PepNode
from xmpp_rest.importing.xep0227.names import NODE_CONFIG, PUBSUB_OWNER
from xmpp_rest.protocol.forms import FORM, field
from xmpp_rest.protocol.stanza import make

FLAG, TEXT = "boolean", "text-single"


class _NodeField(NamedTuple):
    name: str
    type: str = TEXT


FIELDS = {
    "pubsub#title": _NodeField("title"),
    "pubsub#description": _NodeField("description"),
    "pubsub#type": _NodeField("payload_type"),
    "pubsub#max_items": _NodeField("max_items"),
    "pubsub#persist_items": _NodeField("persist_items", FLAG),
    "pubsub#access_model": _NodeField("access_model"),
    "pubsub#publish_model": _NodeField("publish_model"),
    "pubsub#send_last_published_item": _NodeField("send_last_published_item"),
    "pubsub#deliver_notifications": _NodeField("notify_items", FLAG),
    "pubsub#deliver_payloads": _NodeField("include_payload", FLAG),
    "pubsub#notification_type": _NodeField("notification_type"),
    "pubsub#notify_delete": _NodeField("notify_delete", FLAG),
    "pubsub#notify_retract": _NodeField("notify_retract", FLAG),
}
"""COMPAT Prosody: variable of the form → name and type of the member."""
_OWNER = f"{{{PUBSUB_OWNER}}}"


def node_settings(element: Element) -> Iterator[PepNode | LeftOut]:
    """What a child of the owner's `<pubsub/>` says of its node."""
    node = element.get("node", "")
    kind = element.tag.removeprefix(_OWNER)
    if not node or kind not in ("configure", "affiliations", "subscriptions"):
        yield LeftOut(KINDS[PepNode], f"<{kind}/> is not known, or names no node")
    elif kind == "configure":
        yield PepNode(node, dict(_config(element)))
    elif kind == "affiliations":
        entries = {each.get("jid", ""): each.get("affiliation", "") for each in element}
        yield PepNode(node, affiliations={jid: word for jid, word in entries.items() if jid and word})
    else:
        # COMPAT Prosody: it writes the attribute `subscribed`, and reads `subscription`
        found = (each.get("jid", "") for each in element if "subscribed" in (each.get("subscription"), each.get("subscribed")))
        yield PepNode(node, subscribers=tuple(filter(None, found)))


def _config(configure: Element) -> Iterator[tuple[str, str | bool | int]]:
    for each in configure.iter(f"{FORM}field"):
        known = FIELDS.get(each.get("var", ""))
        value = each.findtext(f"{FORM}value")
        if known is None or value is None:
            continue
        if known.type == FLAG:
            yield known.name, value in ("1", "true")
        else:
            yield known.name, int(value) if known.name == "max_items" and value.isascii() and value.isdigit() else value


def configuration(config: Mapping[str, object]) -> Element:
    """The form with these members."""
    fields = [field(NODE_CONFIG, var="FORM_TYPE", type="hidden")]
    for var, known in FIELDS.items():
        if (value := config.get(known.name)) is not None:
            fields.append(field(str(int(bool(value))) if known.type == FLAG else str(value), var=var, type=known.type))
    return make(f"{FORM}x", *fields, type="submit")
