"""Logins at real servers of accounts, by the gateway's own client of c2s (accounts-anywhere §3, §4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.link.c2s.dns_server import DnsServer
from xmpp_rest.link.c2s.credentials import LoginCredentials
from xmpp_rest.link.c2s.failures import LoginFailed
from xmpp_rest.link.c2s.opened_stream import Resumption
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.jid import parse_jid

from .conftest import require, running
from .tls_servers import FOREIGN, ForeignUser, TLSEjabberd, TLSProsody, TLSServer
from .users import EventLoop
from .visitor import Visitor, VisitorStream, credentials

WAYS = pytest.mark.parametrize("tls", ["direct", "starttls"])


def failure(visitor: Visitor, given: LoginCredentials) -> LoginFailed:
    with pytest.raises(LoginFailed) as raised:
        visitor.log_in(given)
    return raised.value


@WAYS
def test_a_login(tls_server: TLSServer, tls: str) -> None:
    with VisitorStream(Visitor(tls_server, tls).log_in(credentials("romeo"))) as stream:
        opened = stream.opened
        assert str(opened.jid) == f"romeo@{FOREIGN}/xmpp-rest"
        assert (opened.tls, opened.resumed, opened.acknowledged) == ("TLSv1.3", False, 0)
        assert opened.keys is not None
        assert opened.keys.mechanism.startswith("SCRAM-SHA-")
        assert opened.management is not None
        assert opened.management.id
        stream.ping()


def test_by_what_dns_says(tls_server: TLSServer) -> None:
    """Direct TLS at a port where nothing is, and then STARTTLS at the good one."""
    server = DnsServer()
    server.zone = {
        (f"_xmpps-client._tcp.{FOREIGN}", "SRV"): [f"0 0 {tls_server.c2s_port} host.{FOREIGN}."],  # which has no direct TLS
        (f"_xmpp-client._tcp.{FOREIGN}", "SRV"): [f"0 0 {tls_server.c2s_port} host.{FOREIGN}."],
        (f"host.{FOREIGN}", "A"): ["127.0.0.1"],
    }
    try:
        by_dns = Visitor(tls_server, nameservers=[server.address], host="", port="", tls="auto", private="yes")
        assert by_dns.check(credentials("romeo")) is not None
        public = Visitor(tls_server, nameservers=[server.address], host="", port="", tls="auto")
        assert failure(public, credentials("romeo")).name == "no-server"
    finally:
        server.close()


@WAYS
def test_a_wrong_password(tls_server: TLSServer, tls: str) -> None:
    visitor = Visitor(tls_server, tls)
    assert failure(visitor, credentials("romeo", "wherefore art thou not")).name == "wrong-password"
    assert failure(visitor, credentials("nobody", "anything")).name == "wrong-password"


def test_a_check_leaves_the_session_alone(tls_server: TLSServer) -> None:
    visitor = Visitor(tls_server)
    with VisitorStream(visitor.log_in(credentials("romeo"))) as stream:
        assert visitor.check(credentials("romeo")) == stream.opened.keys
        with pytest.raises(LoginFailed):
            visitor.check(credentials("romeo", "no"))
        stream.ping()


def test_by_keys_alone(tls_server: TLSServer) -> None:
    visitor = Visitor(tls_server)
    keys = visitor.check(credentials("romeo"))
    with VisitorStream(visitor.log_in(credentials("romeo", None, keys))) as stream:
        stream.ping()


def test_a_password_that_was_changed(tls_server: TLSServer) -> None:
    """Both servers make new salt with it: what the keys are good for is not known any more."""
    visitor = Visitor(tls_server)
    keys = visitor.check(credentials("benvolio"))
    tls_server.set_password("benvolio", "part fools")
    assert failure(visitor, credentials("benvolio")).name == "wrong-password"
    assert failure(visitor, credentials("benvolio", None, keys)).name == "stale-keys"
    assert visitor.check(credentials("benvolio", "part fools", keys)) is not None


def test_the_same_resource_ends_the_older_session(tls_server: TLSServer) -> None:
    visitor = Visitor(tls_server)
    with VisitorStream(visitor.log_in(credentials("romeo"))) as older, VisitorStream(visitor.log_in(credentials("romeo"))) as newer:
        with pytest.raises(LinkDown) as raised:
            older.ping()
        assert raised.value.reason == "conflict"
        newer.ping()


def test_a_cut_session_goes_on(tls_server: TLSServer, event_loop_thread: EventLoop) -> None:
    """What came meanwhile is told, and what the server had received is known; a second time there is nothing left of it."""
    visitor = Visitor(tls_server)
    with VisitorStream(visitor.log_in(credentials("romeo"))) as first:
        first.ping()
        management = first.opened.management
        assert management is not None
        first.send("<r xmlns='urn:xmpp:sm:3'/>")
        keys = first.opened.keys
    user = ForeignUser(event_loop_thread, tls_server, "mercutio")
    user.connect()
    try:
        user.send(f"<message to='romeo@{FOREIGN}/xmpp-rest' type='chat' id='m1'><body>a scratch</body></message>")
        user.iq(f"mercutio@{FOREIGN}", "<ping xmlns='urn:xmpp:ping'/>")
    finally:
        user.close()
    resumption = Resumption(management.id, 1)
    with VisitorStream(visitor.log_in(credentials("romeo", None, keys), resumption=resumption)) as second:
        opened = second.opened
        assert (opened.resumed, opened.acknowledged, str(opened.jid)) == (True, 1, f"romeo@{FOREIGN}/xmpp-rest")
        assert second.wait("id", "m1").findtext("body") == "a scratch"
        second.ping()
        second.send("</stream:stream>")
        with pytest.raises((EOFError, LinkDown)):
            second.wait("id", "never")
    with VisitorStream(visitor.log_in(credentials("romeo", None, keys), resumption=resumption)) as third:
        assert not third.opened.resumed
        third.ping()


@WAYS
def test_a_domain_that_is_another_servers(tls_server: TLSServer, tls: str) -> None:
    failed = failure(Visitor(tls_server, tls), LoginCredentials(parse_jid("romeo@capulet.example"), "any"))
    shows_its_own = tls == "direct" and isinstance(tls_server, TLSEjabberd)  # certificate; Prosody has an alert for it
    assert failed.name == ("bad-certificate" if shows_its_own else "no-server")


@WAYS
def test_the_authorities_of_the_system_do_not_know_it(tls_server: TLSServer, tls: str) -> None:
    failed = failure(Visitor(tls_server, tls, ca_file=""), credentials("romeo"))
    assert (failed.name, failed.reason) == ("bad-certificate", "nobody that is trusted has issued it")


def test_a_server_that_has_ended(tls_server: TLSServer, tmp_path: Path, authority: Authority) -> None:
    gone = type(tls_server)(tmp_path / "gone", authority)
    assert failure(Visitor(gone), credentials("romeo")).name == "unreachable"


@pytest.fixture
def watchful(tmp_path: Path, authority: Authority) -> Iterator[TLSServer]:
    """An ejabberd that bans an address with its fourth wrong password."""
    require(TLSEjabberd.program)
    modules = "  mod_fail2ban: {c2s_max_auth_failures: 4, c2s_auth_ban_lifetime: 60}"
    server = TLSEjabberd(tmp_path / "server", authority, modules=modules)
    for _ in running(server):
        yield server


def test_a_wrong_password_counts_once(watchful: TLSServer) -> None:
    visitor = Visitor(watchful)
    for _ in range(2):
        for number in range(3):
            assert failure(visitor, credentials("romeo", f"wrong {number}")).name == "wrong-password"
        visitor.check(credentials("romeo"))  # sets the count to zero
    for number in range(3):
        assert failure(visitor, credentials("romeo", f"wrong {number}")).name == "wrong-password"
    for given in credentials("romeo", "the fourth"), credentials("romeo"):  # it says so in place of its answer
        failed = failure(visitor, given)
        assert (failed.name, failed.of_account) == ("login-later", False)


def test_plain_at_a_server_that_offers_nothing_else(tmp_path: Path, authority: Authority) -> None:
    require(TLSProsody.program)
    server = TLSProsody(tmp_path / "server", authority, 'disable_sasl_mechanisms = { "SCRAM-SHA-1", "SCRAM-SHA-256" }')
    for _ in running(server):
        visitor = Visitor(server)
        with VisitorStream(visitor.log_in(credentials("romeo"))) as stream:
            assert stream.opened.keys is None
            stream.ping()
        assert failure(visitor, credentials("romeo", "no")).name == "wrong-password"
