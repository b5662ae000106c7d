"""The upload services of accounts elsewhere: those of their own servers, which are asked by their sessions (accounts-anywhere §7.1).

A slot leads to where the owner of such a server wants, so it must be nothing that only the gateway can reach.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.deadline_socket import Addresses, resolve
from xmpp_rest.service.files.fetching import ips_of, is_public
from xmpp_rest.service.files.foreign_service import KEPT, PATIENCE, FoundService, ServiceSearch
from xmpp_rest.service.files.refused import FileRefused
from xmpp_rest.threads.daemon_pool import DaemonPool
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

MOST = 10_000  # accounts of whose services something is known
RESOLVERS = 8  # threads that look names up
SECONDS = 10.0  # for a name, and for an upload beside its bytes
SLOWEST = 50_000  # bytes in a second
HTTPS, FIRST_FREE = 443, 1024  # ports below are those of system services
INSIDE = "The upload service has given a URL that is not one of a public server"


class SessionServices:
    """Every process may ask; the leader finds, and keeps, one service for each account."""

    def __init__(self, router: Router, logins: LoginDomains, remote: Remote, clock: Callable[[], float] = time.monotonic) -> None:
        self._router = router
        self._logins = logins
        self._clock = clock
        self._known: OrderedDict[JID, tuple[FoundService, float]] = OrderedDict()  # with the time until which that counts
        self._lock = Lock()
        self._resolvers = DaemonPool(RESOLVERS, "upload names")
        self._remote = remote
        remote.offer(self)

    def configure(self, logins: LoginDomains) -> None:
        """Work by these settings from now on."""
        self._logins = logins

    # -- what uploads ask for

    def find(self, actor: JID) -> FoundService | None:
        """The service of the actor's server; None: there is none. Raises GatewayError."""
        return self.found_for(actor, Wait(PATIENCE + 2))

    def missing(self, actor: JID) -> str:
        """What is told where there is none."""
        return f"No upload service was found at {actor.domain}, which keeps the files of its accounts"

    def remedy(self, actor: JID) -> str:
        """What helps where it does not let somebody upload."""
        return f"It does not let {actor.bare} upload"

    def note(self, reason: str | None) -> None:
        """Nobody is told later: it is one account's."""

    def last(self, size: int) -> float:
        """Until when a file of this size has to be there (monotonic): a server that takes it too slowly keeps others waiting."""
        return time.monotonic() + SECONDS + size / SLOWEST

    def addresses(self, actor: JID, target: Endpoint) -> Addresses:
        """Where to connect to, for a URL of a slot. Raises FileRefused, OSError, UnicodeError."""
        found = resolve(target.host, target.port, time.monotonic() + SECONDS, self._resolvers)
        login = self._logins.of(actor.domain)
        if login is not None and (login.private or login.host):  # accounts-anywhere §3.3
            return found
        is_allowed = target.secure and (target.port == HTTPS or target.port >= FIRST_FREE)
        if not (is_allowed and found and all(map(is_public, ips_of(found)))):
            raise FileRefused(502, "policy-violation", INSIDE)
        return found

    # -- in the leader

    def _found_deferred(self, reply: Reply, actor: JID, wait: Wait) -> End:
        return self._look(actor, reply)

    @on_leader(deferred=_found_deferred, repeatable=True)
    def found_for(self, actor: JID, wait: Wait) -> FoundService | None:
        """As `find`."""
        ended = OneShot[tuple[FoundService | None]]()
        end = self._look(actor, lambda found: ended.give((found,)))
        answer = ended.wait(*wait)
        if answer is None:
            end()
            answer = ended.wait()
        assert answer is not None
        return answer[0]

    def _look(self, actor: JID, then: Callable[[FoundService | None], object]) -> End:
        account = actor.bare
        with self._lock:
            known, until = self._known.get(account, (None, 0.0))
        if self._clock() < until:
            then(known)
            return _nothing
        last = time.monotonic() + PATIENCE
        search = ServiceSearch(partial(self._ask, account, last), partial(self._keep, account, then))
        self._remote.timers.after(PATIENCE, search.end)  # if it is over by then, that is found out
        search.at_server(JID("", account.domain, ""))
        return search.end

    def _keep(self, account: JID, then: Callable[[FoundService | None], object], found: FoundService | None) -> None:
        if found is not None:
            with self._lock:
                self._known[account] = found, self._clock() + KEPT
                self._known.move_to_end(account)
                if len(self._known) > MOST:
                    self._known.popitem(last=False)
        then(found)

    def _ask(self, account: JID, last: float, to: JID, query: str, then: Callable[[Element | None], None]) -> None:
        def answered(outcome: Any) -> None:
            is_result = not isinstance(outcome, Exception) and outcome[0].get("type") == "result"
            then(outcome[0] if is_result else None)

        iq = make("iq", child(query), type_="get", id_=new_id(), from_=str(account), to_=str(to))
        try:
            self._router.begin_ask(answered, iq, Wait(max(0.1, last - time.monotonic())))
        except (GatewayError, BadXML):
            then(None)


def _nothing() -> None:
    """There is nothing to end."""
