"""Detects a bot's own messages that a room reflects: they are not POSTed to the bot."""

from __future__ import annotations

import threading
from collections import OrderedDict
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import MUC_USER

MAX_KNOWN = 10_000  # nicks and messages that are remembered, each
_STATUS = f"{{{MUC_USER}}}x/{{{MUC_USER}}}status"
_SELF = "110"  # XEP-0045 §15.6.2: the presence is the recipient's own


class Reflections:
    """The nicks and messages of bots in rooms. Addresses of bots are bare. Safe to be used by several threads."""

    def __init__(self) -> None:
        self._nicks: OrderedDict[tuple[JID, JID], str] = OrderedDict()  # (bot, room) → its nick there
        self._said: OrderedDict[tuple[JID, JID, str], None] = OrderedDict()  # bot, room, id of a message
        self._lock = threading.Lock()

    def record(self, bot: JID, room: JID, identifier: str) -> None:
        """Record a message that the bot is about to send to a room, by its id."""
        self._remember(self._said, (bot.bare, room.bare, identifier), None)

    def observe(self, stanza: Element, sender: JID, bot: JID) -> bool:
        """Observe a stanza for a bot; whether it is the reflection of its own message (XEP-0045 §7.4)."""
        if stanza.tag == "presence":
            self._note_nick(stanza, sender, bot.bare)
        if stanza.tag != "message" or stanza.get("type") != "groupchat" or not sender.resource:
            return False
        room, bot = sender.bare, bot.bare
        if self._nicks.get((bot, room)) == sender.resource or _address(sender.resource) == bot:
            return True
        return (bot, room, stanza.get("id", "")) in self._said

    def _note_nick(self, stanza: Element, sender: JID, bot: JID) -> None:
        if not any(status.get("code") == _SELF for status in stanza.iterfind(_STATUS)):
            return
        if stanza.get("type") is None:
            self._remember(self._nicks, (bot, sender.bare), sender.resource)
        else:
            with self._lock:
                self._nicks.pop((bot, sender.bare), None)

    def _remember(self, known: OrderedDict, key: tuple, value: str | None) -> None:  # type: ignore[type-arg]
        with self._lock:
            known[key] = value
            known.move_to_end(key)
            if len(known) > MAX_KNOWN:
                known.popitem(last=False)


def _address(resource: str) -> JID | None:
    """The occupant that a MUC Light room names by its address (XEP Multi-User Chat Light §4.1)."""
    if "@" not in resource:
        return None
    try:
        return parse_jid(resource).bare
    except InvalidJID:
        return None
