"""Sender and id of a stanza that is kept as text, without parsing it: an owner that takes over reads thousands, or cannot parse it."""

from __future__ import annotations

import re
from html import unescape
from xml.etree.ElementTree import Element

_FROM = re.compile(rb"<[a-z]+ [^>]*?\bfrom='([^'/]*)")  # of a stanza as `serialise` writes it
_ID = re.compile(rb"<[a-z]+ [^>]*? id='([^']*)'")

_HEAD = re.compile(r"<([a-z]+)((?: [\w:]+='[^'<]*')*)[ />]")
_ATTRIBUTE = re.compile(r" ([a-z]+)='([^'<]*)'")


def sender_in(data: bytes) -> str:
    """The bare JID of the sender; "" if the stanza names none."""
    return _found(_FROM, data)


def id_in(data: bytes) -> str:
    """The id of the stanza; "" if it has none."""
    return _found(_ID, data)


def head_in(text: str) -> Element | None:
    """The stanza without what is in it; None where even that cannot be told."""
    if (found := _HEAD.match(text)) is None:
        return None
    return Element(found[1], {name: unescape(value) for name, value in _ATTRIBUTE.findall(found[2]) if name != "xmlns"})


def _found(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.match(data)
    return unescape(found[1].decode()) if found else ""
