"""Reads the bodies of requests to /rest/rooms: tables of members, each with what its value has to be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from xmpp_rest.api.detail import did_you_mean
from xmpp_rest.protocol.element import is_text
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

MAX_INVITED = 100  # people of one request
MAX_HISTORY = 100  # messages
MAX_PASSWORD = 1023  # bytes
_SHOWN = 60  # characters of a name that is repeated in an answer


class BadRoomMember(Exception):
    """A member that cannot be read: `condition`, and a sentence that names it."""

    def __init__(self, sentence: str, condition: str = "bad-request") -> None:
        self.condition = condition
        super().__init__(sentence)


Reader = Callable[[Any], Any]
"""Reads the value of a member. Raises ValueError, with what it must be; InvalidJID, with what is wrong with it."""
Members = Mapping[str, Reader]


def read_members(body: Any, members: Members, *, one_of: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values of an object by name. Raises BadRoomMember for a name that is none of `members`, and without exactly one of `one_of`."""
    if not isinstance(body, dict):
        raise BadRoomMember(f"The body must be an object with any of {', '.join(members)}")
    for name in body:
        if name not in members:
            raise BadRoomMember(f"{name[:_SHOWN]!r} is none of {', '.join(members)}{did_you_mean(name, members)}")
    if one_of and sum(name in body for name in one_of) != 1:
        raise BadRoomMember(f"{one_of[0]!r} is missing" if len(one_of) == 1 else f"Write either {one_of[0]!r} or {one_of[1]!r}")
    return {name: _read(name, value, members[name]) for name, value in body.items()}


def _read(name: str, value: Any, reader: Reader) -> Any:
    try:
        return reader(value)
    except InvalidJID as e:
        raise BadRoomMember(f"{name!r}: {e}", "jid-malformed") from e
    except ValueError as e:
        raise BadRoomMember(f"{name!r} must be {e}") from e


def text(value: Any) -> str:
    """A text that XML can carry."""
    if not is_text(value):
        raise ValueError("a text without control characters")
    return value


def flag(value: Any) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 (what `read_members` takes)
    return value


def history(value: Any) -> int:
    """A number of messages."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HISTORY:
        raise ValueError(f"a whole number from 0 to {MAX_HISTORY}")
    return value


def password(value: Any) -> str | None:
    """The password of a room; null is none."""
    if value is not None and (not is_text(value) or len(value.encode()) > MAX_PASSWORD):
        raise ValueError(f"a text of at most {MAX_PASSWORD} bytes")
    return value


def nick(value: Any) -> str:
    """A nick, as rooms know it (XEP-0045 §17.1: resourceprep)."""
    if not isinstance(value, str):
        raise ValueError("a text")  # noqa: TRY004
    if not value.strip():
        raise InvalidJID("the nick is empty")
    prepared = JID("x", "x", "").at(value).resource
    if not prepared.strip():
        raise InvalidJID("the nick is blank")
    return prepared


def address(value: Any) -> JID:
    """The address of a person."""
    if not isinstance(value, str):
        raise ValueError("an address such as juliet@example.net")  # noqa: TRY004
    return parse_jid(value)


def person(value: Any) -> JID:
    """The bare address of a person, or of a server, whose users are meant."""
    return address(value).bare


def people(value: Any) -> list[JID]:
    """One address or several, each once."""
    if isinstance(value, str):
        return [address(value)]
    if not isinstance(value, list) or not 0 < len(value) <= MAX_INVITED or not all(isinstance(one, str) for one in value):
        raise ValueError(f"an address, or a list of 1 to {MAX_INVITED}")
    return list(dict.fromkeys(address(one) for one in value))


def nick_of_field(field: str) -> str:
    """The nick in a `Nick` field, which is percent-encoded UTF-8. Raises BadRoomMember."""
    try:
        return nick(unquote_to_bytes(field.encode("latin-1", "replace").decode("utf-8", "replace")).decode())
    except UnicodeDecodeError as e:
        raise BadRoomMember("The Nick field is not percent-encoded UTF-8", "jid-malformed") from e
    except InvalidJID as e:
        raise BadRoomMember(f"The Nick field: {e}", "jid-malformed") from e
