"""Token buckets that all processes of the gateway share: the leader keeps them. A bucket without a limit costs nothing."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote

WINDOW = 60.0  # seconds in which an empty bucket becomes full
HOOK, TOKEN, ACCOUNT = "hook", "token", "account"
"""Kinds of buckets, as clients read them."""


class Bucket(NamedTuple):
    """The requests of one hook, token or account. `per_minute`: how many it may make at once, and in a minute; 0: no limit."""

    kind: str
    name: str
    per_minute: int


class Allowance(NamedTuple):
    """Whether a request may be made, and the tightest of its limits.

    `kind`: of that limit, "" if there is none; `quota`: its requests in a minute; `left`: how many of them are left; `full_in`: seconds
    until its bucket is full; `retry_after`: seconds until one request is possible, 0 where this one is.
    """

    allowed: bool = True
    kind: str = ""
    quota: int = 0
    left: int = 0
    full_in: int = 0
    retry_after: int = 0

    def fields(self) -> dict[str, str]:
        """Header fields of the answer (draft-ietf-httpapi-ratelimit-headers); none where there is no limit."""
        if not self.kind:
            return {}
        fields = {
            "RateLimit-Policy": f'"{self.kind}";q={self.quota};w={WINDOW:.0f}',
            "RateLimit": f'"{self.kind}";r={self.left};t={self.full_in}',
        }
        return fields if self.allowed else fields | {"Retry-After": str(self.retry_after)}


UNLIMITED = Allowance()
UNKNOWN = -1.0


class Spending(NamedTuple):
    """What came of a request. `levels`: how full each of the buckets is now, where a process of another machine may lead next."""

    allowance: Allowance
    levels: list[float]


class _Level(NamedTuple):
    """How full a bucket is, and when that was (monotonic time). `roles`: how often the leader had changed by then."""

    tokens: float
    at: float
    roles: int

    def now(self, bucket: Bucket, now: float) -> float:
        return min(float(bucket.per_minute), self.tokens + (now - self.at) * bucket.per_minute / WINDOW)


class RateLimits:
    """The buckets. In memory only: full after a restart, and where another process of one machine leads.

    Where many machines are one gateway, each process remembers what the leader said last of the buckets it asked for, and says so to the
    next one, or goes by it, if it leads (many-machines §9).
    """

    def __init__(self, remote: Remote, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[tuple[str, str], _Level] = OrderedDict()  # the one that was used last is at the end
        self._roles = 0
        self._lock = threading.Lock()
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._take_role)

    def take(self, buckets: Sequence[Bucket]) -> Allowance:
        """Take one request out of all of these, or none out of any. Raises GatewayError where there is no leader to ask."""
        limited = [bucket for bucket in buckets if bucket.per_minute > 0]
        return self._ask(limited, 1) if limited else UNLIMITED

    def look(self, buckets: Sequence[Bucket]) -> Allowance:
        """As `take`, but nothing is taken: for the answer to a request that costs nothing."""
        limited = [bucket for bucket in buckets if bucket.per_minute > 0]
        return self._ask(limited, 0) if limited else UNLIMITED

    def _ask(self, buckets: list[Bucket], cost: int) -> Allowance:
        if not self._remote.group.spans_nodes:
            return self.spend(buckets, cost, []).allowance
        with self._lock:
            now, roles = self._clock(), self._roles
            known = [self._heard(bucket, now) for bucket in buckets]
        spending = self.spend(buckets, cost, known)
        with self._lock:
            for bucket, level in zip(buckets, spending.levels, strict=True):
                self._keep(bucket, _Level(level, self._clock(), roles))
            self._forget_full(self._clock())
        return spending.allowance

    def _heard(self, bucket: Bucket, now: float) -> float:
        """What the leader does not know yet: how full the bucket was for the one before it."""
        level = self._levels.get(bucket[:2])
        return UNKNOWN if level is None or level.roles == self._roles else level.now(bucket, now)

    @on_leader(repeatable=True)
    def spend(self, buckets: list[Bucket], cost: int, known: list[float]) -> Spending:
        """Take so many requests out of all of these, which have a limit, or none out of any.

        `known`: how full each was for another leader, as far as the caller knows; or nothing.
        """
        with self._lock:
            now = self._clock()
            levels = [self._level(bucket, now) for bucket in buckets]
            for place, level in enumerate(known):
                levels[place] = levels[place] if level == UNKNOWN else min(levels[place], level)
            allowed = all(level >= cost for level in levels)
            if allowed and cost:
                levels = [level - cost for level in levels]
                for bucket, level in zip(buckets, levels, strict=True):
                    self._keep(bucket, _Level(level, now, self._roles))
            self._forget_full(now)
        told = [_allowance(bucket, level, allowed) for bucket, level in zip(buckets, levels, strict=True)]
        tightest = min(told, key=lambda allowance: (-allowance.retry_after, allowance.left, -allowance.full_in))
        return Spending(tightest, levels if self._remote.group.spans_nodes else [])

    def _take_role(self, leads: bool) -> None:
        with self._lock:
            self._roles += 1

    def _keep(self, bucket: Bucket, level: _Level) -> None:
        self._levels[bucket[:2]] = level
        self._levels.move_to_end(bucket[:2])

    def _level(self, bucket: Bucket, now: float) -> float:
        known = self._levels.get(bucket[:2])
        return float(bucket.per_minute) if known is None else known.now(bucket, now)

    def _forget_full(self, now: float) -> None:
        """Whatever has not been used for WINDOW is full."""
        while self._levels and now - next(iter(self._levels.values())).at >= WINDOW:
            self._levels.popitem(last=False)


def name_of_token(field: str) -> str:
    """The name of the bucket of the OAuth token in an Authorization field: a hash of it."""
    secret = field.strip().partition(" ")[2].strip()
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:32]


def _allowance(bucket: Bucket, level: float, allowed: bool) -> Allowance:
    seconds = WINDOW / bucket.per_minute  # for one request
    wait = 0 if allowed or level >= 1 else max(1, math.ceil((1 - level) * seconds - 1e-6))
    full_in = max(0, math.ceil((bucket.per_minute - level) * seconds - 1e-6))
    return Allowance(allowed, bucket.kind, bucket.per_minute, math.floor(max(level, 0.0) + 1e-9), full_in, wait)
