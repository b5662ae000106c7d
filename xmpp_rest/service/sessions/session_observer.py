"""The base of who takes notice of some of what happens to sessions."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.session import ClientSession


class SessionObserver:
    """`SessionEvents` says when each of these is called; a subclass has those that it is about."""

    def received(self, session: ClientSession, stanza: Element, size: int) -> None:
        """What comes in is for others."""

    def is_worth_resuming(self, session: ClientSession) -> bool:
        """Nothing here needs the session."""
        return False

    def broke(self, session: ClientSession) -> None:
        """One of the other three follows."""

    def resumed(self, session: ClientSession) -> None:
        """All is as it was."""

    def rebound(self, session: ClientSession) -> None:
        """Nothing is to be repeated."""

    def ended(self, session: ClientSession, reason: str) -> None:
        """Nothing is kept of it."""
