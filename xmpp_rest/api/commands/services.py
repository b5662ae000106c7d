"""The services that commands use."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from xmpp_rest import __version__
from xmpp_rest.api.commands.unproven import UnprovenBodies
from xmpp_rest.api.gateway import ApiParts, Gateway
from xmpp_rest.auth.clients import Clients
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.accounts.bans import Bans
from xmpp_rest.service.accounts.private_storage import PrivateStorage
from xmpp_rest.service.accounts.shared_groups import SharedGroups


@dataclass(frozen=True, slots=True)
class Services:
    """The services that commands ask, and the words they use of the gateway."""

    gateway: Gateway
    names: frozenset[str] = frozenset()  # of all commands; each is a scope that a token may have
    unproven: UnprovenBodies = field(default_factory=UnprovenBodies)
    since: float = field(default_factory=time.monotonic)

    @property
    def bans(self) -> Bans:
        return Bans(self.gateway.driver, self.domain)

    @property
    def private(self) -> PrivateStorage:
        return PrivateStorage(self.gateway.driver)

    @property
    def groups(self) -> SharedGroups:
        return SharedGroups(self.gateway.driver, self.domain)

    @property
    def clients(self) -> Clients:
        return Clients(self.gateway.driver, self.domain)

    @property
    def parts(self) -> ApiParts:
        return self.gateway.parts

    @property
    def accounts(self) -> Accounts:
        return self.parts.accounts

    @property
    def domain(self) -> str:
        """The hosted domain."""
        return self.accounts.domain

    @property
    def node(self) -> str:
        """How texts name this server; the peer says `ejabberd@HOST`."""
        return f"xmpp-rest@{self.domain}"

    @property
    def version(self) -> str:
        return __version__

    def require_host(self, host: str) -> None:
        """Raise GatewayError for a domain that is not hosted. Over HTTP rights have asked before, but not for every caller."""
        self.accounts.address("host", host)

    def address(self, user: str, host: str) -> JID:
        """The address of an account, which need not exist. Raises GatewayError for what cannot be one here."""
        return self.accounts.address(user, host)
