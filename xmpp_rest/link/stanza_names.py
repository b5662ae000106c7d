"""Sender and id of a stanza that is kept as text, without parsing it: an owner that takes over reads thousands."""

from __future__ import annotations

import re
from html import unescape

_FROM = re.compile(rb"<[a-z]+ [^>]*?\bfrom='([^'/]*)")  # of a stanza as `serialise` writes it
_ID = re.compile(rb"<[a-z]+ [^>]*? id='([^']*)'")


def sender_in(data: bytes) -> str:
    """The bare JID of the sender; "" if the stanza names none."""
    return _found(_FROM, data)


def id_in(data: bytes) -> str:
    """The id of the stanza; "" if it has none."""
    return _found(_ID, data)


def _found(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.match(data)
    return unescape(found[1].decode()) if found else ""
