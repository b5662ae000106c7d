"""Who comes in with an account of a real server, and what that server notices of it (accounts-anywhere §5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from urllib3 import BaseHTTPResponse
from urllib3.util import make_headers

from tests.authority import Authority
from tests.link.attached import until

from .conftest import require, running
from .gateway import Gateway
from .tls_servers import FOREIGN, TLSEjabberd, TLSServer
from .visitor import Visitor, credentials
from .xmppserver import PASSWORD

NEW = "O, be some other name"


class Asking:
    """Asks a gateway with credentials of accounts of a server."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def session(self, user: str, password: str = PASSWORD, method: str = "GET") -> BaseHTTPResponse:
        headers = make_headers(basic_auth=f"{user}@{FOREIGN}:{password}")
        return self.gateway.http.request(method, "/rest/session", headers=headers)

    def status(self, user: str, password: str = PASSWORD) -> int:
        return self.session(user, password).status


def asking(folder: Path, server: TLSServer, **sessions: object) -> Iterator[Asking]:
    sections: dict[str, Mapping[str, object]] = {"login.montague": server.login_settings(), "sessions": sessions, "auth": {"failures": 1000}}
    gateway = Gateway(folder, server.component_port, sections)
    try:
        gateway.start()
        yield Asking(gateway)
    finally:
        gateway.stop()


@pytest.fixture
def strict(tls_server: TLSServer, tmp_path: Path) -> Iterator[Asking]:
    """Passwords are proven again each second."""
    yield from asking(tmp_path, tls_server, recheck=1, failures_domain=1000)


def test_a_session_is_shown_kept_and_ended(strict: Asking) -> None:
    answer = strict.session("romeo")
    assert answer.status == 200, answer.data
    shown = answer.json()
    assert shown["jid"].startswith(f"romeo@{FOREIGN}/xmpp-rest-")
    assert (shown["archive"], shown["presence"], shown["resumable"]) == (True, "none", True)
    assert strict.session("romeo").json()["jid"] == shown["jid"]
    assert strict.session("romeo", method="DELETE").status == 204
    again = strict.session("romeo").json()
    assert again["jid"] == shown["jid"]
    assert again["since"] > shown["since"]


def test_a_changed_password(tls_server: TLSServer, strict: Asking) -> None:
    assert strict.status("mercutio") == 200
    tls_server.set_password("mercutio", NEW)
    try:
        until(lambda: strict.status("mercutio") == 403)  # the former one, once it is to be proven again
        assert strict.session("mercutio", "neither").status == 403
    finally:
        tls_server.set_password("mercutio", PASSWORD)


def test_a_new_password_takes_the_place_of_the_former_one_in_the_same_session(tls_server: TLSServer, tmp_path: Path) -> None:
    for usual in asking(tmp_path, tls_server):
        first = usual.session("benvolio").json()
        tls_server.set_password("benvolio", NEW)
        try:
            second = usual.session("benvolio", NEW)
            assert second.status == 200, second.data
            ended = second.json()["since"] != first["since"]  # some servers end all sessions of an account whose password changes
            assert ended or second.json()["jid"] == first["jid"]
            assert usual.status("benvolio") == 403
            assert usual.status("benvolio", NEW) == 200
        finally:
            tls_server.set_password("benvolio", PASSWORD)


def test_no_guessing_has_the_gateway_banned(authority: Authority, tmp_path: Path) -> None:
    """ejabberd bans an address, for everybody, after so many failures."""
    require(TLSEjabberd.program)
    for folder in ("server", "gateway"):
        (tmp_path / folder).mkdir()
    server = TLSEjabberd(tmp_path / "server", authority, modules="  mod_fail2ban:\n    c2s_max_auth_failures: 4\n")
    for _ in running(server):
        for guarded in asking(tmp_path / "gateway", server, failures_domain=3):
            assert guarded.status("romeo") == 200
            tried = [guarded.session(user, f"guess {n}") for n in range(6) for user in ("romeo", "benvolio", "mercutio")]
            assert sorted({answer.status for answer in tried}) == [403, 503]
            assert [answer.status for answer in tried].count(403) == 3
            paused = guarded.session("juliet")
            assert paused.status == 503
            assert paused.json()["error"]["text"] == f"Too many wrong passwords for accounts of {FOREIGN}; new logins wait"
            assert guarded.status("romeo") == 200
            assert Visitor(server).check(credentials("juliet")) is not None  # from the same address
