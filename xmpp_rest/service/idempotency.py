"""Was this request made before, and what was it answered? Answers by idempotency key, for a day, in every process.

Draft draft-ietf-httpapi-idempotency-key-header-07. They are kept by the storage driver in SHARDS tables of each caller, so that one
request does not write all of them anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID

KEPT = 86_400.0  # seconds for which an answer is kept
SHARDS = 16
MAX_ANSWERS = 100  # of one table; the oldest go first
MAX_BYTES = 2 << 20  # of all bodies of one table, likewise
MAX_BODY = 256 << 10  # bytes; of a longer one it is only kept that there was one

Entries = dict[str, dict[str, Any]]


class Answer(NamedTuple):
    """What the first request was answered. `body` is None where it was too long to be kept."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes | None


class OtherRequest(Exception):
    """The key came with another request."""


class StillRunning(Exception):
    """The first request has not been answered yet."""


class _Answered(Exception):
    """Leaves an update without a change."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Claim(NamedTuple):
    """The right to answer the request of this key; `owner` is the caller's address."""

    owner: JID
    name: str
    token: str

    @property
    def store(self) -> str:
        """Where its answer is kept."""
        return f"idempotency_{int(self.name[:2], 16) % SHARDS:x}"


class Idempotency:
    """The answers of all callers. Methods raise StorageError."""

    def __init__(self, driver: Driver, lease: float) -> None:
        """`lease`: seconds after which a request that was not answered was cut off by a crash, and may be made again."""
        self._driver = driver
        self._lease = lease

    def begin(self, owner: JID, key: str, request: str) -> Claim | Answer:
        """Claim the key for a request (its fingerprint), or the answer that it got before. Raises OtherRequest, StillRunning."""
        claim = Claim(owner, hashlib.sha256(key.encode()).hexdigest(), secrets.token_urlsafe(9))
        now = time.time()

        def change(entries: Entries) -> None:
            entry = entries.get(claim.name)
            if entry is not None:
                self._recall(entry, request, now)
            entries[claim.name] = {"request": request, "at": now, "by": claim.token}

        try:
            self._update(claim, change)
        except _Answered as e:
            return e.answer
        return claim

    def finish(self, claim: Claim, answer: Answer) -> None:
        """Keep the answer."""
        kept: dict[str, Any] = {"status": answer.status, "fields": [[n, v] for n, v in answer.fields]}
        if answer.body is not None and len(answer.body) <= MAX_BODY:
            kept["body"] = base64.b64encode(answer.body).decode()

        def change(entries: Entries) -> None:
            if (entry := entries.get(claim.name)) and entry.get("by") == claim.token:
                entry.update(kept)

        self._update(claim, change)

    def release(self, claim: Claim) -> None:
        """Nothing was done: the next request with this key is the first."""

        def change(entries: Entries) -> None:
            if entries.get(claim.name, {}).get("by") == claim.token:
                del entries[claim.name]

        self._update(claim, change)

    def _recall(self, entry: dict[str, Any], request: str, now: float) -> None:
        if entry.get("request") != request:
            raise OtherRequest
        if (answer := _answer(entry)) is not None:
            raise _Answered(answer)
        if now < _time(entry) + self._lease:
            raise StillRunning

    def _update(self, claim: Claim, change: Callable[[Entries], None]) -> None:
        def whole(table: Table | None) -> Table:
            entries = _fresh(table)
            change(entries)
            _trim(entries)
            return entries

        self._driver.update(claim.owner.local or None, claim.owner.domain, claim.store, whole)


def _fresh(table: Table | None) -> Entries:
    """What is not too old; an account may write its own stores, so anything may stand there."""
    if not isinstance(table, dict):
        return {}
    now = time.time()
    return {name: e for name, e in table.items() if isinstance(e, dict) and abs(now - _time(e)) < KEPT}


def _time(entry: dict[str, Any]) -> float:
    at = entry.get("at")
    return at if isinstance(at, int | float) else 0.0


def _trim(entries: Entries) -> None:
    answered = sorted((name for name, e in entries.items() if "status" in e), key=lambda name: _time(entries[name]))
    size = sum(_size(entries[name]) for name in answered)
    for name in answered:
        if len(entries) <= MAX_ANSWERS and size <= MAX_BYTES:
            return
        size -= _size(entries.pop(name))


def _size(entry: dict[str, Any]) -> int:
    body = entry.get("body")
    return len(body) if isinstance(body, str) else 0


def _answer(entry: dict[str, Any]) -> Answer | None:
    status, fields, body = entry.get("status"), entry.get("fields"), entry.get("body")
    if not isinstance(status, int) or not isinstance(fields, list):
        return None
    try:
        return Answer(status, [(str(n), str(v)) for n, v in fields], None if body is None else base64.b64decode(body))
    except (ValueError, TypeError, binascii.Error):
        return None
