"""What a connection asks of a request that is being served."""

from __future__ import annotations

from typing import Protocol

from xmpp_rest.serving.request import Request


class Served(Protocol):
    """A request that is being served. See `exchange.Exchange`."""

    request: Request

    def perform(self) -> None:
        """Answer, as a task; `Connection.done` is called at the end."""

    keeps_alive: bool
    """Whether another request may follow on the connection, as the answer said."""

    @property
    def wants_body(self) -> bool:
        """Whether somebody waits for more of the body."""

    def more(self) -> None:
        """Wait until there is more of the body, or there will not be. Called by its reader."""

    def body_came(self) -> None:
        """There is more of the body, or there will not be."""

    def room_came(self) -> None:
        """The client has taken what was sent."""

    def client_left(self) -> None:
        """The client has closed its side, or is gone."""
