"""How many wrong passwords an address may try for an account (OWASP: at most so many failures in so long a time).

Nobody is locked out by somebody else's failures: after too many, what is tried next is judged all the same, and the right password passes
at once. The answer to a wrong one comes a second later. What judging costs is bounded, by processor time and so by number; what goes beyond
is refused unseen. What was wrong lately and is tried again is refused at once, and costs nothing: it is not a guess, but a program with an
old password.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.tasks import pause

log = logging.getLogger("xmpp_rest.auth")

Key = tuple[str, str]  # account as it was named, or what else is guessed; address of the client

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAPPED = 96  # bits before the IPv4 address in a mapped one
DELAY = 1.0  # seconds by which the answer to a wrong one is late
TRIED = 8  # wrong ones of one key that are remembered
SHARE = 0.1  # of a processor that goes into judging attempts for one key, once there have been too many
LEAST = 0.005  # seconds of processor time that an attempt counts for at least: at most SHARE / LEAST = 20 are checked in a second
BURST = 1.0  # seconds whose share may be used up at once
TRIED_ELSEWHERE = "passwords tried"  # the broadcast of attempts that count
UNTOLD = 1000  # attempts of which other machines have not heard; of more they do not hear


class Failures(NamedTuple):
    """The failures of one key in its window."""

    wrong: int
    since: float  # monotonic time at which the window began
    forgiven: bool = False  # whether the right password has reset the count already
    paid: float = 0.0  # monotonic time by which the share makes up for the checks, after there have been too many
    tried: tuple[bytes, ...] = ()  # the latest that were wrong, as digests


class Attempted(NamedTuple):
    """What other processes hear of an attempt."""

    key: Key
    right: bool


class Throttle:
    """Counts failures per account and network, in all processes; after `failures` within `window` seconds wrong attempts are answered late.

    `waiting`: how many answers may be held back at the same time, each in its thread where there are no tasks; others are given at once.
    """

    REMEMBERED = 20_000  # keys, about half a KB each; the oldest are forgotten first, so that a flood of names cannot fill the memory

    def __init__(self, failures: int, remote: Remote, window: float = 60.0, *, waiting: int = 8) -> None:
        self.limit = failures
        self._window = window
        self._places = waiting
        self._failed: OrderedDict[Key, Failures] = OrderedDict()
        self._lock = Lock()
        self._remote = remote
        self._untold = Backlog(remote.pool, self._tell_all, UNTOLD)
        remote.on_broadcast(TRIED_ELSEWHERE, self._count_elsewhere)

    def configure(self, failures: int) -> None:
        """Allow so many failures from now on."""
        self.limit = failures

    def admit(self, named: Key, tried: Callable[[], bytes] | None = None) -> int:
        """0 if an attempt for this key may be checked now.

        Otherwise the seconds until it may: too many were checked recently, or the same attempt, whose digest `tried` returns, was wrong.
        """
        if not self._failed:  # the usual case
            return 0
        key = _key(named)
        with self._lock:
            entry, now = self._of(key), time.monotonic()
            if entry is None or entry.wrong < self.limit:
                return 0
            if tried and tried() in entry.tried:
                return self._left(entry, now)
            if entry.paid - now > BURST:
                return int(entry.paid - now - BURST) + 1
            self._failed[key] = entry._replace(paid=max(entry.paid, now) + LEAST / SHARE)
        return 0

    def charges(self, named: Key) -> bool:
        """Whether attempts for this key have to be paid for with their processor time: too many were wrong."""
        if not self._failed:  # the usual case
            return False
        key = _key(named)
        with self._lock:
            entry = self._of(key)
            return entry is not None and entry.wrong >= self.limit

    def cost(self, named: Key, seconds: float) -> None:
        """Judging an attempt took so much processor time."""
        if not self._failed or seconds <= LEAST:
            return
        key = _key(named)
        with self._lock:
            entry = self._of(key)
            if entry and entry.wrong >= self.limit:
                self._failed[key] = entry._replace(paid=max(entry.paid, time.monotonic()) + (seconds - LEAST) / SHARE)

    def hold(self) -> None:
        """Let the answer to a wrong attempt, of which there have been too many, come late; at once if too many are held back already."""
        with self._lock:
            if not self._places:
                return
            self._places -= 1
        try:
            pause(DELAY)
        finally:
            with self._lock:
                self._places += 1

    def failed(self, named: Key, tried: Callable[[], bytes] | None = None) -> int:
        """Record a wrong attempt. 0; or, after too many, the seconds until the next one is checked."""
        key = _key(named)
        wait = self._count(key, tried() if tried else None)
        self._tell_others(key, right=False)
        return wait

    def succeeded(self, named: Key) -> None:
        """The right password was given: the count starts again, once in a window, so that successes do not allow any number of failures.

        It counts for no attempt, either: a program that asks often does not use up what is there for it.
        """
        if not self._failed:  # the usual case
            return
        key = _key(named)
        with self._lock:
            if entry := self._of(key):
                self._failed[key] = entry._replace(paid=entry.paid - LEAST / SHARE)
        if self._forgive(key):
            self._tell_others(key, right=True)

    def _tell_others(self, key: Key, *, right: bool) -> None:
        """At once; where there are other machines, soon: for nobody may a password wait until one of these leads (many-machines §8, §9)."""
        group, attempt = self._remote.group, Attempted(key, right)
        if not group.has_others:
            return
        if not group.spans_nodes:
            self._tell_all([attempt])
        elif not self._untold.takes(attempt):
            log.info("the other machines do not hear of a password that was tried, of so many")

    def _tell_all(self, tried: Sequence[Attempted]) -> None:
        try:
            self._remote.tell_others(TRIED_ELSEWHERE, tried=list(tried))
        except GatewayError as e:  # the leader has just ended: it counts here at any rate
            log.info("the other processes do not hear of a password that was tried: %s", e)

    def _count_elsewhere(self, tried: list[Attempted]) -> None:
        """Count the attempts of another process."""
        for key, right in tried:
            if right:
                self._forgive(key)
            else:
                self._count(key, None)

    def unban(self, network: str) -> int:
        """Let an address, or all of a network, try again at once, whatever they tried; how many accounts there were failures for.

        Raises ValueError for what is neither.
        """
        wanted = parse_network(network)
        with self._lock:
            keys = [key for key in self._failed if overlaps(key[1], wanted)]
            for key in keys:
                del self._failed[key]
        return len(keys)

    def _count(self, key: Key, tried: bytes | None) -> int:
        now = time.monotonic()
        with self._lock:
            entry = self._of(key) or Failures(0, now)
            over = entry.wrong >= self.limit
            known = entry.tried if tried is None or tried in entry.tried else (*entry.tried, tried)[-TRIED:]
            self._failed[key] = entry._replace(wrong=entry.wrong + 1, tried=known)
            self._failed.move_to_end(key)
            if len(self._failed) > self.REMEMBERED:
                self._failed.popitem(last=False)
            return self._left(entry, now) if over else 0

    def _forgive(self, key: Key) -> bool:
        with self._lock:
            entry = self._of(key)
            if entry is None or entry.forgiven:
                return False
            self._failed[key] = Failures(0, entry.since, forgiven=True)
            return True

    def _of(self, key: Key) -> Failures | None:
        """The failures of a key, if its window is not over."""
        entry = self._failed.get(key)
        if entry and entry.since + self._window <= time.monotonic():
            del self._failed[key]
            return None
        return entry

    def _left(self, entry: Failures, now: float) -> int:
        return max(1, int(entry.since + self._window - now) + 1)


def parse_network(text: str) -> Network:
    """The network that is written so: an address, or one with `/` and the length of a prefix. Raises ValueError.

    A network of IPv4-mapped addresses means the IPv4 network (RFC 4291 §2.5.5.2).
    """
    _, slash, length = text.partition("/")
    if "%" in text or (slash and not (length.isascii() and length.isdigit())):  # a mask is not a length
        raise ValueError(f"{text!r} is neither an address nor a network")
    network = ipaddress.ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= MAPPED else None
    return ipaddress.ip_network((mapped, network.prefixlen - MAPPED)) if mapped else network


def overlaps(counted: str, wanted: Network) -> bool:
    """Whether a key of a client (`network_of`) has an address in a network."""
    try:
        network = ipaddress.ip_network(counted)
    except ValueError:
        return False
    return network.version == wanted.version and network.overlaps(wanted)


def _key(named: Key) -> Key:
    """Short, however long the name is, and the same for every address of a network."""
    return hashlib.blake2b(named[0].encode("utf-8", "surrogatepass"), digest_size=12).hexdigest(), network_of(named[1])


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The key of a client: an IPv4 address, or a /64 of IPv6 (RFC 6177 §2: the smallest size of a site); other text is unchanged."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a Unix socket's client has no address
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
