"""Hands on to the listeners what happens to sessions, and what reaches them; in the leader."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.contact_requests import ContactRequests
from xmpp_rest.service.sessions.ends import ADMINISTERED, LOGGED_OUT, RELOAD, STOPPING
from xmpp_rest.service.sessions.listening.listeners import Listeners
from xmpp_rest.service.sessions.session_observer import SessionObserver

WHY = {
    "conflict": "the session was replaced by another login",
    "not-authorized": "the server does not accept the credentials any more",
    "lost": "the session broke off, and could not be resumed",
    "broken": "the session broke off",
    ADMINISTERED: "an administrator has ended the session",
    LOGGED_OUT: "the account has logged out",
    RELOAD: "the settings for the server have changed",
    STOPPING: "the gateway stops",
}
"""Why a session has ended → what its streams say."""


class SessionListening(SessionObserver):
    """An observer of sessions, after the one that takes in what comes by them; and a handler of that."""

    def __init__(self, listeners: Listeners, requests: ContactRequests) -> None:
        self._listeners = listeners
        self._requests = requests

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take messages and presences; without listeners the server's archive has what it has."""
        if stanza.tag == "presence":
            self._requests.received(stanza, sender, to)
        return None if self._listeners.received(to.bare, stanza) else NOT_MINE

    def own_changed(self, account: JID, _: bool) -> None:
        """The account has another presence of its own, or none any more."""
        self._listeners.own_changed(account)

    def is_worth_resuming(self, session: ClientSession) -> bool:
        return self._listeners.is_listened_to(session.account)

    def resumed(self, session: ClientSession) -> None:
        self._listeners.resumed(session.account)

    def rebound(self, session: ClientSession) -> None:
        self._listeners.rebound(session.account)

    def ended(self, session: ClientSession, reason: str) -> None:
        self._requests.ended(session.account)
        self._listeners.ended(session.account, session, WHY.get(reason, "the session has ended"))
