"""The settings of accounts of other servers (accounts-anywhere §1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.authority import Authority
from xmpp_rest.api.commands import registry
from xmpp_rest.config.check import describe, nonsense
from xmpp_rest.config.live import merge
from xmpp_rest.config.load import SettingsError, load_settings
from xmpp_rest.config.login_domains import LoginDomains
from xmpp_rest.config.login_tables import LoginSettings
from xmpp_rest.config.table import Settings

HOSTED = "[gateway]\ndomain = gateway.example\n"


def ini(tmp_path: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "wsgi.ini"
    path.write_text(HOSTED + text)
    return load_settings(path, environ or {})


def problems(tmp_path: Path, text: str) -> list[str]:
    try:
        return nonsense(ini(tmp_path, text), registry())
    except SettingsError as e:
        return e.problems


def test_without_a_section_there_are_none(tmp_path: Path) -> None:
    settings = ini(tmp_path, "")
    assert settings.logins == {}
    assert not LoginDomains(settings.logins, settings.domains)
    assert not any("log in" in line for line in describe(settings))


def test_a_section_by_its_defaults(tmp_path: Path) -> None:
    settings = ini(tmp_path, "[login.friends]\ndomains = Capulet.Example., *.montague.example,\n  *\n")
    assert settings.logins == {
        "friends": LoginSettings(("capulet.example", "*.montague.example", "*"), "", None, "auto", None, False, name="friends")
    }


def test_a_section_with_all(tmp_path: Path) -> None:
    text = "[login.x]\ndomains = capulet.example\nhost = [2001:db8::7]\nport = 5223\ntls = direct\nca_file = keys/ca.pem\nprivate = yes\n"
    login = ini(tmp_path, text).logins["x"]
    assert login == LoginSettings(("capulet.example",), "2001:db8::7", 5223, "direct", tmp_path / "keys/ca.pem", True, name="x")


def test_the_environment(tmp_path: Path) -> None:
    given = {"XMPP_REST_LOGIN_FRIENDS_DOMAINS": "*", "XMPP_REST_LOGIN_FRIENDS_CA_FILE": "/etc/ca.pem", "XMPP_REST_SESSIONS_PER_DOMAIN": "7"}
    settings = ini(tmp_path, "[login.friends]\ndomains = capulet.example\n", given)
    assert (settings.logins["friends"].domains, settings.logins["friends"].ca_file) == (("*",), Path("/etc/ca.pem"))
    assert settings.sessions.per_domain == 7


def test_bounds_by_their_defaults(tmp_path: Path) -> None:
    s = ini(tmp_path, "").sessions
    assert (s.idle, s.recheck, s.total, s.per_domain, s.logins) == (600, 3600, 1000, 500, 8)
    assert (s.connect_timeout, s.login_timeout, s.confirm_timeout) == (5, 15, 10)
    assert (s.failures_account, s.failures_address, s.failures_domain, s.failures_window) == (5, 5, 15, 3600)
    assert (s.refused_for, s.retry_max, s.poll, s.keepalive) == (300, 300, 5, 60)
    assert (s.presence, s.resource, s.queue_size) == ("listening", "xmpp-rest", 1000)
    assert (s.send_limit, s.stanza_size_limit, s.nameservers) == (250_000, 1_048_576, ())


def test_nameservers(tmp_path: Path) -> None:
    text = "[sessions]\nnameservers = 192.0.2.53, 192.0.2.54:5353, 2001:db8::53, [2001:db8::54]:5353\n"
    assert ini(tmp_path, text).sessions.nameservers == (("192.0.2.53", 53), ("192.0.2.54", 5353), ("2001:db8::53", 53), ("2001:db8::54", 5353))


@pytest.mark.parametrize("written", ["ns.example.net", "192.0.2.53:0", "192.0.2.53:70000", "[2001:db8::53", "192.0.2.53 port 53", "1.2.3.4.5:53"])
def test_what_is_no_nameserver(tmp_path: Path, written: str) -> None:
    assert any("write addresses of DNS servers" in problem for problem in problems(tmp_path, f"[sessions]\nnameservers = {written}\n"))


@pytest.mark.parametrize(
    ("text", "where", "remedy"), [
        ("[login.x]\n", "[login.x] domains: is missing", "example.org"),
        ("[login.x]\nhost = xmpp.capulet.example\n", "[login.x] domains: is missing", "example.org"),
        ("[login.x]\ndomains = ,\n", "[login.x] domains", "write at least one domain"),
        ("[login.x]\ndomains = juliet@capulet.example\n", "[login.x] domains", "write domains such as example.org"),
        ("[login.x]\ndomains = *.*.example\n", "[login.x] domains", "write domains such as example.org"),
        ("[login.x]\ndomains = capulet..example\n", "[login.x] domains", "write domains such as example.org"),
        ("[login.x]\ndomains = a.example\n[login.y]\ndomains = b.example, A.example.\n", "[login.y] domains: a.example", "is in [login.x] already"),
        ("[login.x]\ndomains = *\n[login.y]\ndomains = *\n", "[login.y] domains: *", "is in [login.x] already"),
        ("[login.x]\ndomains = gateway.example\n", "[login.x] domains: gateway.example", "leave it out"),
        ("[login.x]\ndomains = muclight.gateway.example\n", "[login.x] domains: muclight.gateway.example", "leave it out"),
        ("[login.x]\ndomains = conference.gateway.example\n", "[login.x] domains: conference.gateway.example", "leave it out"),
        ("[login.x]\ndomains = a.example\nport = 5222\ntls = starttls\n", "[login.x] port", "write host ="),
        ("[login.x]\ndomains = a.example\nhost = 192.0.2.7\nport = 5222\n", "[login.x] port", "say whether it is direct or starttls, in tls"),
        ("[login.x]\ndomains = a.example\nport = 0\n", "[login.x] port", "1 to 65535"),
        ("[login.x]\ndomains = a.example\ntls = ssl\n", "[login.x] tls", "auto, direct, starttls"),
        ("[login.x]\ndomains = a.example\nca_file = nothing.pem\n", "[login.x] ca_file", "cannot be read"),
        ("[login.x]\ndomains = a.example\nca_file = wsgi.ini\n", "[login.x] ca_file", "holds no certificate"),
        ("[login.x]\ndomains = *.example\n[auth]\nadmins = admin@gateway.example, romeo@a.example\n", "[auth] admins: romeo@a.example", "are accounts of gateway.example"),
        ("[login.x]\ndomains = a.example\npassword = x\n", "[login.x] password", "there is no such setting"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, text: str, where: str, remedy: str) -> None:
    (problem,) = problems(tmp_path, text)
    assert where in problem
    assert remedy in problem


def test_authorities_are_read_where_they_are(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    text = f"[login.x]\ndomains = a.example\nca_file = {authority.ca_file.relative_to(tmp_path)}\n"
    assert problems(tmp_path, text) == []


def test_a_beginning_that_leaves_no_room_for_the_rest_of_a_resource(tmp_path: Path) -> None:
    assert problems(tmp_path, f"[sessions]\nresource = {'x' * 1000}\n") == []
    (problem,) = problems(tmp_path, f"[sessions]\nresource = {'x' * 1001}\n")
    assert "write at most 1000 bytes" in problem


def test_a_hosted_domain_below_a_pattern_stays_hosted(tmp_path: Path) -> None:
    settings = ini(tmp_path, "[login.x]\ndomains = *, *.example\n[auth]\nadmins = admin@gateway.example\n")
    assert nonsense(settings, registry()) == []
    domains = LoginDomains(settings.logins, settings.domains)
    assert domains.of("gateway.example") is None
    assert domains.pattern("conference.gateway.example") == ""
    assert domains.pattern("other.gateway.example") == "*.example"


def login(name: str, *domains: str) -> LoginSettings:
    return LoginSettings(domains, "", None, "auto", None, False, name=name)


DOMAINS = LoginDomains(
    {"a": login("a", "capulet.example", "*.capulet.example", "localhost", "192.0.2.7"), "b": login("b", "*.deep.capulet.example", "*")},
    ("gateway.example",),
)


@pytest.mark.parametrize(
    ("domain", "pattern"), [
        ("capulet.example", "capulet.example"),
        ("a.capulet.example", "*.capulet.example"),
        ("deep.capulet.example", "*.capulet.example"),
        ("a.deep.capulet.example", "*.deep.capulet.example"),
        ("a.b.deep.capulet.example", "*.deep.capulet.example"),
        ("xcapulet.example", "*"),
        ("montague.example", "*"),
        ("gateway.example", ""),
        ("localhost", "localhost"),
        ("intern", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.8", ""),
        ("127.1", ""),
        ("0x7f.0x1", ""),
        ("[::1]", ""),
        ("[::ffff:192.0.2.7]", ""),
    ],
)  # fmt: skip
def test_an_exact_name_outranks_the_longer_pattern_and_that_the_shorter(domain: str, pattern: str) -> None:
    assert DOMAINS.pattern(domain) == pattern
    found = DOMAINS.of(domain)
    assert (found is not None) == bool(pattern)
    assert found is None or pattern in found.domains


def test_a_reload_takes_sections_and_bounds(tmp_path: Path) -> None:
    old = ini(tmp_path, "[login.x]\ndomains = a.example\n")
    new = ini(tmp_path, "[login.x]\ndomains = b.example\n[login.y]\ndomains = c.example\n[sessions]\nidle = 7\n")
    merged = merge(old, new)
    assert merged.settings.logins == new.logins
    assert merged.settings.sessions.idle == 7
    assert sorted(merged.applied) == ["[login.x]", "[login.y]", "[sessions] idle"]
    assert merged.waiting == []


def test_check_says_who_may_log_in(tmp_path: Path) -> None:
    text = "[login.x]\ndomains = a.example, *\n[login.y]\ndomains = b.example\nhost = 192.0.2.7\nport = 5223\ntls = direct\n[login.z]\ndomains = *.c.example\ntls = starttls\nprivate = yes\n"
    assert [line for line in describe(ini(tmp_path, text)) if "log in" in line] == [
        "let accounts of a.example, any other domain log in at their own server, where DNS says, by direct TLS or STARTTLS, by [login.x]",
        "let accounts of b.example log in at their own server, at 192.0.2.7:5223, by direct TLS, by [login.y]",
        "let accounts of *.c.example log in at their own server, where DNS says, by STARTTLS, also at private addresses, by [login.z]",
    ]
