"""Foreign accounts: how any process lets them in, and what it may ask about their sessions, which the leader has."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import NamedTuple

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.errors import GatewayError, at_server
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.admissions import Admitted, SessionAdmissions
from xmpp_rest.service.sessions.core import SessionCore
from xmpp_rest.service.sessions.holds import SessionHold
from xmpp_rest.service.sessions.known_sessions import KnownSessions
from xmpp_rest.service.sessions.logins import Logins
from xmpp_rest.service.sessions.password_carriage import PasswordCarriage
from xmpp_rest.service.sessions.process_key import ProcessKey
from xmpp_rest.service.sessions.proofs import is_same, proof_of
from xmpp_rest.service.sessions.session_table import KeptSession
from xmpp_rest.service.sessions.upkeep import Upkeep
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait, Waits

TURNS = 3  # login_timeouts that a request waits at most: that of another attempt, its own, and one for what is between


class Entrance(NamedTuple):
    """What is known of who wants in. `session`: the full address, of who is in; `is_known`: False: a server has to be asked."""

    session: JID | None
    is_known: bool = True


class ForeignAccounts:
    """Safe to be used by several threads; `admit`, `still_good` and what is marked `on_leader` by all processes."""

    def __init__(
        self,
        core: SessionCore,
        admissions: SessionAdmissions,
        logins: Logins,
        upkeep: Upkeep,
        known: KnownSessions,
        carriage: PasswordCarriage,
        key: ProcessKey,
        waits: Waits,
        remote: Remote,
    ) -> None:
        """`carriage`: of passwords, to the leader; `key`: of proofs."""
        self._core = core
        self._admissions = admissions
        self._logins = logins
        self._upkeep = upkeep
        self._waits = waits
        self._remote = remote
        self._carriage = carriage
        self._key = key
        self._known = known
        remote.offer(self)

    # -- credentials, in any process (ForeignDoor)

    def admit(self, jid: JID, password: str, address: str) -> JID:
        """The full address of the account's session, which is opened if there is none; `address`: the HTTP client's.

        Raises WrongPassword; GatewayError: of accounts-anywhere §6, waits-full, link-down.
        """
        account = jid.bare
        proof = proof_of(self._key.get(), account, password)
        if (session := self._known.get(account, proof)) is not None:
            return session
        session = self._known.asked(account, proof, lambda: self._asked(account, proof, password, address))
        if session is None:
            raise WrongPassword
        return session

    def _asked(self, account: JID, proof: bytes, password: str, address: str) -> JID | None:
        """The full address of the session; None: the password is wrong. Raises GatewayError."""
        entrance = self.enter(account, proof.hex(), address)
        if not entrance.is_known:
            with self._waits.holding(str(account)):
                sealed, wait = self._carriage.put_in(password, str(account)), Wait(TURNS * self._core.settings.login_timeout)
                entrance = self.log_in(account, sealed, address, wait)
        return entrance.session

    def still_good(self, jid: JID, password: str) -> bool:
        """Whether the password is the one of the account's session. Asks no server, and opens no session. Raises GatewayError."""
        account = jid.bare
        try:
            return self.is_proof(account, proof_of(self._key.get(), account, password).hex())
        except WrongPassword:
            return False

    @on_leader(repeatable=True)
    def enter(self, account: JID, proof: str, address: str) -> Entrance:
        """What is known of this proof without asking a server. Raises GatewayError: there is no way in now."""
        known = self._admissions.enter(account, bytes.fromhex(proof), address)
        return Entrance(None, is_known=False) if known is None else _entrance(known)

    @on_leader(repeatable=True)
    def is_proof(self, account: JID, proof: str) -> bool:
        """Whether this is the proof of the account's session."""
        kept = self._core.table.get(account)
        return kept is not None and is_same(kept.proof, bytes.fromhex(proof))

    def _begin_log_in(self, account: JID, password: str, address: str, give: Callable[[Admitted], object]) -> None:
        self._upkeep.wake()
        self._admissions.begin(account, password, address, give)

    def _log_in_deferred(self, reply: Reply, account: JID, sealed: str, address: str, wait: Wait) -> End:
        password = self._carriage.taken_out(sealed, str(account))  # its key is known: that of proofs came by it
        ended: OneShot[bool] = OneShot()

        def answer(admitted: Admitted) -> None:
            if not ended.give(True):
                return
            timers.cancel(timer)
            try:
                reply(_entrance(admitted))
            except GatewayError as e:
                reply(e)

        def give_up() -> None:
            answer(_late(account))

        timers = self._remote.timers
        timer = Timer(give_up)
        timers.set(timer, wait.seconds)
        self._begin_log_in(account, password, address, answer)
        return give_up

    @on_leader(deferred=_log_in_deferred, repeatable=True)
    def log_in(self, account: JID, sealed: str, address: str, wait: Wait) -> Entrance:
        """Have the server asked, if need be. `sealed`: the password, as it is carried. Raises GatewayError."""
        ended: OneShot[Admitted] = OneShot()
        self._begin_log_in(account, self._carriage.taken_out(sealed, str(account)), address, ended.give)
        return _entrance(ended.wait(*wait) or _late(account))

    # -- sessions, in the leader

    def session(self, account: JID) -> ClientSession:
        """The session of an account, whatever the resource. Raises GatewayError, session-lost: there is none."""
        return self._kept(account).session

    def has(self, account: JID) -> bool:
        """Whether the account has a session."""
        return self._core.table.get(account.bare) is not None

    def hold(self, account: JID) -> SessionHold:
        """Keep the session open for an event stream, until that releases it. Raises GatewayError, session-lost."""
        with self._core.lock:
            kept = self._kept(account)
            self._core.table.use(kept)
            return SessionHold(kept, self._core.lock, self._core.clock)

    def in_use_by(self, users: Callable[[], Set[JID]]) -> None:
        """Keep the sessions open whose full addresses this returns. Called while building."""
        self._core.table.in_use_by(users)

    def _kept(self, account: JID) -> KeptSession:
        kept = self._core.table.get(account.bare)
        if kept is None:
            raise at_server("session-lost", account.domain)
        return kept

    # -- settings

    @property
    def settings(self) -> SessionsSettings:
        """Those in force now."""
        return self._core.settings

    def configure(self, domains: LoginDomains, settings: SessionsSettings) -> None:
        """Work by these settings, and end the sessions of domains that are no longer listed, or whose section has changed."""
        self._core.configure(domains, settings)
        self._logins.settings_changed()

    def unban(self, network: str) -> int:
        """Forget the wrong passwords from an address or a network; of how many pairs of address and domain. Raises ValueError."""
        with self._core.lock:
            return self._core.wrong.unban(network)


def _entrance(admitted: Admitted) -> Entrance:
    """As it is carried. Raises GatewayError."""
    if isinstance(admitted, GatewayError):
        raise admitted.again()  # it may be told to others too, or be kept (accounts-anywhere §4.4)
    return Entrance(admitted if isinstance(admitted, JID) else None)


def _late(account: JID) -> GatewayError:
    """No answer has come in time, though every attempt has its bounds."""
    return at_server("unreachable", account.domain)
