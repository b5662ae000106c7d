"""Builds the event streams of accounts of other servers (accounts-anywhere §7.3). Starts nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.gateway.wiring_foreign_client import ForeignClientParts
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.listening.account_listening import ListeningServices
from xmpp_rest.service.sessions.listening.feeds import Feeds
from xmpp_rest.service.sessions.listening.foreign_streams import ForeignStreams
from xmpp_rest.service.sessions.listening.listeners import Hold, Listeners
from xmpp_rest.service.sessions.listening.session_listening import SessionListening
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.streams.registry import Streams


@dataclass(frozen=True)
class ListeningParts:
    """`streams`: what APIs open; `sessions`: what hears by sessions; `presence_of`: none, quiet or own, of a session's address."""

    streams: ForeignStreams
    sessions: SessionListening
    presence_of: Callable[[JID], str]


def build_listening(
    settings: StreamSettings, in_force: Callable[[], SessionsSettings], streams: Streams, router: Router, client: ForeignClientParts,
    hold: Callable[[JID], Hold], presences: OwnPresences, remote: Remote, incidents: Incidents,
) -> ListeningParts:  # fmt: skip
    """The parts of one process. `in_force`: the settings of sessions now; `hold`: keeps a session open."""
    feeds = Feeds(streams, remote, incidents)
    services = ListeningServices(
        router, client.archive, client.features, in_force, streams.publish, feeds.end, streams.pool, incidents
    )  # fmt: skip
    listeners = Listeners(services, streams.directory.count, hold, presences.priority, streams.timers)
    sessions = SessionListening(listeners, client.requests)
    presences.on_change(sessions.own_changed)

    def presence_of(session: JID) -> str:
        return "own" if presences.has(session) else "quiet" if listeners.is_quiet(session.bare) else "none"

    return ListeningParts(ForeignStreams(streams, listeners, feeds, settings.queue_size, remote), sessions, presence_of)
