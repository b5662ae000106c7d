"""Tells all parts that work with sessions what happens to these."""

from __future__ import annotations

import logging
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.session import ClientSession, SessionEvents

log = logging.getLogger("xmpp_rest.sessions")


class SessionObservers(SessionEvents):
    """Hands on every event to all subscribers in their order, on the sessions' thread. What one of them raises is reported."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents
        self._observers: list[SessionEvents] = []

    def subscribe(self, observer: SessionEvents) -> None:
        """Tell this one as well. Called while building."""
        self._observers.append(observer)

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        self._tell(lambda observer: observer.received(session, stanza, size))

    def is_worth_resuming(self, session: ClientSession) -> bool:
        found: list[bool] = []
        self._tell(lambda observer: found.append(observer.is_worth_resuming(session)))
        return any(found)

    def broke(self, session: ClientSession) -> None:
        self._tell(lambda observer: observer.broke(session))

    def resumed(self, session: ClientSession) -> None:
        self._tell(lambda observer: observer.resumed(session))

    def rebound(self, session: ClientSession) -> None:
        self._tell(lambda observer: observer.rebound(session))

    def ended(self, session: ClientSession, reason: str) -> None:
        self._tell(lambda observer: observer.ended(session, reason))

    def _tell(self, call: Callable[[SessionEvents], object]) -> None:
        for observer in self._observers:
            try:
                call(observer)
            except Exception as e:
                self._incidents.report(log, "session-event", "a change of a session was not noticed: %r", e, trace=True)
