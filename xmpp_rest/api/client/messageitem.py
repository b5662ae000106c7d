"""One-to-one messages as JSON, in the history and in events (client-api §2.2, §5.1, §5.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import PROPERTIES

_PROPERTIES = f"{{{PROPERTIES}}}"


def message_item(stanza: Element, identifier: str, timestamp: int) -> dict[str, Any] | None:
    """The item for a message; None for one without a body.

    `identifier`: what stands for the id of a stanza that has none.
    """
    body = stanza.find("body")
    if body is None:
        return None
    sender = stanza.get("from", "")
    return {
        "from": bare(sender),
        "to": bare(stanza.get("to", sender)),  # RFC 6120 §8.1.1.1: without `to` it is for the sender's own account
        "id": stanza.get("id") or identifier,
        "body": body.text or "",
        "timestamp": timestamp,
        **_thread(stanza.find("thread")),
        **_properties(stanza.find(f"{_PROPERTIES}properties")),
    }


@lru_cache(maxsize=8192)
def bare(text: str) -> str:
    """The address without its resource; a text that is none as it stands."""
    try:
        return str(parse_jid(text).bare)
    except InvalidJID:
        return text


def _thread(thread: Element | None) -> dict[str, str]:
    text = (thread.text or "").strip() if thread is not None else ""
    if thread is None or not text:
        return {}
    return {"thread": text, "parent": thread.attrib["parent"]} if "parent" in thread.attrib else {"thread": text}


def _properties(properties: Element | None) -> dict[str, dict[str, str]]:
    if properties is None:
        return {}
    rows = properties.findall(f"{_PROPERTIES}property")
    pairs = ((row.findtext(f"{_PROPERTIES}name"), row.findtext(f"{_PROPERTIES}value")) for row in rows)
    return {"properties": {name: value or "" for name, value in pairs if name}}
