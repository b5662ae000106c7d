"""The way out for accounts of other servers, which have a session there: what they send takes it, in place of the link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.link.pending import Pending, jid_or_none
from xmpp_rest.link.spoken import Spoken
from xmpp_rest.protocol.jid import JID

log = logging.getLogger("xmpp_rest.link")

OnAccountStream = Callable[[JID, int], object]
"""Gets the full address of a session, and the number of its stream; 0: the session has ended. Must be quick: it is called on the thread
of the sessions."""


def session_lost(account: JID) -> GatewayError:
    """The session of this account has ended, or there is none: what was to be sent is not."""
    return at_server("session-lost", account.domain)


def broke_meanwhile(account: JID) -> GatewayError:
    """The session of this account has taken something, and broke: nobody knows whether that arrives."""
    return at_server("session-broke", account.domain)


OnceHandled = Callable[[JID, Callable[[], None]], None]
"""Calls the second once all that has come so far by the session of an account (bare) is handled; never if that ends before."""
OnLeft = Callable[[JID, JID], object]
"""Gets the full address of a session, and that of a room that the account has left by a presence of its own. Must be quick."""


class AccountStreams(Protocol):
    """The sessions of accounts of other servers, by their addresses, whatever the resource. Asked in the leader."""

    def has(self, sender: JID) -> bool:
        """Whether the account has a session."""

    def jid(self, sender: JID) -> JID:
        """The full address of the account's session. Raises GatewayError, session-lost: it has none."""

    def stream(self, sender: JID) -> int:
        """The number of the session's stream, which stays the same over a break that is resumed; 0: there is no session."""

    def send(self, sender: JID, stanza: Element) -> None:
        """Queue a stanza for the account's session. Raises GatewayError: session-lost, outbox-share, stanza-too-big."""


class AccountRoutes:
    """Sends what accounts of other servers send, and tells which of their sessions come and go."""

    def __init__(self, pending: Pending, occupancy: Occupancy, spoken: Spoken, incidents: Incidents) -> None:
        self._pending = pending
        self._occupancy = occupancy
        self._spoken = spoken
        self._incidents = incidents
        self._streams: AccountStreams | None = None
        self._once_handled: OnceHandled | None = None
        self._listeners: list[OnAccountStream] = []
        self._on_left: list[OnLeft] = []

    def serve_by(self, streams: AccountStreams) -> None:
        """Send by these sessions. Called while building."""
        self._streams = streams

    def handle_by(self, once_handled: OnceHandled) -> None:
        """What comes by these sessions is handled so. Called while building."""
        self._once_handled = once_handled

    def once_handled(self, sender: JID, act: Callable[[], None]) -> None:
        """Call `act`, which must not wait, once all that has come so far by the account's session is handled: answers overtake the rest."""
        if self._once_handled is not None:
            self._once_handled(sender.bare, act)

    def on_stream(self, listener: OnAccountStream) -> None:
        """Call `listener` when a session has another stream, or has ended, in the order of subscription. Called while building."""
        self._listeners.append(listener)

    def on_left(self, listener: OnLeft) -> None:
        """Call `listener` when an account leaves what may be a room by a presence of its own. Called while building."""
        self._on_left.append(listener)

    def has(self, sender: JID) -> bool:
        """Whether the account of this address has a session; in the leader."""
        return self._streams is not None and self._streams.has(sender)

    def jid(self, sender: JID) -> JID:
        """The full address by which the account sends; in the leader. Raises GatewayError, session-lost."""
        return self._sessions(sender).jid(sender)

    def stream(self, sender: JID) -> int:
        """The number of the stream of the account's session; 0: there is none. In the leader."""
        return 0 if self._streams is None else self._streams.stream(sender)

    def send(self, stanza: Element, sender: JID, stream: int = 0) -> None:
        """Queue a stanza of this account for its session. `stream`: for this one alone; 0: for that which there is.

        Raises GatewayError: session-lost, outbox-share, stanza-too-big.
        """
        streams = self._sessions(sender)
        if stream and streams.stream(sender) != stream:
            raise session_lost(sender)
        self.sends(stanza, streams.jid(sender))
        streams.send(sender, stanza)

    def sends(self, stanza: Element, session: JID) -> None:
        """This is about to be sent by a session, whose full address it is: called before, as the answer may come at once."""
        if (to := jid_or_none(stanza.get("to"))) is not None:
            self._occupancy.sent(stanza, session, to)
        self._spoken.sent((stanza,))

    def has_sent(self, stanza: Element, session: JID) -> None:
        """The account itself has sent this, and it was taken: it may leave a room by that, to which the gateway must not bring it back."""
        if stanza.tag != "presence" or stanza.get("type") != "unavailable":
            return
        to = jid_or_none(stanza.get("to"))
        if to is not None and to.local and to.resource:
            for listener in self._on_left:
                listener(session, to.bare)

    def changed(self, former: int, session: JID, stream: int) -> None:
        """The session of this full address has another stream, or (0) none: waits for answers by the `former` one end."""
        self._pending.fail_stream(former, broke_meanwhile(session))
        for listener in self._listeners:
            try:
                listener(session, stream)
            except Exception:  # the other sessions go on
                self._incidents.report(log, "session-listener", "a change of the session of %s was not noticed", session.bare, trace=True)

    def _sessions(self, sender: JID) -> AccountStreams:
        if self._streams is None:
            raise ValueError(f"{sender} is not at a hosted domain")
        return self._streams
