"""From when on a reader wants messages: the parameter `since` (hooks §13.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.service.hooks.published import LENGTH, PublishedMessage


class From(Enum):
    """What the value is."""

    ALL = "all"
    NONE = "none"
    LATEST = "latest"
    ID = "id"
    TIME = "time"


class Since(NamedTuple):
    """What is wanted. `id`: the message after which; `time`: Unix time."""

    start: From
    id: str = ""
    time: float = 0.0


LATEST_TIME = 4_102_444_800  # the year 2100
WORDS = {start.value: Since(start) for start in (From.ALL, From.NONE, From.LATEST)}
_ID = re.compile(rf"[0-9A-Za-z]{{{LENGTH}}}")
_SECONDS = re.compile(r"-?[0-9]{1,18}")
_DURATION = re.compile(r"[-+]?(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|us|µs|ns|[smhd]))+")  # as Go reads them, and days
_PART = re.compile(r"([0-9.]+)([a-zµ]+)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def read_since(text: str, now: float, *, poll: bool) -> Since:
    """What the value says; without one nothing, or for a `poll` everything. Raises NtfyError, 40008."""
    if not text:
        return WORDS["all" if poll else "none"]
    if text in WORDS:
        return WORDS[text]
    if _ID.fullmatch(text):
        return Since(From.ID, id=text)
    if _SECONDS.fullmatch(text):
        return _from(int(text))
    if _DURATION.fullmatch(text):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        return _from(int(now + (seconds if text.startswith("-") else -seconds)))
    raise NtfyError(40008)


def _from(seconds: int) -> Since:
    """From a time on: whole seconds, as messages tell theirs, and within what every storage knows."""
    return Since(From.TIME, time=float(min(max(seconds, 0), LATEST_TIME)))


def chosen(messages: Sequence[PublishedMessage], since: Since, now: float) -> list[PublishedMessage]:
    """Those that are wanted, of messages in the order of time. After an id that is not there come all, as nobody knows which were seen."""
    if since.start is From.NONE:
        return []
    if since.start is From.LATEST:
        return [message for message in messages if message.when <= now][-1:]
    if since.start is From.TIME:
        return [message for message in messages if message.when >= since.time]
    places = [place for place, message in enumerate(messages) if message.id == since.id]
    return list(messages[places[0] + 1 :] if places else messages)
