"""The sessions of foreign accounts, as the router sends by them."""

from __future__ import annotations

from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.jid import JID


class OpenSessions(Protocol):
    """The sessions that there are; in the leader."""

    def has(self, account: JID) -> bool:
        """Whether the account has a session, whatever the resource."""

    def session(self, account: JID) -> ClientSession:
        """The session of an account, whatever the resource. Raises GatewayError, session-lost: there is none."""


class SessionStreams:
    """The `AccountStreams` of the router."""

    def __init__(self, sessions: OpenSessions) -> None:
        self._sessions = sessions

    def has(self, sender: JID) -> bool:
        return self._sessions.has(sender)

    def jid(self, sender: JID) -> JID:
        return self._sessions.session(sender).jid

    def stream(self, sender: JID) -> int:
        """0 also for a full address that is not that of the session: its server has given it another one meanwhile."""
        try:
            session = self._sessions.session(sender)
        except GatewayError:
            return 0
        return session.number if not sender.resource or sender == session.jid else 0

    def send(self, sender: JID, stanza: Element) -> None:
        self._sessions.session(sender).write(stanza)
