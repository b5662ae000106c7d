"""Messages of hooks on their way to rooms, and who is told what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.message import error_of_failure
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.said import SpokenResult

BLOCKED_BY_LIST = stanza_error("not-acceptable")
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


class HookSpeech:
    """The `SpeechListener` of a message to a room elsewhere: tells the `RoomListener` of the hook."""

    def __init__(self, listener: RoomListener, explain: Callable[[RoomRefusal], StanzaError]) -> None:
        """`explain`: the error of a refusal, with what has happened before."""
        self._listener = listener
        self._explain = explain
        self.is_accepted = False

    def claim(self) -> bool:
        """It is sent."""
        return True

    def accepted(self, nick: str, *, is_held: bool) -> None:
        """It is kept, and goes out."""
        self.is_accepted = True
        self._listener.accepted()

    def held(self) -> None:
        """It is written again later."""
        self._listener.held()

    def failed(self, said: SpokenResult) -> None:
        """It was not accepted."""
        if isinstance(said.why, RoomRefusal):
            self._listener.heard(self._explain(said.why))
            return
        error = said.error
        self._listener.heard(error_of_failure(error) if error is not None else BLOCKED_BY_LIST)

    def ended(self, answer: Element | RoomRefusal | None, nick: str) -> None:
        """The room has shown or refused it; where it does neither, no verdict is given."""
        if answer is not None:
            self._listener.heard(self._explain(answer) if isinstance(answer, RoomRefusal) else answer)
