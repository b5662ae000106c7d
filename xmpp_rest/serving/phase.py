"""The phases of a connection."""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()  # a request
    HEAD = auto()  # the rest of a head
    BODY = auto()  # the rest of a body, or the first part of it
    SERVED = auto()  # the application
    DRAIN = auto()  # the rest of a body that nobody has read
    FLUSH = auto()  # the client, to take the last answer
    LINGER = auto()  # the client, to close
    CLOSED = auto()


COMING = (Phase.IDLE, Phase.HEAD, Phase.BODY)
"""What a request may end."""
