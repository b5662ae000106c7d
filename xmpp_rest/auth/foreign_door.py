"""What the check of credentials needs of accounts of other servers (accounts-anywhere §5)."""

from __future__ import annotations

from typing import Protocol

from xmpp_rest.protocol.jid import JID


class WrongPassword(Exception):
    """The server of an account says that the password is wrong, or that there is no such account."""


class ForeignDoor(Protocol):
    """Lets accounts of other servers in, by a session at their server. `jid`: the bare address."""

    def admit(self, jid: JID, password: str, address: str) -> JID:
        """The full address of the account's session, which is opened if there is none; `address`: the HTTP client's.

        Raises WrongPassword; GatewayError, an error of `docs/foreign-accounts.md#errors`.
        """

    def still_good(self, jid: JID, password: str) -> bool:
        """Whether the password is the one of the account's session. Asks no server, and opens no session."""
