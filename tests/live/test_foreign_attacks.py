"""Who guesses at accounts of a real server, who looks for their passwords, and a leader that ends among all that (accounts-anywhere §4.4, §5, §10)."""

from __future__ import annotations

import base64
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3
from urllib3.util import make_headers

from tests.link.attached import until

from .conftest import running
from .foreign_reader import ForeignReader
from .gateway import PASSWORD as ADMIN
from .gateway import Gateway
from .proxy import Proxy
from .test_counted import owner_of
from .tls_servers import FOREIGN, TLSServer
from .xmppserver import GATEWAY, PASSWORD

ROMEO = f"romeo@{FOREIGN}"
Gateways = Callable[..., Gateway]


@pytest.fixture
def way(tls_server: TLSServer) -> Iterator[Proxy]:
    """The way of a gateway to the server, which counts its attempts."""
    yield from running(Proxy(tls_server.direct_port))


@pytest.fixture
def gateways(tls_server: TLSServer, way: Proxy, tmp_path: Path) -> Iterator[Gateways]:
    """Starts a gateway of two processes."""
    started: list[Gateway] = []

    def start(server: dict[str, object] | None = None, **sessions: object) -> Gateway:
        sections: dict[str, dict[str, object]] = {
            "link": {"kind": "none"},
            "server": {"workers": 2, "log_level": "debug", **(server or {})},
            "auth": {"failures": 1000},
            "metrics": {"enabled": "yes"},
            "login.montague": dict(tls_server.login_settings(port=way.port)),
            "sessions": {"retry_max": 1, **sessions},
        }
        started.append(Gateway(tmp_path, 1, sections))
        started[-1].start()
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def ask(
    gateway: Gateway, user: str = ROMEO, password: str = PASSWORD, path: str = "/rest/session", method: str = "GET", **fields: str
) -> int:
    """The status of an answer to one request by a connection of its own, which any of the processes takes."""
    headers = make_headers(basic_auth=f"{user}:{password}") | fields
    with urllib3.HTTPConnectionPool("127.0.0.1", gateway.port, retries=False, timeout=60) as http:
        return http.request(method, path, headers=headers).status


def together(*calls: Callable[[], int]) -> list[int]:
    """What all of these return, called at once."""
    found: list[int] = []
    threads = [threading.Thread(target=lambda call=call: found.append(call())) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(found) == len(calls)
    return found


def test_guesses_from_everywhere_and_through_all_processes(gateways: Gateways, way: Proxy) -> None:
    gateway = gateways({"proxies": 1}, failures_account=3, failures_domain=6, logins=32)
    assert ask(gateway, **{"X-Forwarded-For": "192.0.2.1"}) == 200
    guesses = [
        lambda n=n, user=user, path=path: ask(
            gateway, f"{user}@{FOREIGN}", f"guess {n}", path, **{"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.{n}"}
        )
        for n in range(12)
        for user, path in (("romeo", "/rest/stream"), ("benvolio", "/api/sse"), ("mercutio", "/rest/session"))
    ]
    before = len(way.attempts)
    answers = together(*guesses)
    answers += together(*guesses)
    assert set(answers) <= {401, 403, 429, 503}
    assert len(way.attempts) - before <= 6
    assert ask(gateway) == 200  # by the session that is there
    assert ask(gateway, f"juliet@{FOREIGN}") == 503


def test_a_header_of_the_guesser_is_no_other_address(gateways: Gateways, way: Proxy) -> None:
    gateway = gateways(failures_address=2, failures_domain=1000)
    guesses = [
        lambda n=n: ask(gateway, f"{'romeo' if n % 2 else 'benvolio'}@{FOREIGN}", f"guess {n}", **{"X-Forwarded-For": f"198.51.100.{n}"})
        for n in range(12)
    ]
    together(*guesses)
    assert len(way.attempts) <= 2


def test_no_secret_is_anywhere(gateways: Gateways, tls_server: TLSServer) -> None:
    gateway = gateways(recheck=1)
    wrong = "the-orchard-walls-are-high"
    assert ask(gateway) == 200
    assert [ask(gateway, password=wrong) for _ in range(4)] == [403] * 4
    assert ask(gateway, f"romeo@{FOREIGN}", wrong, "/rest/stream") == 403
    assert ask(gateway, "no address@", wrong) == 403
    assert ask(gateway, ROMEO, wrong, "/data/romeo") == 403
    assert ask(gateway, ROMEO, wrong, "/oauth/token", "POST") in (400, 415)
    reader = ForeignReader(gateway.port, ROMEO)
    until(lambda: all(ask(gateway) == 200 for _ in range(4)))
    reader.close()
    tls_server.stop()
    try:
        until(lambda: ask(gateway, f"mercutio@{FOREIGN}") == 503)
    finally:
        tls_server.start()
    admin = make_headers(basic_auth=f"admin@{GATEWAY}:{ADMIN}")
    shown = [gateway.http.request("GET", path, headers=admin) for path in ("/metrics", "/status", "/rest/sessions")]
    assert [answer.status for answer in shown] == [200] * 3
    gateway.stop()
    files = {str(path): path.read_bytes() for path in gateway.folder.rglob("*") if path.is_file() and path.name != "wsgi.ini"}
    assert any(b"login account=romeo" in content for content in files.values())
    texts = {**files, **{answer.url or "": answer.data for answer in shown}}
    pairs = [f"{user}:{secret}" for user in ("romeo", ROMEO, f"mercutio@{FOREIGN}") for secret in (PASSWORD, wrong)]
    coded = [base64.b64encode(text.encode()) for pair in pairs for text in (pair, "\0" + pair.replace(":", "\0"))]
    for secret in (PASSWORD.encode(), wrong.encode(), *coded):
        assert [name for name, content in texts.items() if secret in content] == []


def test_a_leader_that_ends_at_once_among_sessions_logins_and_streams(gateways: Gateways, way: Proxy) -> None:
    gateway = gateways(login_timeout=20)
    assert ask(gateway) == 200
    assert ask(gateway, f"benvolio@{FOREIGN}") == 200
    readers = [ForeignReader(gateway.port, ROMEO) for _ in range(4)]
    before = len(way.attempts)
    way.swallow = True

    def waiting(n: int) -> int:
        try:
            return ask(gateway, f"{('mercutio', 'juliet')[n % 2]}@{FOREIGN}")
        except urllib3.exceptions.HTTPError:  # its process was the one
            return 0

    def kill() -> int:
        until(lambda: len(way.attempts) >= before + 2)
        os.kill(owner_of(gateway), signal.SIGKILL)
        way.swallow = False
        way.cut()
        return 0

    assert set(together(kill, *(lambda n=n: waiting(n) for n in range(12)))) <= {0, 200, 503}
    for reader in readers:
        reader.until(lambda reader=reader: reader.ended)  # type: ignore[misc]
    until(lambda: ask(gateway) == 200)
    until(lambda: {ask(gateway, f"{user}@{FOREIGN}") for user in ("romeo", "benvolio", "mercutio") for _ in range(3)} == {200})
    assert "Traceback" not in gateway.log()
    for reader in readers:
        reader.close()
