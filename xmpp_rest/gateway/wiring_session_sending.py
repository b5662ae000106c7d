"""Builds what sends by the sessions of accounts of other servers, and what takes in what comes by them. Starts nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.wiring_rooms import RoomParts
from xmpp_rest.gateway.wiring_sessions import SessionParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Handler, Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.sessions.answers import ForeignAnswers
from xmpp_rest.service.sessions.handover import Handovers
from xmpp_rest.service.sessions.inbound import SessionInbound
from xmpp_rest.service.sessions.own_entity import OwnEntity
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.sessions.room_sessions import RoomSessions
from xmpp_rest.service.sessions.sending import ForeignSending
from xmpp_rest.service.sessions.streams import SessionStreams
from xmpp_rest.threads.waits import Waits


@dataclass(frozen=True)
class SessionSendingParts:
    """What sends. `presences`: which accounts have one of their own."""

    sending: ForeignSending
    answers: ForeignAnswers
    presences: OwnPresences


def build_session_sending(
    settings: Settings, driver: Driver, sessions: SessionParts, router: Router, hosted: Sending, rooms: RoomParts, outcomes: Outcomes,
    longest: float, waits: Waits, remote: Remote, incidents: Incidents, counts: Counts,
) -> SessionSendingParts:  # fmt: skip
    """The parts of one process. `longest`: seconds that a request takes at most."""
    router.accounts.serve_by(SessionStreams(sessions.accounts))
    presences = OwnPresences()
    sessions.observers.subscribe(presences)
    sessions.observers.subscribe(RoomSessions(rooms.memberships.sessions))
    handovers = Handovers(sessions.accounts, router.accounts, outcomes, presences, incidents)
    sending = ForeignSending(hosted, handovers, rooms.speaking, settings.sessions, waits, remote, counts)
    answers = ForeignAnswers(driver, settings.gateway.domain, longest + settings.sessions.confirm_timeout)
    return SessionSendingParts(sending, answers, presences)


def build_session_inbound(
    sessions: SessionParts, router: Router, handlers: Sequence[Handler], incidents: Incidents, counts: Counts
) -> SessionInbound:
    """`handlers`: who is asked about what comes in before the session answers for itself, in this order."""
    entity = OwnEntity()
    inbound = SessionInbound(router, (*handlers, entity.handle_roster, entity.handle), incidents, counts)
    router.accounts.handle_by(inbound.after)
    sessions.observers.subscribe(inbound)
    sessions.lifecycle.stop_with(inbound)
    return inbound
