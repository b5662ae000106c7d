"""Tells which messages of a room are for a bot: its nick, a reference, or a reply to what it said (rooms-anywhere §8.3)."""

from __future__ import annotations

import threading
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Sequence
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import REFERENCE, REPLY, STANZA_ID

REMEMBERED = 1000
"""Own messages of a room that a reply may be to."""
MAX_ROOMS = 1000  # whose own messages are remembered; the least recently used one is dropped first
MAX_REFERENCES = 100  # of one message that are looked at
_LETTERS = frozenset("LNM")  # general categories: letters, digits and other numbers, and marks, which change the letter before
_REFERENCE, _REPLY = f"{{{REFERENCE}}}reference", f"{{{REPLY}}}reply"
_STANZA_ID, _ORIGIN_ID = f"{{{STANZA_ID}}}stanza-id", f"{{{STANZA_ID}}}origin-id"


def names(text: str, nick: str) -> bool:
    """Whether the text has the nick as a whole word, in any case: no letter or digit of any script is before or behind it."""
    text, nick = _folded(text), _folded(nick)
    at = text.find(nick) if nick else -1
    while at >= 0:
        end = at + len(nick)
        if not _is_letter(text[at - 1 : at]) and not _is_letter(text[end : end + 1]):
            return True
        at = text.find(nick, at + 1)
    return False


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())  # nicks are prepared by NFKC (RFC 3920 §B)


def _is_letter(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in _LETTERS


def refers_to(message: Element, addresses: tuple[JID, ...]) -> bool:
    """Whether the message mentions one of these addresses by a reference (XEP-0372 §3.2)."""
    references = message.findall(_REFERENCE)[:MAX_REFERENCES]
    return any(found.get("type") == "mention" and _address(found.get("uri", "")) in addresses for found in references)


def _address(uri: str) -> JID | None:
    """The address of an XMPP URI (RFC 5122)."""
    scheme, _, rest = uri.partition(":")
    path = rest.partition("#")[0].partition("?")[0]
    if scheme.lower() != "xmpp" or path.startswith("//"):
        return None
    try:
        return parse_jid(unquote(path, errors="strict"))
    except (InvalidJID, UnicodeDecodeError):
        return None


def ids_of(message: Element, room: JID) -> set[str]:
    """The ids by which a reply names a message of a room: the room's first of all (XEP-0461 §3.1)."""
    ids = {message.get("id", "")}
    for element in message:
        if element.tag == _ORIGIN_ID or (element.tag == _STANZA_ID and element.get("by") == str(room)):
            ids.add(element.get("id", ""))
    return ids - {""}


def replied_to(message: Element) -> str:
    """The id of the message that this one replies to; "" without one."""
    reply = message.find(_REPLY)
    return reply.get("id", "") if reply is not None else ""


class OwnMessages:
    """The last own messages of each room, by their ids. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[JID, deque[set[str]]] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, room: JID, message: Element) -> None:
        """Remember an own message, as the room showed it."""
        with self._lock:
            said = self._rooms.setdefault(room, deque(maxlen=REMEMBERED))
            self._rooms.move_to_end(room)
            said.append(ids_of(message, room))
            if len(self._rooms) > MAX_ROOMS:
                self._rooms.popitem(last=False)

    def load(self, room: JID, messages: Sequence[Element]) -> None:
        """Remember what was said before anything that is remembered, oldest first."""
        with self._lock:
            since = self._rooms.get(room, ())
            self._rooms[room] = deque((*(ids_of(message, room) for message in messages), *since), maxlen=REMEMBERED)

    def has(self, room: JID, identifier: str) -> bool:
        """Whether one of them has this id."""
        with self._lock:
            return any(identifier in ids for ids in self._rooms.get(room, ()))

    def knows(self, room: JID) -> bool:
        """Whether anything was loaded or added for a room."""
        with self._lock:
            return room in self._rooms
