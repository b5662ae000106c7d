"""What became of a message to a room, as those who have it sent are told (rooms-anywhere §3.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.service.rooms.refused import RoomRefusal

ACCEPTED = "accepted"
HELD = "held"
REFLECTED = "reflected"
REFUSED = "refused"
UNSHOWN = "unshown"
UNSENT = "unsent"
BLOCKED = "blocked"


class SpokenResult(NamedTuple):
    """What became of one message.

    `state`:

    - accepted: it is kept, and written at once; held: kept, and written later
    - reflected: the room has shown it, in `stanza`
    - refused: by the room, or because the room has put out who speaks
    - unshown: it is kept, and neither shown nor refused in time
    - unsent: it was not accepted, as the room was not entered, or there is no place for it
    - blocked: a list of the account denies it, in the error `stanza`
    """

    state: str
    nick: str = ""
    """How the room calls who speaks; "": the room was not entered."""
    stanza: Element | None = None
    why: RoomRefusal | Exception | None = None
    """Of what is refused or unsent. An exception is a GatewayError, BadXML or StorageError."""

    @property
    def error(self) -> Exception | None:
        """What is to be raised where it did not come to the room: RoomRefused, if that has refused it."""
        return self.why.raised if isinstance(self.why, RoomRefusal) else self.why

    def answer(self) -> Element | None:
        """What is answered at once; None: it was accepted. Raises `error`."""
        if (error := self.error) is not None:
            raise error
        return self.blocked

    @property
    def blocked(self) -> Element | None:
        """The error with which a list of the account denies it."""
        return self.stanza if self.state == BLOCKED else None


class SpeechListener(Protocol):
    """Who is told of one message, by any thread; must be quick.

    Told once that it was accepted, or has failed; that it was accepted is followed by its end.
    """

    def claim(self) -> bool:
        """It is about to be kept; False: nobody waits for it any more, so it is not to be."""

    def accepted(self, nick: str, *, is_held: bool) -> None:
        """It is kept, and goes out at once, or later. `nick`: how the room calls who speaks."""

    def held(self) -> None:
        """The room has lost the occupant, or asks to slow down: it is written again later, and accepted again by that."""

    def failed(self, said: SpokenResult) -> None:
        """It was not accepted, or refused at once."""

    def ended(self, answer: Element | RoomRefusal | None, nick: str) -> None:
        """The room has shown it so, or refused it; None: it has done neither."""


OnSaid = Callable[[Exception | None], object]
"""Gets why a message is not in the room; None: the room has shown it, or has neither shown nor refused it in time."""


class OneListens:
    """The `SpeechListener` of who wants to know at the end alone."""

    def __init__(self, tell: OnSaid) -> None:
        self._tell = tell

    def claim(self) -> bool:
        """It is sent."""
        return True

    def accepted(self, nick: str, *, is_held: bool) -> None:
        """The end follows."""

    def held(self) -> None:
        """The end follows."""

    def failed(self, said: SpokenResult) -> None:
        """It was not accepted, or refused at once."""
        self._tell(said.error or GatewayError("blocked"))

    def ended(self, answer: Element | RoomRefusal | None, nick: str) -> None:
        """The room has shown or refused it."""
        self._tell(answer.raised if isinstance(answer, RoomRefusal) else None)


class NobodyListens:
    """The `SpeechListener` of a message that nobody waits for."""

    def claim(self) -> bool:
        """It is sent."""
        return True

    def accepted(self, nick: str, *, is_held: bool) -> None:
        """Nothing follows."""

    def held(self) -> None:
        """Nothing follows."""

    def failed(self, said: SpokenResult) -> None:
        """Nothing follows."""

    def ended(self, answer: Element | RoomRefusal | None, nick: str) -> None:
        """Nothing follows."""
