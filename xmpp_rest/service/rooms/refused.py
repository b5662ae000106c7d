"""What a room's refusal is in HTTP (rooms-anywhere §5): statuses, sentences, and the value that other processes get."""

from __future__ import annotations

from typing import NamedTuple

from xmpp_rest.errors import GatewayError, Row
from xmpp_rest.protocol.conditions import StanzaError, stanza_error

STATUS = {
    "conflict": 409,
    "not-authorized": 403,  # the caller's own credentials were good: not 401
    "registration-required": 403,
    "forbidden": 403,
    "not-allowed": 403,
    "policy-violation": 403,
    "item-not-found": 404,
    "gone": 410,
    "not-acceptable": 409,
    "jid-malformed": 422,
    "bad-request": 422,
    "resource-constraint": 503,
    "service-unavailable": 404,  # of type wait: 503
    "feature-not-implemented": 404,
    "remote-server-not-found": 502,
    "remote-server-timeout": 504,
}
"""Condition → status. Any other: 502."""
RETRY_FULL = 30  # seconds that a room which is full asks for
TEXT, WORD, ADDRESS = 500, 64, 3071  # characters of what a room tells, which may be anything: a text, a name, an address

JOIN_SENTENCES = {
    "conflict": "Somebody has this nick in the room already",
    "not-authorized": "The room needs a password, or this one is wrong",
    "registration-required": "The room is for members only",
    "forbidden": "The room has banned this account",
    "not-allowed": "The room may not be made by this account, or its server cannot be reached from here",
    "policy-violation": "The room does not let this in",
    "item-not-found": "There is no such room",
    "gone": "The room was destroyed",
    "not-acceptable": "The room does not allow this nick",
    "jid-malformed": "The room cannot read this nick or address",
    "bad-request": "The room cannot read this",
    "resource-constraint": "The room is full; try again later",
    "service-unavailable": "There is no room service at this address",
    "feature-not-implemented": "There is no room service at this address",
    "remote-server-not-found": "There is no such server",
    "remote-server-timeout": "The room does not answer",
}
"""Condition → what it means in answer to a join, where the room says nothing itself."""
MESSAGE_SENTENCES = JOIN_SENTENCES | {
    "not-authorized": "The room does not let this account speak",
    "registration-required": "The room lets only members speak",
    "forbidden": "This account may not speak here, or may not set the subject",
    "not-allowed": "This account may not do this here, or the server of the room cannot be reached from here",
    "policy-violation": "The room does not let this text through",
    "not-acceptable": "This account is not in the room, and joining again did not help",
    "jid-malformed": "The room cannot read this",
    "resource-constraint": "The room takes no more for now; try again later",
}
"""Condition → what it means in answer to a message."""
OTHER = "The room has refused this for a reason that it did not name"


class RoomRefusal(NamedTuple):
    """Why a room, or the gateway in its name, has refused; as a value that processes carry. Its text is never empty."""

    error: StanzaError
    by: str
    """The address that the error came from."""
    location: str = ""
    """Where a destroyed room is now, as it says."""
    retry_after: int | None = None
    code: int = 0
    """A status that is none of the table; 0: the table's."""
    is_told: bool = True
    """Whether the text is the room's own, or the gateway's that knows more than the condition."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.code or status_of(self.error)

    @property
    def raised(self) -> RoomRefused:
        """As an exception."""
        return RoomRefused(self)


class RoomRefused(GatewayError):
    """A room has refused a join or a message. Only within a process: `refusal` is what others get."""

    def __init__(self, refusal: RoomRefusal) -> None:
        self.refusal = refusal
        super().__init__("room-refused", refusal.error.text, Row(refusal.status, *refusal.error[:3]), refusal.by)

    @property
    def error(self) -> StanzaError:
        """The room's own condition, with a text."""
        return self.refusal.error

    @property
    def location(self) -> str:
        """Where a destroyed room is now, as it says."""
        return self.refusal.location

    @property
    def retry_after(self) -> int | None:
        """Seconds after which to try again."""
        return self.refusal.retry_after

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.refusal.status


def status_of(error: StanzaError) -> int:
    """The status of a room's error, by the table."""
    if error.condition == "service-unavailable" and error.type == "wait":
        return 503
    return STATUS.get(error.condition, 502)


def bounded(error: StanzaError) -> StanzaError:
    """The error with no more of its texts than is told, logged and kept."""
    return StanzaError(error.type[:WORD], error.condition[:WORD], error.text[:TEXT], error.by[:ADDRESS])


def join_refused(error: StanzaError, by: str, *, location: str = "", retry_after: int | None = None, code: int = 0) -> RoomRefusal:
    """The refusal of a join."""
    return _refusal(error, by, JOIN_SENTENCES, location, retry_after, code)


def message_refused(error: StanzaError, by: str, *, location: str = "", retry_after: int | None = None, code: int = 0) -> RoomRefusal:
    """The refusal of a message."""
    return _refusal(error, by, MESSAGE_SENTENCES, location, retry_after, code)


def not_answered(by: str, text: str = "") -> RoomRefusal:
    """There was no answer in time."""
    return join_refused(stanza_error("remote-server-timeout", text), by)


def _refusal(error: StanzaError, by: str, sentences: dict[str, str], location: str, retry_after: int | None, code: int) -> RoomRefusal:
    error = bounded(error)
    said = error if error.text else error._replace(text=_sentence(error, sentences))
    refusal = RoomRefusal(said, by[:ADDRESS], location, retry_after, code, bool(error.text))
    return refusal._replace(retry_after=RETRY_FULL) if refusal.status == 503 and retry_after is None else refusal


def _sentence(error: StanzaError, sentences: dict[str, str]) -> str:
    if error.condition == "service-unavailable" and error.type == "wait":
        return sentences["resource-constraint"]
    return sentences.get(error.condition, OTHER)
