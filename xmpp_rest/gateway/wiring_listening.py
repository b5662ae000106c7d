"""Builds the event streams of accounts of other servers (accounts-anywhere §7.3). Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest.config.table import StreamSettings
from xmpp_rest.gateway.wiring_foreign_client import ForeignClientParts
from xmpp_rest.gateway.wiring_sessions import SessionParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.listening.account_listening import ListeningServices
from xmpp_rest.service.sessions.listening.feeds import Feeds
from xmpp_rest.service.sessions.listening.foreign_streams import ForeignStreams
from xmpp_rest.service.sessions.listening.listeners import Listeners
from xmpp_rest.service.sessions.listening.session_listening import SessionListening
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.streams.registry import Streams


@dataclass(frozen=True)
class ListeningParts:
    """`streams`: what APIs open, `listeners`: whose.

    `sessions`: what hears by sessions, which is to observe them after what takes in their stanzas.
    """

    streams: ForeignStreams
    listeners: Listeners
    sessions: SessionListening


def build_listening(
    settings: StreamSettings, sessions: SessionParts, presences: OwnPresences, client: ForeignClientParts, streams: Streams, router: Router,
    remote: Remote, incidents: Incidents, *, has_successor: bool,
) -> ListeningParts:  # fmt: skip
    """The parts of one process. `has_successor`: whether there may be other nodes, which go on with its sessions."""
    accounts, feeds = sessions.accounts, Feeds(streams, remote, incidents)
    services = ListeningServices(
        router, client.archive, client.features, lambda: accounts.settings, streams.publish, feeds.end, streams.pool, incidents,
        has_successor,
    )  # fmt: skip
    listeners = Listeners(services, streams.directory.count, accounts.hold, presences.priority, streams.timers)
    hears = SessionListening(listeners, client.requests)
    presences.on_change(hears.own_changed)

    def presence_of(session: JID) -> str:
        return "own" if presences.has(session) else "quiet" if listeners.is_quiet(session.bare) else "none"

    sessions.views.tell_presence_by(presence_of)
    return ListeningParts(ForeignStreams(streams, listeners, feeds, settings.queue_size, remote), listeners, hears)
