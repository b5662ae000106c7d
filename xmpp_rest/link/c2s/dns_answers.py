"""What DNS says, kept for as long as it says itself (accounts-anywhere §3.2)."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dns.resolver import Answer, Resolver

SHORTEST, LONGEST = 60.0, 3600.0  # seconds for which an answer counts, whatever its TTL; that there is none counts SHORTEST
PATIENCE = 5.0  # seconds for one question
KEPT = 4096  # answers, the oldest of which go first: callers choose the domains
RECORDS = 32  # of one answer, which may have thousands: those of services with the best priority


class DnsFailed(Exception):
    """There is no answer: neither yes nor no."""


class ServiceRecord(NamedTuple):
    """One target of an SRV record (RFC 2782); "." is none."""

    priority: int
    weight: int
    port: int
    target: str


class DnsAnswers:
    """Asks the resolvers given, or those of the system, which are looked up again for each question. Threads may share it."""

    def __init__(self, nameservers: Sequence[tuple[str, int]]) -> None:
        """`nameservers`: addresses with ports."""
        self._nameservers = nameservers
        self._kept: OrderedDict[tuple[str, str], tuple[float, tuple[object, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def services(self, name: str, longest: float) -> tuple[ServiceRecord, ...]:
        """The SRV records of a name in A-labels, within `longest` seconds; none if there are none. Raises DnsFailed."""
        found = self._ask(name, "SRV", longest)
        return tuple(record for record in found if isinstance(record, ServiceRecord))

    def addresses(self, name: str, kind: str, longest: float) -> tuple[str, ...]:
        """Its addresses, of the kind A or AAAA."""
        return tuple(str(address) for address in self._ask(name, kind, longest))

    def _ask(self, name: str, kind: str, longest: float) -> tuple[object, ...]:
        with self._lock:
            until, known = self._kept.get((name, kind), (0.0, ()))
        if time.monotonic() < until:
            return known
        ttl, found = _records(self._question(name, kind, min(longest, PATIENCE)))
        with self._lock:
            self._kept[name, kind] = time.monotonic() + ttl, found
            self._kept.move_to_end((name, kind))
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _question(self, name: str, kind: str, longest: float) -> Answer | None:
        """None: there is no such name, or none with records of this kind."""
        import dns.exception  # 0.1 s of processor time, for those without a `host` only
        import dns.name
        import dns.resolver

        try:
            answer = self._resolver().resolve(dns.name.from_text(name), kind, lifetime=longest, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return None
        except (dns.exception.DNSException, OSError) as e:  # SERVFAIL, a timeout, a name that is too long, no resolver
            raise DnsFailed(f"{name} {kind}: {str(e) or type(e).__name__}") from e
        return answer if answer.rrset is not None else None

    def _resolver(self) -> Resolver:
        import dns.nameserver
        import dns.resolver

        resolver = dns.resolver.Resolver(configure=not self._nameservers)
        if self._nameservers:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(address, port) for address, port in self._nameservers]
        return resolver


def _records(answer: Answer | None) -> tuple[float, tuple[object, ...]]:
    """For how long they count, in seconds, and what they say."""
    if answer is None or answer.rrset is None:
        return SHORTEST, ()
    ttl = min(max(answer.chaining_result.minimum_ttl, SHORTEST), LONGEST)
    if answer.rdtype.name == "SRV":
        best = nsmallest(RECORDS, answer.rrset, key=lambda record: record.priority)
        return ttl, tuple(ServiceRecord(r.priority, r.weight, r.port, _plain(r.target.to_text())) for r in best)
    return ttl, tuple(r.address for r in islice(answer.rrset, RECORDS))


def _plain(name: str) -> str:
    return name if name == "." else name.removesuffix(".")
