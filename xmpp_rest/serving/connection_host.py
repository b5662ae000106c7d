"""What connections are served with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from xmpp_rest.serving.loop import Loop
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import BadRequest, Request
from xmpp_rest.serving.served import Served
from xmpp_rest.serving.unserved import Unserved
from xmpp_rest.serving.wheel import Overdue, Wheel

C = TypeVar("C", bound=Overdue)
"""The class of the connections, which knows this one."""


class ConnectionHost(Protocol[C]):
    """See `service.Service`."""

    loop: Loop
    wheel: Wheel[C]
    unserved: Unserved
    keep_alive: float

    def reader(self, peer: Any, more: Callable[[], None]) -> RequestReader:
        """What reads the requests of a new connection; `more` is called by who reads more of a body than has come."""

    def exchange(self, connection: C, request: Request) -> Served:
        """What serves a request."""

    def refusal(self, connection: C, error: BadRequest, request: Request | None = None) -> bytes:
        """The answer to what is not a request, or to one that cannot be served; it is logged."""

    def closed(self, connection: C) -> None:
        """A connection has ended."""
