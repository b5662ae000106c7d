"""Forgets wrong passwords, in one process."""

from __future__ import annotations

from xmpp_rest.auth.authenticator import Authenticator
from xmpp_rest.service.sessions.foreign_accounts import ForeignAccounts


class Unbanning:
    """Carries out the broadcast of `unban_ip`."""

    def __init__(self, authenticator: Authenticator, foreign: ForeignAccounts) -> None:
        self._authenticator = authenticator
        self._foreign = foreign

    def unban(self, network: str) -> int:
        """Forget those of hosted accounts, and of accounts of other servers, from an address or a network; of how many.

        Raises ValueError.
        """
        return self._authenticator.unban(network) + self._foreign.unban(network)
