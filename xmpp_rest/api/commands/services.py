"""What does a command work on?"""

from __future__ import annotations

from dataclasses import dataclass

from xmpp_rest import __version__
from xmpp_rest.gateway import Gateway
from xmpp_rest.service.accounts import Accounts


@dataclass(frozen=True, slots=True)
class Services:
    """The services that commands ask, and the words they use of the gateway."""

    gateway: Gateway
    accounts: Accounts

    @classmethod
    def of(cls, gateway: Gateway) -> Services:
        return cls(gateway, gateway.accounts)

    @property
    def node(self) -> str:
        """How texts name this server; the peer says `ejabberd@HOST`."""
        return f"xmpp-rest@{self.accounts.domain}"

    @property
    def version(self) -> str:
        return __version__
