"""The signals of a gateway: what one service announces, and others take notice of, without knowing each other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID

log = logging.getLogger("xmpp_rest.server")

T = TypeVar("T")


class Signal(Generic[T]):
    """Calls its handlers, in the order in which they subscribed, on the emitting thread.

    What a handler raises is reported, and the others are called; if the signal is `strict`, it ends the call and is the emitter's to raise.
    """

    def __init__(self, name: str, incidents: Incidents, *, strict: bool = False) -> None:
        self._name = name
        self._incidents = incidents
        self._strict = strict
        self._handlers: list[Callable[[T], object]] = []

    def subscribe(self, handler: Callable[[T], object]) -> None:
        """Call `handler` from now on; what it returns is ignored. Services subscribe in their constructors."""
        self._handlers.append(handler)

    def emit(self, value: T) -> None:
        """Call the handlers. Raises nothing, or what the first of them raises if the signal is strict."""
        for handler in self._handlers:
            try:
                handler(value)
            except Exception as e:
                if self._strict:
                    raise
                self._incidents.report(log, f"signal-{self._name}", "%s: not everybody could act on it: %r", self._name, e, trace=True)


class Events:
    """All signals of one gateway."""

    def __init__(self, incidents: Incidents) -> None:
        self.came_online = Signal[JID]("came-online", incidents)
        """The account (a bare address) has a session: a stream was opened, or a resource said that it is available.

        Subscribers: `Announcements`, `Offline`.
        """
        self.stream_closed = Signal[JID]("stream-closed", incidents)
        """The event stream of this full address is not there any more. Subscriber: `Sessions`."""
        self.unregistering = Signal[JID]("unregistering", incidents, strict=True)
        """The account is about to be removed; it stays if a handler fails. Subscriber: `AccountEnds`."""
        self.unregistered = Signal[JID]("unregistered", incidents, strict=True)
        """The account has been removed; who removes it hears of what could not be ended. Subscribers: `AccountEnds`,
        `KeptRoomMessages`."""
        self.password_changed = Signal[JID]("password-changed", incidents, strict=True)
        """The account has another password; who changes it hears of a token that could not be revoked. Subscriber: `AccountEnds`."""
