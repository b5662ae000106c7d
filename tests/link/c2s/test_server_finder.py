"""Where a domain's server is, by settings and by DNS (accounts-anywhere §3)."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.authority import Authority
from tests.link.c2s.dns_server import BROKEN, SILENT, DnsServer
from tests.link.c2s.hostile import DOMAIN, HEADER, LONG, HostileServer, Peer, mechanisms
from tests.link.c2s.settings import login_section
from tests.live.child import free_port
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.link.c2s.dns_answers import ServiceRecord
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.login import check
from xmpp_rest.link.c2s.login_time import LoginTime
from xmpp_rest.link.c2s.server_finder import ServerFinder, ascii_name, in_order
from xmpp_rest.link.c2s.tls import TlsContexts
from xmpp_rest.protocol.jid import parse_jid

DIRECT, STARTTLS = f"_xmpps-client._tcp.{DOMAIN}", f"_xmpp-client._tcp.{DOMAIN}"
PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"


@pytest.fixture
def dns_server() -> Iterator[DnsServer]:
    server = DnsServer()
    yield server
    server.close()


def found(server: DnsServer, domain: str = DOMAIN, seconds: float = 30, **given: object) -> list[str]:
    """What is to be tried, in short form."""
    login = login_section({"domains": "*"} | given)
    addresses = ServerFinder([server.address]).addresses(login, ascii_name(domain), LoginTime(domain, seconds, lambda: False))
    return [f"{a.address} {a.port} {'direct' if a.direct else 'starttls'}" for a in addresses]


def failed(server: DnsServer, domain: str = DOMAIN, seconds: float = 30, **given: object) -> LoginFailed:
    with pytest.raises(LoginFailed) as raised:
        found(server, domain, seconds, **given)
    return raised.value


def test_services_direct_ones_first(dns_server: DnsServer) -> None:
    dns_server.zone = {
        (DIRECT, "SRV"): [f"20 0 443 b.{DOMAIN}.", f"10 0 5223 a.{DOMAIN}."],
        (STARTTLS, "SRV"): [f"0 0 5222 a.{DOMAIN}."],
        (f"a.{DOMAIN}", "A"): [PUBLIC],
        (f"a.{DOMAIN}", "AAAA"): [PUBLIC6],
        (f"b.{DOMAIN}", "A"): ["1.1.1.1"],
    }
    direct = [f"{PUBLIC6} 5223 direct", f"{PUBLIC} 5223 direct", "1.1.1.1 443 direct"]
    starttls = [f"{PUBLIC6} 5222 starttls", f"{PUBLIC} 5222 starttls"]
    assert found(dns_server) == direct + starttls
    assert found(dns_server, tls="direct") == direct
    assert found(dns_server, tls="starttls") == starttls


def test_the_domain_itself_where_there_is_no_service(dns_server: DnsServer) -> None:
    dns_server.zone = {(DOMAIN, "A"): [PUBLIC]}
    assert found(dns_server) == [f"{PUBLIC} 5223 direct", f"{PUBLIC} 5222 starttls"]
    assert found(dns_server, tls="starttls") == [f"{PUBLIC} 5222 starttls"]
    assert found(dns_server, tls="direct") == [f"{PUBLIC} 5223 direct"]


@pytest.mark.parametrize(
    ("direct", "starttls", "expected"),
    [
        (".", ".", []),
        (".", None, [f"{PUBLIC} 5222 starttls"]),
        (None, ".", [f"{PUBLIC} 5223 direct"]),
        (".", f"a.{DOMAIN}.", ["1.1.1.1 5000 starttls"]),
        (f"a.{DOMAIN}.", ".", ["1.1.1.1 5000 direct"]),
        (None, f"a.{DOMAIN}.", ["1.1.1.1 5000 starttls"]),
        (f"none.{DOMAIN}.", None, []),
    ],
)
def test_services_that_there_are_not(dns_server: DnsServer, direct: str | None, starttls: str | None, expected: list[str]) -> None:
    dns_server.zone = {(DOMAIN, "A"): [PUBLIC], (f"a.{DOMAIN}", "A"): ["1.1.1.1"]}
    for name, target in (DIRECT, direct), (STARTTLS, starttls):
        if target:
            dns_server.zone[name, "SRV"] = [f"0 0 5000 {target}"]
    assert found(dns_server) == expected


def test_no_more_than_four_targets_of_four_addresses(dns_server: DnsServer) -> None:
    dns_server.zone = {(DIRECT, "SRV"): [f"{n} 0 5223 h{n}.{DOMAIN}." for n in range(9)], (STARTTLS, "SRV"): [f"0 0 5222 h0.{DOMAIN}."]}
    for n in range(9):
        dns_server.zone[f"h{n}.{DOMAIN}", "A"] = [f"93.184.{n}.{i}" for i in range(1, 9)]
        dns_server.zone[f"h{n}.{DOMAIN}", "AAAA"] = [f"2606::{n}:{i}" for i in range(1, 9)]
    addresses = found(dns_server)
    assert len(addresses) == 16
    assert [":" in address for address in addresses] == [True, False] * 8
    assert not [name for name, _ in dns_server.asked if name.startswith("h4")]


@pytest.mark.parametrize("private", ["no", "yes"])
def test_private_addresses_and_ports_of_services(dns_server: DnsServer, private: str) -> None:
    dns_server.zone = {
        (DIRECT, "SRV"): [f"1 0 22 a.{DOMAIN}.", f"2 0 1023 a.{DOMAIN}.", f"3 0 1024 a.{DOMAIN}.", f"4 0 443 a.{DOMAIN}."],
        (f"a.{DOMAIN}", "A"): ["127.0.0.1"],
        (f"a.{DOMAIN}", "AAAA"): ["::1", "::ffff:10.0.0.1"],
    }
    expected = [f"{a} {port} direct" for port in (1024, 443) for a in ("::1", "127.0.0.1", "::ffff:10.0.0.1")]
    addresses = found(dns_server, private=private)
    assert sorted(addresses) == (sorted(expected) if private == "yes" else [])


def visit(server: DnsServer, domain: str = DOMAIN, **given: object) -> object:
    """A check with what DNS says."""
    login = login_section({"domains": "*"} | given)
    credentials = LoginCredentials(parse_jid(f"romeo@{domain}"), "any")
    return check(login, credentials, LONG, ServerFinder([server.address]), TlsContexts(), stop=lambda: False)


@pytest.mark.parametrize("domain", [DOMAIN, "other.example"])
def test_nothing_that_may_be_asked_is_no_server(dns_server: DnsServer, domain: str) -> None:
    dns_server.zone = {(DOMAIN, "A"): ["169.254.169.254"]}
    with pytest.raises(LoginFailed) as raised:
        visit(dns_server, domain)
    assert (raised.value.name, raised.value.to_error().row.status) == ("no-server", 502)


def test_the_next_target_where_one_fails(dns_server: DnsServer, hostile: HostileServer) -> None:
    """A port that nobody listens on, one that is not TLS, and the good one; its refusal is the last word."""
    dns_server.zone = {
        (DIRECT, "SRV"): [f"1 0 {free_port()} a.{DOMAIN}.", f"2 0 {hostile.port} a.{DOMAIN}."],
        (STARTTLS, "SRV"): [f"1 0 {hostile.port} a.{DOMAIN}.", f"2 0 {hostile.port} a.{DOMAIN}."],
        (f"a.{DOMAIN}", "A"): ["127.0.0.1"],
    }

    def script(peer: Peer) -> None:
        if len(hostile.peers) == 1:
            peer.send(HEADER)
            peer.until_closed()
        else:
            peer.starttls()
            peer.open(mechanisms("X"))

    hostile.script = script
    with pytest.raises(LoginFailed) as raised:
        visit(dns_server, private="yes", ca_file=hostile.login().ca_file)
    assert raised.value.name == "no-login"
    assert len(hostile.peers) == 2


def test_a_bad_certificate_is_told_before_others(dns_server: DnsServer, hostile: HostileServer, c2s_authority: Authority) -> None:
    dns_server.zone = {
        (DIRECT, "SRV"): [f"1 0 {hostile.port} a.{DOMAIN}.", f"2 0 {free_port()} a.{DOMAIN}."],
        (f"a.{DOMAIN}", "A"): ["127.0.0.1"],
    }
    hostile.script = lambda peer: peer.encrypt(c2s_authority.issue("evil.example"))
    with pytest.raises(LoginFailed) as raised:
        visit(dns_server, private="yes", ca_file=c2s_authority.ca_file)
    assert (raised.value.name, raised.value.reason) == ("bad-certificate", "it is for another name")


def test_a_resolver_that_fails(dns_server: DnsServer) -> None:
    dns_server.zone = {(DIRECT, "SRV"): BROKEN, (DOMAIN, "A"): [PUBLIC]}
    assert failed(dns_server).name == "unreachable"  # whether there is a service is not known
    dns_server.zone[STARTTLS, "SRV"] = [f"0 0 5222 {DOMAIN}."]
    assert found(dns_server) == [f"{PUBLIC} 5222 starttls"]
    dns_server.zone[DOMAIN, "AAAA"] = BROKEN
    assert found(dns_server) == [f"{PUBLIC} 5222 starttls"]
    dns_server.zone[DOMAIN, "A"] = BROKEN
    assert failed(dns_server).name == "unreachable"


@pytest.mark.parametrize(("failing", "refused"), [(DIRECT, STARTTLS), (STARTTLS, DIRECT)])
def test_a_resolver_that_fails_for_one_service_while_the_other_is_not_offered(dns_server: DnsServer, failing: str, refused: str) -> None:
    """Whether the domain itself is meant is not known, so that it is not asked."""
    dns_server.zone = {(failing, "SRV"): BROKEN, (refused, "SRV"): ["0 0 0 ."], (DOMAIN, "A"): [PUBLIC]}
    assert failed(dns_server).name == "unreachable"


def test_a_resolver_that_is_silent(dns_server: DnsServer) -> None:
    dns_server.zone = dict.fromkeys([(DIRECT, "SRV"), (STARTTLS, "SRV")], SILENT)
    began = time.monotonic()
    assert failed(dns_server, seconds=0.5).name == "unreachable"
    assert time.monotonic() - began < 15


def test_a_domain_that_is_an_address_is_not_looked_up(dns_server: DnsServer) -> None:
    assert found(dns_server, PUBLIC) == [f"{PUBLIC} 5223 direct", f"{PUBLIC} 5222 starttls"]
    assert found(dns_server, f"[{PUBLIC6}]", tls="direct") == [f"{PUBLIC6} 5223 direct"]
    assert found(dns_server, "[::1]") == []
    assert not dns_server.asked


@pytest.mark.parametrize(
    ("domain", "name"), [("bücher.example", "xn--bcher-kva.example"), ("xn--bcher-kva.example", "xn--bcher-kva.example")]
)
def test_labels_of_dns(dns_server: DnsServer, domain: str, name: str) -> None:
    dns_server.zone = {(f"_xmpp-client._tcp.{name}", "SRV"): [f"0 0 5222 {name}."], (name, "A"): [PUBLIC]}
    assert found(dns_server, domain) == [f"{PUBLIC} 5222 starttls"]


@pytest.mark.parametrize("domain", ["x" * 64 + ".example", "ü" * 60 + ".example", ".".join(["x" * 60] * 5)])
def test_names_that_dns_cannot_have(dns_server: DnsServer, domain: str) -> None:
    assert failed(dns_server, domain).name == "no-server"
    assert not dns_server.asked


def test_a_name_that_becomes_too_long_by_the_service(dns_server: DnsServer) -> None:
    assert failed(dns_server, ".".join(["x" * 60] * 4)).name == "unreachable"


def test_a_host_that_is_named(dns_server: DnsServer) -> None:
    assert found(dns_server, host="127.0.0.1") == ["127.0.0.1 5223 direct", "127.0.0.1 5222 starttls"]
    assert found(dns_server, host="127.0.0.1", port=81, tls="starttls") == ["127.0.0.1 81 starttls"]
    assert found(dns_server, host="::1", tls="direct") == ["::1 5223 direct"]
    assert "127.0.0.1 5222 starttls" in found(dns_server, host="localhost", tls="starttls")
    assert failed(dns_server, host="no-such-host.invalid").name == "unreachable"
    assert not dns_server.asked


def test_the_system_may_take_its_time(dns_server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    going = threading.Event()

    def slow(*args: object, **more: object) -> object:
        going.wait(30)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert failed(dns_server, seconds=0.3, host="slow.example").name == "unreachable"
    going.set()


def test_the_order_of_services() -> None:
    records = [ServiceRecord(10, 60, 1, "a"), ServiceRecord(10, 20, 2, "b"), ServiceRecord(10, 0, 3, "c"), ServiceRecord(5, 0, 4, "d")]
    orders = [[record.port for record in in_order(records)] for _ in range(2000)]
    assert all(order[0] == 4 and sorted(order) == [1, 2, 3, 4] for order in orders)
    second = Counter(order[1] for order in orders)
    assert second[1] > second[2] > second[3]
    assert 1300 < second[1] < 1700  # 1,500 by the weights
