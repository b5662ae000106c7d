"""Stanzas of rooms as JSON, in the history of the room and in events (client-api §4.2)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import CHAT_MARKERS, MUC_LIGHT

MARKERS = ("received", "displayed", "acknowledged")
_AFFILIATIONS = f"{{{MUC_LIGHT}#affiliations}}"
_CONFIGURATION = f"{{{MUC_LIGHT}#configuration}}"


def room_item(stanza: Element, identifier: str, timestamp: int) -> dict[str, Any] | None:
    """The item for a groupchat message; None for one that neither says something nor changes an affiliation.

    `identifier`: what stands for the id of a stanza that has none.
    """
    head = {"id": stanza.get("id") or identifier, "timestamp": timestamp}
    changes = stanza.find(f"{_AFFILIATIONS}x")
    if changes is not None:
        return _affiliation(stanza, changes, head)
    if stanza.find(f"{_CONFIGURATION}x") is not None:  # client-api §3.7: left out, although it has a body
        return None
    said = _said(stanza)
    return {"type": "message", "from": _speaker(stanza), **head, **said} if said else None


def _affiliation(stanza: Element, changes: Element, head: dict[str, Any]) -> dict[str, Any] | None:
    """One item; where a change touched several people, it names the new owner, and all of them under `changes`."""
    users = changes.findall(f"{_AFFILIATIONS}user")
    rows = [{"user": (user.text or "").strip(), "affiliation": user.get("affiliation", "")} for user in users]
    if not rows:
        return None
    first = next((row for row in rows if row["affiliation"] == "owner"), rows[0])
    more = {"changes": rows} if len(rows) > 1 else {}
    return {"type": "affiliation", "from": stanza.get("from", "").partition("/")[0], **head, **first, **more}


def _said(stanza: Element) -> dict[str, Any]:
    said: dict[str, Any] = {}
    body = stanza.find("body")
    if body is not None:
        said["body"] = body.text or ""
        if stanza.find(f"{{{CHAT_MARKERS}}}markable") is not None:
            said["markable"] = True
    for name in MARKERS:
        marker = stanza.find(f"{{{CHAT_MARKERS}}}{name}")
        if marker is not None:
            said["chat_marker"] = {"type": name, "id": marker.get("id", "")}
            break
    return said


def _speaker(stanza: Element) -> str:
    """The bare address of who spoke: the resource of `from` (XEP MUC Light §5.1)."""
    text = stanza.get("from", "").partition("/")[2]
    try:
        return str(parse_jid(text).bare)
    except InvalidJID:
        return text
