"""What a login is made with: a password, or the keys that SCRAM derives from one (RFC 5802 §3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID


class ScramKeys(NamedTuple):
    """What takes the place of a password at one server, as long as that server keeps its salt. ClientKey is as good as the password."""

    mechanism: str  # SCRAM-SHA-1 and so on
    salt: bytes
    iterations: int
    client_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return f"<keys for {self.mechanism}>"


@dataclass(frozen=True, repr=False)
class LoginCredentials:
    """Who logs in, and by what: `keys` are used where they fit what the server asks for, `password` otherwise."""

    jid: JID  # bare
    password: str | None = None
    keys: ScramKeys | None = None

    def __repr__(self) -> str:
        return f"<credentials of {self.jid}>"
