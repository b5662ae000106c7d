"""Builds what hands over the sessions of accounts of other servers to the next owner. Starts nothing."""

from __future__ import annotations

from collections.abc import Callable

from drivers import Driver
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway.left_list import LeftList, Term
from xmpp_rest.gateway.session_handover import SessionHandover
from xmpp_rest.gateway.unclaimed_sessions import STORE
from xmpp_rest.gateway.wiring_foreign_client import ForeignClientParts
from xmpp_rest.gateway.wiring_listening import ListeningParts
from xmpp_rest.gateway.wiring_session_sending import SessionSendingParts
from xmpp_rest.gateway.wiring_sessions import SessionParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.session_hearing import SessionHearing
from xmpp_rest.service.sessions.handed_over import HandedOverSessions
from xmpp_rest.service.sessions.inbound import SessionInbound


def build(
    settings: Settings, driver: Driver, sessions: SessionParts, inbound: SessionInbound, sending: SessionSendingParts,
    client: ForeignClientParts, memberships: Memberships, hearing: SessionHearing, listening: ListeningParts, term: Callable[[], Term],
    incidents: Incidents,
) -> SessionHandover:  # fmt: skip
    """For one process, which may own. `term`: as of LeftList."""
    handed_over = HandedOverSessions(
        sessions.core, sessions.thread, sessions.observers, sessions.upkeep, inbound, sending.presences, client.requests,
        memberships.left, hearing.history, listening.listeners,
    )  # fmt: skip
    kept = LeftList(driver, settings.gateway.domain, STORE, term)
    return SessionHandover(kept, handed_over, sessions.core, sessions.key, settings.link.secret, incidents)
