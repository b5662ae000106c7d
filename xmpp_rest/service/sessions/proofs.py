"""Proofs: what a password is known by, while a session lasts or the server has refused it (accounts-anywhere §4.4)."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable

from xmpp_rest.auth.foreign_door import WrongPassword
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.prep import PrepError, saslprep

KEY_BYTES = 32
PLACES = 10_000  # refused proofs that are remembered, the oldest first to go


def new_key() -> bytes:
    """The key of one process, which is never written."""
    return secrets.token_bytes(KEY_BYTES)


def proof_of(key: bytes, account: JID, password: str) -> bytes:
    """What this password of a bare address is known by. Raises WrongPassword for one that cannot be prepared (RFC 4013)."""
    try:
        prepared = saslprep(password)
    except PrepError:
        raise WrongPassword from None
    return hmac.digest(key, b"%s\0%s" % (str(account).encode(), prepared.encode()), "sha256")


def is_same(proof: bytes, other: bytes) -> bool:
    """Whether two proofs are the same; says nothing by the time that it takes."""
    return hmac.compare_digest(proof, other)


class RefusedProofs:
    """Proofs of passwords that servers have refused lately, and how. Guarded by its owner."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._refused: OrderedDict[bytes, tuple[float, WrongPassword | GatewayError]] = OrderedDict()  # until which monotonic time

    def __len__(self) -> int:
        return len(self._refused)

    def add(self, proof: bytes, how: WrongPassword | GatewayError, seconds: float) -> None:
        """The server has refused it: it is refused for so long without asking."""
        self._refused[proof] = self._clock() + seconds, how
        self._refused.move_to_end(proof)
        if len(self._refused) > PLACES:
            self._refused.popitem(last=False)

    def get(self, proof: bytes) -> WrongPassword | GatewayError | None:
        """How it was refused, if that is not long ago."""
        until, how = self._refused.get(proof, (0.0, None))
        if how is not None and until <= self._clock():
            del self._refused[proof]
            return None
        return how

    def forget(self, proof: bytes) -> None:
        """It is good now."""
        self._refused.pop(proof, None)
