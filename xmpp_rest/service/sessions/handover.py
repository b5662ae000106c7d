"""Gives stanzas to sessions, and knows what becomes of them (accounts-anywhere §7.1, §7.2). In the leader."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.account_streams import AccountRoutes, broke_meanwhile
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.link.outbox import Label
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.sessions.streams import OpenSessions

log = logging.getLogger("xmpp_rest.sessions")

TOGETHER = 64  # stanzas for which the server is asked once whether it has processed them


class GivenStanzas:
    """Some stanzas of one account, and what became of them."""

    def __init__(self, stanzas: Sequence[OutboundMessage]) -> None:
        self.stanzas = stanzas
        self.labels = [Label(str(outgoing.sender.bare), outgoing.stanza.get("id", "")) for outgoing in stanzas]
        self._session: ClientSession | None = None  # that has taken them
        self._error: Exception | None = None  # why none has, or they are lost
        self._has_ended = False

    def taken(self, session: ClientSession) -> None:
        """The session has taken them."""
        self._session = session

    def refused(self, error: Exception) -> None:
        """No session takes them."""
        self._error = error

    def ended(self, error: GatewayError | None) -> None:
        """They are processed, or lost."""
        self._error = error
        self._has_ended = True

    def results(self, outcomes: Outcomes) -> list[Result]:
        """What is known of each now."""
        return [self._result(outcomes, outgoing) for outgoing in self.stanzas]

    def _result(self, outcomes: Outcomes, outgoing: OutboundMessage) -> Result:
        if self._session is None:
            return self._error
        outcome = outcomes.get(outgoing.sender, outgoing.stanza.get("id", ""))
        if outcome is not None and outcome.refusal is not None:
            return outcome.refusal
        is_unknown = self._error is not None or not (self._has_ended or self._session.is_up)
        return broke_meanwhile(outgoing.sender) if is_unknown else None


class Handover:
    """The stanzas of one call on their way. `done` gets it once all of it has ended, by any thread."""

    def __init__(self, outcomes: Outcomes, done: Callable[[Handover], object]) -> None:
        self._outcomes = outcomes
        self._done = done
        self._parts: list[GivenStanzas] = []
        self._open = 1  # parts that have not ended, and the call that gives them
        self._lock = threading.Lock()

    def add(self, part: GivenStanzas) -> None:
        """Another part, in order."""
        with self._lock:
            self._parts.append(part)
            self._open += 1

    def drop(self, part: GivenStanzas) -> None:
        """The last part was not taken, and others come in its place."""
        with self._lock:
            self._parts.remove(part)
            self._open -= 1

    def end(self) -> None:
        """A part has ended; and, after the last part, that there is no other one."""
        with self._lock:
            self._open -= 1
            is_last = not self._open
        if is_last:
            self._done(self)

    def results(self) -> list[Result]:
        """What is known of each now: the error that refused it; None: it is with the server, or waits to be; or why it is lost."""
        return [result for part in self._parts for result in part.results(self._outcomes)]


class Handovers:
    """Gives stanzas to the sessions of their senders. Safe to be used by several threads."""

    def __init__(self, sessions: OpenSessions, routes: AccountRoutes, outcomes: Outcomes, own: OwnPresences, incidents: Incidents) -> None:
        self._sessions = sessions
        self._routes = routes
        self._outcomes = outcomes
        self._own = own
        self._incidents = incidents

    def begin(self, stanzas: Sequence[OutboundMessage], done: Callable[[Handover], object]) -> Handover:
        """Give these, which are of one account, in their order. `done` gets them once the server has processed them, or all is lost."""
        handover = Handover(self._outcomes, done)
        for start in range(0, len(stanzas), TOGETHER):
            self._give(stanzas[start : start + TOGETHER], handover)
        handover.end()
        return handover

    def _give(self, stanzas: Sequence[OutboundMessage], handover: Handover) -> None:
        """Give them together; if they are not taken, each alone, so that one of them does not stand for all."""
        part = GivenStanzas(stanzas)
        handover.add(part)
        try:
            session = self._sessions.session(stanzas[0].sender)
            self._hand_over(part, session, handover)
        except Exception as e:  # BadXML, or a GatewayError
            if len(stanzas) == 1 or (isinstance(e, GatewayError) and e.name == "session-lost"):
                part.refused(e)
                handover.end()
                return
            handover.drop(part)
            for outgoing in stanzas:
                self._give((outgoing,), handover)
        else:
            self._tell(stanzas, session)

    def _hand_over(self, part: GivenStanzas, session: ClientSession, handover: Handover) -> None:
        """Raises GatewayError, BadXML: then the session has taken none."""

        def ended(error: GatewayError | None) -> None:
            part.ended(error)
            self._outcomes.reached(part.labels, "confirmed" if error is None else "lost")
            handover.end()

        def written() -> None:
            self._outcomes.reached(part.labels, "written")

        sent = {label: outgoing.to for label, outgoing in zip(part.labels, part.stanzas, strict=True)}
        known = {label: self._outcomes.get(part.stanzas[0].sender, label.id) for label in part.labels}
        earlier = {label: outcome for label, outcome in known.items() if outcome is not None}
        self._outcomes.of_session(sent, part.stanzas[0].request_id)
        for outgoing in part.stanzas:
            self._routes.sends(outgoing.stanza, session.jid)
        try:
            session.confirm([outgoing.stanza for outgoing in part.stanzas], ended, written)
        except Exception:
            self._outcomes.forget(part.labels, earlier)
            raise
        part.taken(session)

    def _tell(self, stanzas: Sequence[OutboundMessage], session: ClientSession) -> None:
        """The session has taken these: whatever is raised here, they are not sent again."""
        for outgoing in stanzas:
            try:
                self._routes.has_sent(outgoing.stanza, session.jid)
                if outgoing.stanza.tag == "presence" and "to" not in outgoing.stanza.attrib:
                    self._own.sent(outgoing.stanza, session)
            except Exception:
                self._incidents.report(log, "session-presence", "a presence of %s was not noticed", session.account, trace=True)
