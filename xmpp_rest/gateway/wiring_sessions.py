"""Builds the sessions of accounts of other servers, and what is done over these. Starts nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from drivers import Driver
from xmpp_rest.auth.sealing import KeyedSeal, NoSeal
from xmpp_rest.auth.shared_keys import SharedKeys
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.table import Settings
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.c2s.sessions_thread import SessionsThread
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.sessions.admissions import SessionAdmissions
from xmpp_rest.service.sessions.asking import AskingServers
from xmpp_rest.service.sessions.connector import ServerConnector
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.foreign_accounts import ForeignAccounts
from xmpp_rest.service.sessions.known_sessions import KnownSessions
from xmpp_rest.service.sessions.lifecycle import SessionsLifecycle
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.observers import SessionObservers
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage
from xmpp_rest.service.sessions.process_key import ProcessKey
from xmpp_rest.service.sessions.relogins import Relogins
from xmpp_rest.service.sessions.resource import SessionResources
from xmpp_rest.service.sessions.session_views import SessionViews
from xmpp_rest.service.sessions.upkeep import Upkeep
from xmpp_rest.threads.waits import Waits


@dataclass(frozen=True)
class SessionParts:
    """Who is let in, and the sessions. `observers`: parts that work with sessions subscribe there to what happens to these.

    `core`, `thread`, `upkeep` and `key` are for who hands them over.
    """

    accounts: ForeignAccounts
    views: SessionViews
    observers: SessionObservers
    lifecycle: SessionsLifecycle
    core: SessionCore
    thread: SessionsThread
    upkeep: Upkeep
    key: ProcessKey


def build_sessions(
    settings: Settings, data_dir: Path, driver: Driver, waits: Waits, remote: Remote, incidents: Incidents, counts: Counts,
    former_key: bytes | None = None,
) -> SessionParts:  # fmt: skip
    """The parts of one process that let accounts in; they know of no link and no storage. `former_key`: as of ProcessKey."""
    core = SessionCore(LoginDomains(settings.logins, settings.domains), settings.sessions)
    connector = ServerConnector()
    shared = SharedKeys(driver, settings.gateway.domain) if settings.cluster.is_on else None
    resources = SessionResources(data_dir, lambda: core.settings.resource, shared)
    asking = AskingServers(core, counts)
    observers = SessionObservers(incidents)
    seal = KeyedSeal(shared, settings.link.secret) if shared is not None else NoSeal()
    carriage = PasswordCarriage(seal, incidents)
    thread = SessionsThread(settings.sessions, Relogins(core, connector, asking), incidents)
    known = KnownSessions(core, remote)
    logins = Logins(core, connector, thread, observers, resources, asking, known.publish)
    upkeep = Upkeep(core, logins, counts, known.publish)
    observers.subscribe(upkeep)
    key = ProcessKey(core, carriage, remote, learns_early=settings.cluster.is_on and bool(settings.logins), former=former_key)
    accounts = ForeignAccounts(core, SessionAdmissions(core, logins, counts), logins, upkeep, known, carriage, key, waits, remote)
    views = SessionViews(core, logins, remote)
    return SessionParts(accounts, views, observers, SessionsLifecycle(core, logins, upkeep, thread), core, thread, upkeep, key)
