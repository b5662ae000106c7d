"""The answers that `Idempotency-Key` repeats to accounts of other servers.

There may be any number of these accounts, so they share a fixed number of tables, where the oldest answers of all go first.
"""

from __future__ import annotations

from drivers import Driver
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.idempotency import Answer, Claim, Idempotency

STORES = "idempotency_elsewhere"
SHARDS = 256  # with at most 100 answers and 2 MiB each


class ForeignAnswers:
    """As `Idempotency`, of whose methods it has those that APIs use. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, lease: float) -> None:
        """`domain`: whose tables these are; `lease`: as there."""
        self._owner = JID("", domain, "")
        self._kept = Idempotency(driver, lease, STORES, SHARDS)

    def begin(self, owner: JID, key: str, request: str) -> Claim | Answer:
        """Claim the key for a request of this account, or return its earlier answer. Raises OtherRequest, StillRunning."""
        return self._kept.begin(self._owner, f"{owner.bare}\n{key}", request)

    def finish(self, claim: Claim, answer: Answer) -> None:
        """Store the answer."""
        self._kept.finish(claim, answer)

    def release(self, claim: Claim) -> None:
        """Release the key, as nothing was done."""
        self._kept.release(claim)
