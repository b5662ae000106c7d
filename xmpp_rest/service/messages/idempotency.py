"""Idempotency keys: repeats the answer to a request that was made before, for a day and in every process.

Draft draft-ietf-httpapi-idempotency-key-header-07. Answers are stored in SHARDS tables of each caller, so that one
request does not rewrite all of them.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver, StorageError, Table
from xmpp_rest.protocol.jid import JID

KEPT = 86_400.0  # seconds for which an answer is kept
SHARDS = 16
MAX_ANSWERS = 100  # of one table; the oldest go first
MAX_BYTES = 2 << 20  # of all bodies of one table, likewise
MAX_UNKEPT = 1000  # answers in memory that could not be stored
MAX_UNKEPT_BODY = 4096  # bytes, likewise
MAX_BODY = 256 << 10  # bytes; of a longer body only its existence is stored

Entries = dict[str, dict[str, Any]]


class Answer(NamedTuple):
    """The answer to the first request. `body` is None if it was too long to be stored."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes | None


class OtherRequest(Exception):
    """The key came with another request."""


class StillRunning(Exception):
    """The first request has not been answered yet."""


class _Answered(Exception):
    """Ends an update without a change."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


class Claim(NamedTuple):
    """The right to answer the request of this key; `owner` is the caller's address."""

    owner: JID
    name: str
    token: str
    request: str  # its fingerprint
    store: str  # that of its answer


class Idempotency:
    """The answers of all callers. Methods raise StorageError."""

    def __init__(self, driver: Driver, lease: float, stores: str = "idempotency", shards: int = SHARDS) -> None:
        """`lease`: seconds after which an unanswered request counts as interrupted by a crash, and may be repeated.

        `stores`: how the names of the tables begin; `shards`: how many there are.
        """
        self._driver = driver
        self._lease = lease
        self._stores = stores
        self._shards = shards
        self._unkept: OrderedDict[tuple[JID, str], tuple[Claim, Answer, float]] = OrderedDict()  # by owner and name; Unix time
        self._lock = threading.Lock()

    def begin(self, owner: JID, key: str, request: str, kept: float = KEPT, *, latest: bool = False) -> Claim | Answer:
        """Claim the key for a request (its fingerprint), or return its earlier answer. Raises OtherRequest, StillRunning.

        `kept`: seconds after which an answer is not repeated any more, at most KEPT. `latest`: another request with the key is not a
        mistake, and takes the place of the first.
        """
        name = hashlib.sha256(key.encode()).hexdigest()
        store = f"{self._stores}_{int(name[2:6] + name[:2], 16) % self._shards:x}"
        claim = Claim(owner, name, secrets.token_urlsafe(9), request, store)
        now = time.time()
        if (answer := self._recall_unkept(claim, now - kept, latest=latest)) is not None:
            return answer

        def change(entries: Entries) -> None:
            entry = entries.get(claim.name)
            replaced = entry is not None and latest and entry.get("request") != request
            if entry is not None and not replaced and abs(now - _time(entry)) < kept:
                self._recall(entry, request, now)
            entries[claim.name] = {"request": request, "at": now, "by": claim.token}

        try:
            self._update(claim, change)
        except _Answered as e:
            return e.answer
        return claim

    def finish(self, claim: Claim, answer: Answer) -> None:
        """Store the answer, or keep it in this process if the storage fails. Raises StorageError."""
        try:
            self._keep(claim, answer)
        except StorageError:
            short = answer if answer.body is None or len(answer.body) <= MAX_UNKEPT_BODY else answer._replace(body=None)
            with self._lock:
                self._unkept[claim.owner, claim.name] = claim, short, time.time()
                if len(self._unkept) > MAX_UNKEPT:
                    self._unkept.popitem(last=False)
            raise

    def _recall_unkept(self, claim: Claim, since: float, *, latest: bool) -> Answer | None:
        """The answer that could not be stored, unless it was given before `since`; tries to store it again. Raises OtherRequest."""
        place = claim.owner, claim.name
        if (unkept := self._unkept.get(place)) is None:  # the usual case
            return None
        first, answer, at = unkept
        if at < since or (latest and first.request != claim.request):
            return None
        if first.request != claim.request:
            raise OtherRequest
        with contextlib.suppress(StorageError):
            self._keep(first, answer)
            with self._lock:
                self._unkept.pop(place, None)
        return answer

    def _keep(self, claim: Claim, answer: Answer) -> None:
        kept: dict[str, Any] = {"status": answer.status, "fields": [[n, v] for n, v in answer.fields]}
        if answer.body is not None and len(answer.body) <= MAX_BODY:
            kept["body"] = base64.b64encode(answer.body).decode()

        def change(entries: Entries) -> None:
            if (entry := entries.get(claim.name)) and entry.get("by") == claim.token:
                entry.update(kept)

        self._update(claim, change)

    def release(self, claim: Claim) -> None:
        """Release the key, as nothing was done: the next request with it is the first."""

        def change(entries: Entries) -> None:
            if entries.get(claim.name, {}).get("by") == claim.token:
                del entries[claim.name]

        self._update(claim, change)

    def _recall(self, entry: dict[str, Any], request: str, now: float) -> None:
        if entry.get("request") != request:
            raise OtherRequest
        if (answer := _answer_from(entry)) is not None:
            raise _Answered(answer)
        if now < _time(entry) + self._lease:
            raise StillRunning

    def _update(self, claim: Claim, change: Callable[[Entries], None]) -> None:
        def whole(table: Table | None) -> Table:
            entries = _unexpired(table)
            change(entries)
            _trim(entries)
            return entries

        self._driver.update(claim.owner.local or None, claim.owner.domain, claim.store, whole)


def _unexpired(table: Table | None) -> Entries:
    """The entries that have not expired; an account may write anything to its own stores."""
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


def _answer_from(entry: dict[str, Any]) -> Answer | None:
    status, fields, body = entry.get("status"), entry.get("fields"), entry.get("body")
    if not isinstance(status, int) or not isinstance(fields, list):
        return None
    try:
        return Answer(status, [(str(n), str(v)) for n, v in fields], None if body is None else base64.b64decode(body))
    except (ValueError, TypeError, binascii.Error):
        return None
