"""What a hook says because of a request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Whether there is a message."""

    MESSAGE = "message"
    SILENT = "silent"
    """The hook's own template said nothing."""
    PING = "ping"
    """A forge asks whether anybody is there."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message, and which matter it is about.

    `key`: of the matter, "" for none; `state`: compared with that of the matter's last message; `ends`: whether it is the matter's last.
    `title`, `message`: the parts that APIs with such fields tell again. `pictures`: URLs of those that the payload names; not kept.
    """

    kind: Kind
    text: str = ""
    key: str = ""
    state: str = ""
    ends: bool = False
    truncated: bool = False
    template_error: str = ""
    title: str = ""
    message: str = ""
    pictures: tuple[str, ...] = ()


class NothingToSay(Exception):
    """A request without anything that could be sent; the sentence tells what was expected."""
