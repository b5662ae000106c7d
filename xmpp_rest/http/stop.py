"""Exceptions by which a callback ends a request, and values by which it reports what it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask.typing import ResponseReturnValue


class Stop(Exception):
    """End processing and send ``response``, or ``self.response`` as it stands when there is none.

    ``response`` is anything a Flask view may return. Header fields collected so far go with it.
    """

    def __init__(self, response: ResponseReturnValue | None = None) -> None:
        super().__init__(response)
        self.response = response


class SwitchHandler(Exception):
    """End processing and send what ``handler(*args, **kwargs)`` returns: anything a Flask view may return."""

    def __init__(self, handler: Callable[..., ResponseReturnValue], *args: Any, **kwargs: Any) -> None:
        super().__init__(handler)
        self.handler = handler
        self.handler_args = args
        self.handler_kwargs = kwargs


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an accept callback returns for content that was taken, and will be acted on later: 202 (RFC 9110 §15.3.3)."""


@dataclass(frozen=True, slots=True)
class Created:
    """What an accept callback of POST returns for a new resource at ``uri``: 201 with ``Location``."""

    uri: str


@dataclass(frozen=True, slots=True)
class SeeOther:
    """What an accept callback of POST returns to point at ``uri``: 303 with ``Location``."""

    uri: str
