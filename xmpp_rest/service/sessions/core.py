"""What the parts of the sessions share in the leader: settings, sessions, and what is known of passwords and servers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_tables import LoginSettings, SessionsSettings
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.login_pauses import LoginPauses
from xmpp_rest.service.sessions.login_queue import LoginQueue
from xmpp_rest.service.sessions.proofs import RefusedProofs, new_key
from xmpp_rest.service.sessions.session_table import SessionTable
from xmpp_rest.service.sessions.wrong_passwords import WrongPasswords

NO_PRESENCE = "none"
PresenceOf = Callable[[JID], str]


def _no_presence(_: JID) -> str:
    """Nothing tells of presences."""
    return NO_PRESENCE


class SessionCore:
    """`lock`, which nobody holds while he waits or calls what may, guards all but the queue, which has its own."""

    def __init__(self, domains: LoginDomains, settings: SessionsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        """Seconds, of monotonic time."""
        self.lock = threading.Lock()
        self._key = new_key()
        self.table = SessionTable(settings, clock)
        self.wrong = WrongPasswords(settings, clock)
        self.refused = RefusedProofs(clock)
        self.pauses = LoginPauses(settings, clock)
        self.queue = LoginQueue(settings.logins, settings.login_timeout)
        self._domains = domains
        self._settings = settings
        self._presence_of: PresenceOf = _no_presence

    def tell_presence_by(self, presence_of: PresenceOf) -> None:
        """Ask this for presences. Called while building."""
        self._presence_of = presence_of

    def presence_of(self, session: JID) -> str:
        """What a session of this full address has told of itself: NO_PRESENCE, quiet (it listens), or own. Not called with the lock."""
        return self._presence_of(session)

    @property
    def key(self) -> bytes:
        """With which proofs are made."""
        return self._key

    def go_on_with(self, key: bytes) -> None:
        """Make proofs with the key of the leader before: those that it has handed over stay good. Before anybody is let in."""
        self._key = key

    @property
    def settings(self) -> SessionsSettings:
        """Those in force now."""
        return self._settings

    @property
    def domains(self) -> LoginDomains:
        """Those whose accounts may come in now."""
        return self._domains

    def login_of(self, domain: str) -> LoginSettings | None:
        """How the server of a domain is reached; None: its accounts may not come in."""
        return self._domains.of(domain)

    def configure(self, domains: LoginDomains, settings: SessionsSettings) -> None:
        """Work by these settings from now on."""
        with self.lock:
            self._domains, self._settings = domains, settings
            for part in (self.table, self.wrong, self.pauses):
                part.configure(settings)
            self.pauses.forget()
        self.queue.configure(settings.logins, settings.login_timeout)
