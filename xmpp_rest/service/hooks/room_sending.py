"""Messages of hooks on their way to rooms, and who is told what becomes of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.hooks.message import HOOK
from xmpp_rest.service.messages.batch import OutboundMessage

log = logging.getLogger("xmpp_rest.hooks")

Key = tuple[JID, JID, str]  # actor, room, id


class RoomListener(Protocol):
    """Who is told of a message to a room, by any thread. Must be quick."""

    def accepted(self) -> None:
        """It is in the outbox, or delivered to a room of the gateway."""

    def held(self) -> None:
        """It is not there any more: the sender has to come into the room again before."""

    def heard(self, answer: Element | StanzaError) -> None:
        """The message as the room shows it, or why it does not."""


class RoomSending:
    """One message on its way to a room."""

    def __init__(self, outgoing: OutboundMessage, nick: str, listener: RoomListener) -> None:
        self.outgoing = outgoing
        self.nick = nick
        self.listener = listener
        self.again = False
        """Whether it has been sent, or is to be sent, a second time."""

    @property
    def key(self) -> Key:
        """By which the room's answer is known."""
        return self.outgoing.sender, self.outgoing.to, self.outgoing.stanza.attrib["id"]

    def begin_again(self) -> bool:
        """Whether it may be sent once more."""
        first, self.again = not self.again, True
        return first


class LeftListener:
    """The `RoomListener` of a message that an earlier process has accepted: nobody waits for it any more."""

    def __init__(self, actor: JID, room: JID) -> None:
        self._actor = actor
        self._room = room

    def accepted(self) -> None:
        """Nothing follows."""

    def held(self) -> None:
        """Nothing follows."""

    def heard(self, answer: Element | StanzaError) -> None:
        """Log a refusal."""
        if isinstance(answer, StanzaError):
            log.warning("%s refuses what %s has said before: %s %s", self._room, self._actor, answer.condition, answer.text)


def left_messages(texts: Iterable[str], nick: Callable[[JID], str | None]) -> Iterator[RoomSending]:
    """The messages of hooks to rooms among stanzas of an earlier process; `nick`: of an actor, None for one that is not a hook."""
    for text in texts:
        if f"/{HOOK}" not in text or not text.startswith("<message"):
            continue
        try:
            stanza = parse_stored(text)
            actor, room = parse_jid(stanza.get("from", "")), parse_jid(stanza.get("to", ""))
        except (BadXML, InvalidJID):  # another program has written it
            continue
        if stanza.get("type") == "groupchat" and stanza.get("id") and (found := nick(actor)) is not None:
            yield RoomSending(OutboundMessage(stanza, actor, room), found, LeftListener(actor, room))
