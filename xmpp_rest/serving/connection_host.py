"""What connections are served with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from xmpp_rest.serving.loop import Loop
from xmpp_rest.serving.reading import RequestReader
from xmpp_rest.serving.request import BadRequest, Request
from xmpp_rest.serving.served import Served
from xmpp_rest.serving.unserved import Unserved
from xmpp_rest.serving.wheel import Wheel

if TYPE_CHECKING:
    from xmpp_rest.serving.connection import Connection


class ConnectionHost(Protocol):
    """See `service.Service`."""

    loop: Loop
    wheel: Wheel[Connection]
    unserved: Unserved
    keep_alive: float

    def reader(self, peer: Any, more: Callable[[], None]) -> RequestReader:
        """What reads the requests of a new connection; `more` is called by who reads more of a body than has come."""

    def exchange(self, connection: Connection, request: Request) -> Served:
        """What serves a request."""

    def refusal(self, connection: Connection, error: BadRequest) -> bytes:
        """The answer to what is not a request; it is logged."""

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
