"""Where the server of a domain may be: `host`, or what DNS says (accounts-anywhere §3)."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice, zip_longest
from typing import NamedTuple

from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.link.c2s.addresses import is_allowed_port, is_literal, is_public
from xmpp_rest.link.c2s.dns_answers import DnsAnswers, DnsFailed, ServiceRecord
from xmpp_rest.link.c2s.failures import NO_SERVER, UNREACHABLE, LoginFailed
from xmpp_rest.link.c2s.login_time import LoginTime

DIRECT_PORT, STARTTLS_PORT = 5223, 5222
TARGETS = 4  # at most, that are tried
ADDRESSES = 4  # of each
NOT_OFFERED = "."  # the target of a service that there is not (RFC 2782)


class ServerAddress(NamedTuple):
    """One connection to try."""

    address: str
    port: int
    direct: bool  # TLS from the first byte


class ServerTarget(NamedTuple):
    """A name, with the port of a service there."""

    name: str
    port: int
    direct: bool


def ascii_name(domain: str) -> str:
    """A domain in A-labels, or its address without brackets. Raises LoginFailed where DNS can have no such name."""
    if is_literal(domain):
        return domain.strip("[]")
    try:
        name = domain.encode("idna").decode()
    except UnicodeError as e:
        raise LoginFailed(NO_SERVER, domain, "it has no A-labels") from e
    if len(name) > 253:  # RFC 1035 §2.3.4
        raise LoginFailed(NO_SERVER, domain, "it is too long for DNS")
    return name


class ServerFinder:
    """Finds servers. Threads may share it."""

    def __init__(self, nameservers: Sequence[tuple[str, int]]) -> None:
        """`nameservers`: addresses with ports; empty: those of the system."""
        self._dns = DnsAnswers(nameservers)

    def addresses(self, login: LoginSettings, name: str, time: LoginTime) -> Iterator[ServerAddress]:
        """What to try for a domain in A-labels, in this order; looked up as it is asked for. Raises LoginFailed."""
        return self._by_host(login, time) if login.host else self._by_dns(login, name, time)

    def _by_host(self, login: LoginSettings, time: LoginTime) -> Iterator[ServerAddress]:
        found = _system_addresses(login.host, time)
        for target in _usual_targets(login, login.host):
            yield from (ServerAddress(address, target.port, target.direct) for address in found)

    def _by_dns(self, login: LoginSettings, name: str, time: LoginTime) -> Iterator[ServerAddress]:
        failures: list[str] = []
        found = False
        for target in self._targets(login, name, time)[:TARGETS]:
            if not is_allowed_port(target.port):
                continue
            for address in self._of_target(target, time, failures):
                if login.private or is_public(address):
                    found = True
                    yield ServerAddress(address, target.port, target.direct)
        if failures and not found:
            raise LoginFailed(UNREACHABLE, time.domain, "; ".join(failures))

    def _targets(self, login: LoginSettings, name: str, time: LoginTime) -> list[ServerTarget]:
        """The targets of both services, direct TLS first (XEP-0368); the domain itself where DNS names none. Raises LoginFailed."""
        usual = _usual_targets(login, name)
        if is_literal(name):
            return usual
        found: list[ServerTarget] = []
        failed = ""
        for own in usual:
            service = "_xmpps-client" if own.direct else "_xmpp-client"
            try:
                records = self._dns.services(f"{service}._tcp.{name}", time.left())
            except DnsFailed as e:
                failed = str(e)
                continue
            found += [ServerTarget(r.target, r.port, own.direct) for r in islice(in_order(records), TARGETS)]
        offered = [target for target in found if target.name != NOT_OFFERED]
        if not offered and failed:  # whether the domain itself is meant is not known
            raise LoginFailed(UNREACHABLE, time.domain, failed)
        refused = {target.direct for target in found if target.name == NOT_OFFERED}
        return offered or [own for own in usual if own.direct not in refused]

    def _of_target(self, target: ServerTarget, time: LoginTime, failures: list[str]) -> list[str]:
        """Its addresses, IPv6 and IPv4 in turn."""
        if is_literal(target.name):
            return [target.name]
        found: list[Sequence[str]] = []
        for kind in "AAAA", "A":
            try:
                found.append(self._dns.addresses(target.name, kind, time.left()))
            except DnsFailed as e:
                failures.append(str(e))
        return _in_turn(found)


def _usual_targets(login: LoginSettings, name: str) -> list[ServerTarget]:
    """Both services where they are by default, as far as the section wants them."""
    direct = ServerTarget(name, login.port or DIRECT_PORT, True)
    starttls = ServerTarget(name, login.port or STARTTLS_PORT, False)
    return {"auto": [direct, starttls], "direct": [direct], "starttls": [starttls]}[login.tls]


def in_order(records: Sequence[ServiceRecord]) -> Iterator[ServiceRecord]:
    """By priority, and at random by weight (RFC 2782)."""
    for _, group in groupby(sorted(records), key=lambda record: record.priority):
        left = list(group)
        while left:  # one of weight 0 has a very small chance, as RFC 2782 has it
            chosen = random.choices(left, [record.weight or 0.001 for record in left])[0]  # noqa: S311 (a load is spread)
            left.remove(chosen)
            yield chosen


def _in_turn(kinds: Sequence[Sequence[str]]) -> list[str]:
    return [address for address in chain.from_iterable(zip_longest(*kinds)) if address is not None][:ADDRESSES]


def _system_addresses(host: str, time: LoginTime) -> list[str]:
    """The addresses of a host by the system's ways, in which nothing can be interrupted: that is left to a thread. Raises LoginFailed."""
    if is_literal(host):
        return [host.strip("[]")]
    found: list[tuple[int, str]] = []
    failures: list[OSError] = []
    thread = threading.Thread(target=_look_up, args=(host, found, failures), name="look-up", daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(min(0.25, time.left()))
    if not found:
        reason = failures[0].strerror if failures else "no address"
        raise LoginFailed(UNREACHABLE, time.domain, f"{host}: {reason}")
    kinds = [[address for family, address in found if family == wanted] for wanted in (socket.AF_INET6, socket.AF_INET)]
    return _in_turn(kinds)


def _look_up(host: str, found: list[tuple[int, str]], failures: list[OSError]) -> None:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as e:
        failures.append(e if isinstance(e, OSError) else OSError(0, str(e)))
        return
    found += [(family, str(address[0])) for family, _, _, _, address in answers if family in (socket.AF_INET, socket.AF_INET6)]
