"""Answers of DNS are kept for as long as they say, within bounds; failures are not kept (accounts-anywhere §3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tests.link.c2s.dns_server import BROKEN, DnsServer
from xmpp_rest.link.c2s import dns_answers
from xmpp_rest.link.c2s.dns_answers import DnsAnswers, DnsFailed

NAME = "montague.example"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    server = DnsServer()
    server.zone = {(NAME, "A"): ["192.0.2.1"], (f"_xmpp-client._tcp.{NAME}", "SRV"): ["1 2 5222 a.example."]}
    yield server
    server.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Lets so many seconds go by."""
    now = 1000.0

    def go(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(dns_answers, "time", SimpleNamespace(monotonic=lambda: now))
    return go


@pytest.mark.parametrize(("ttl", "kept"), [(0, 60), (59, 60), (300, 300), (3600, 3600), (86400, 3600)])
def test_for_how_long(server: DnsServer, later: Callable[[float], None], ttl: int, kept: int) -> None:
    server.ttl = ttl
    answers = DnsAnswers([server.address])
    for wait, asked in (0, 1), (kept - 1, 1), (2, 2):
        later(wait)
        assert answers.addresses(NAME, "A", 30) == ("192.0.2.1",)
        assert server.asked[NAME, "A"] == asked


def test_that_there_is_none_counts_for_a_minute(server: DnsServer, later: Callable[[float], None]) -> None:
    answers = DnsAnswers([server.address])
    for wait, asked in (0, 1), (59, 1), (2, 2):
        later(wait)
        assert answers.addresses("none.example", "A", 30) == ()
        assert answers.addresses(NAME, "AAAA", 30) == ()
        assert (server.asked["none.example", "A"], server.asked[NAME, "AAAA"]) == (asked, asked)


def test_a_failure_is_not_kept(server: DnsServer) -> None:
    answers = DnsAnswers([server.address])
    good, server.zone = server.zone, {(NAME, "A"): BROKEN}
    with pytest.raises(DnsFailed, match=NAME):
        answers.addresses(NAME, "A", 30)
    server.zone = good
    assert answers.addresses(NAME, "A", 30) == ("192.0.2.1",)


def test_services(server: DnsServer) -> None:
    (record,) = DnsAnswers([server.address]).services(f"_xmpp-client._tcp.{NAME}", 30)
    assert record == (1, 2, 5222, "a.example")


def test_the_second_resolver_is_asked_where_the_first_fails(server: DnsServer) -> None:
    broken = DnsServer()
    broken.zone = {(NAME, "A"): BROKEN}
    try:
        assert DnsAnswers([broken.address, server.address]).addresses(NAME, "A", 30) == ("192.0.2.1",)
    finally:
        broken.close()


def test_there_is_a_bound(server: DnsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_answers, "KEPT", 2)
    answers = DnsAnswers([server.address])
    for name in NAME, "b.example", "c.example", NAME, "c.example":
        answers.addresses(name, "A", 30)
    assert server.asked == {(NAME, "A"): 2, ("b.example", "A"): 1, ("c.example", "A"): 1}


def test_of_an_answer_with_many_records_some_are_kept(server: DnsServer) -> None:
    server.zone[NAME, "SRV"] = [f"{500 - n} 0 5222 h{n}.example." for n in range(500)]
    server.zone[NAME, "A"] = [f"192.0.2.{n}" for n in range(256)]
    answers = DnsAnswers([server.address])
    services = answers.services(NAME, 30)
    assert {record.target for record in services} == {f"h{n}.example" for n in range(468, 500)}
    assert len(answers.addresses(NAME, "A", 30)) == 32


def test_without_a_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    import dns.resolver

    def none(self: object, path: str) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", none)
    with pytest.raises(DnsFailed):
        DnsAnswers(()).addresses(NAME, "A", 30)
