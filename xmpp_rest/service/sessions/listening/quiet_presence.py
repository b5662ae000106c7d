"""The presence that a session has while somebody listens, its copies of messages, and which other resources its account has.

accounts-anywhere §7.3: priority -1 leaves messages, and what is kept for offline accounts, to the person's own clients.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CARBONS
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.sessions.own_presence import priority_of
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.sessions")

PATIENCE = Wait(30.0)
MOST_RESOURCES = 100  # other resources of one account that are remembered
QUIET = "-1"  # priority


class QuietPresence:
    """Of one account. Methods are called by one thread at a time but for `repeat` and `end`, and raise nothing."""

    def __init__(
        self, account: JID, router: Router, own: int | None, is_allowed: Callable[[], bool], later: Callable[[Callable[[], None]], None]
    ) -> None:
        """`own`: the priority of the account's own presence, None without one; `is_allowed`: whether sessions may become available by
        themselves; `later`: has something called by the thread that calls the methods.
        """
        self._account = account
        self._router = router
        self._is_allowed = is_allowed
        self._later = later
        self._is_wanted = False  # whether somebody listens
        self._own = own
        self._others: dict[str, int] = {}  # available resource → priority
        self._has_carbons = False
        self._asked = 0  # how often carbons were asked for
        self.is_quiet = False
        """Whether the session is available by this presence."""

    @property
    def hears_all(self) -> bool:
        """Whether the server tells this session of all messages as they come: another resource, or this one, gets them."""
        if not self._has_carbons or (self._own is None and not self.is_quiet):
            return False
        return any(priority >= 0 for priority in self._others.values()) or (self._own is not None and self._own >= 0)

    def begin(self) -> None:
        """Somebody listens."""
        self._is_wanted = True
        self._show()
        self._copy("enable")

    def end(self) -> None:
        """Nobody listens any more."""
        self._is_wanted = False
        if self.is_quiet:
            self._write(make("presence", type_="unavailable"))
            self._forget()
        self._copy("disable")

    def repeat(self) -> None:
        """The session is a new one for its server; called by its thread (accounts-anywhere §5.7)."""
        self._forget()
        if self._is_wanted:
            self._show()
            self._copy("enable")

    def own_changed(self, priority: int | None) -> None:
        """The account has said that it is available with this priority, or (None) that it is so no longer."""
        self._own = priority
        self.is_quiet = False
        if priority is None:
            self._others.clear()
            if self._is_wanted:
                self._show()

    def notice(self, presence: Element, resource: str) -> None:
        """Another resource of the account has said how it is."""
        kind = presence.get("type")
        if kind == "unavailable":
            self._others.pop(resource, None)
        elif kind is None and (resource in self._others or len(self._others) < MOST_RESOURCES):
            self._others[resource] = priority_of(presence)

    def forget_others(self) -> None:
        """What other resources have said may be out of date."""
        self._others.clear()

    def _forget(self) -> None:
        self.is_quiet = self._has_carbons = False
        self._others.clear()

    def _show(self) -> None:
        if self._own is None and not self.is_quiet and self._is_allowed():
            self.is_quiet = self._write(make("presence", child("show", "xa"), child("priority", QUIET)))

    def _write(self, presence: Element) -> bool:
        try:
            self._router.accounts.send(presence, self._account)
        except GatewayError as e:
            log.info("the presence of %s is not sent: %s", self._account, e)
            return False
        return True

    def _copy(self, verb: str) -> None:
        """Have copies of messages begin or end."""
        self._asked += 1
        number, self._has_carbons = self._asked, False
        iq = make("iq", child(f"{{{CARBONS}}}{verb}"), type_="set", id_=new_id(), from_=str(self._account), to_=str(self._account))

        def answered(outcome: Any) -> None:
            is_done = not isinstance(outcome, Exception) and outcome[0].get("type") == "result"
            self._later(lambda: self._copies(number, verb == "enable" and is_done))

        try:
            self._router.begin_ask(answered, iq, PATIENCE)
        except GatewayError as e:
            log.info("copies of messages to %s are not asked for: %s", self._account, e)

    def _copies(self, number: int, come: bool) -> None:
        if number == self._asked:
            self._has_carbons = come
