"""What is answered for servers that are not what they should be, by HTTP and with TLS on the wire (accounts-anywhere §4.1, §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.conftest import MakeApp, basic
from tests.foreign_app import MONTAGUE, PASSWORDS, login_settings, montague_folder
from tests.link.c2s.fake_server import FakeServer

__all__ = ["montague_folder"]

Change = Callable[[FakeServer, Path], dict[str, str]]
CERTIFICATE = "The certificate of {} is not valid ({}); the password was not sent"
IMPROPER: dict[str, tuple[Change, str, int, str]] = {  # what differs from a section that works, domain, status, text
    "another authority": (
        lambda server, folder: {"ca_file": str(Authority(folder).ca_file)},
        MONTAGUE, 502, CERTIFICATE.format(MONTAGUE, "nobody that is trusted has issued it"),
    ),
    "the system's authorities": (
        lambda server, folder: {"ca_file": ""},
        MONTAGUE, 502, CERTIFICATE.format(MONTAGUE, "nobody that is trusted has issued it"),
    ),
    "another name": (
        lambda server, folder: {"domains": "verona.example"},
        "verona.example", 502, CERTIFICATE.format("verona.example", "it is for another name"),
    ),
    "TLS where STARTTLS was awaited": (
        lambda server, folder: {"tls": "starttls", "port": str(server.direct_port)},
        MONTAGUE, 503, f"The server of {MONTAGUE} cannot be reached; try again later",
    ),
}  # fmt: skip


@pytest.fixture
def server(montague_folder: Path) -> Iterator[FakeServer]:
    with FakeServer(montague_folder, PASSWORDS, MONTAGUE) as server:
        yield server


@pytest.mark.parametrize("what", IMPROPER)
def test_no_password_is_sent_to_them(make_app: MakeApp, server: FakeServer, tmp_path: Path, what: str) -> None:
    change, domain, status, text = IMPROPER[what]
    client = make_app(**login_settings(server, **change(server, tmp_path / "authority"))).test_client()
    romeo = basic(f"romeo@{domain}", PASSWORDS["romeo"])
    for _ in range(2):  # also while the server is left alone
        answer = client.post("/rest", json={"to": f"juliet@{domain}", "body": "It is my lady"}, headers=romeo)
        assert (answer.status_code, answer.get_json()["error"]["text"]) == (status, text)
        assert ("Retry-After" in answer.headers) is (status == 503)
        answer = client.get("/api/contacts", headers=romeo)
        assert (answer.status_code, answer.get_json()) == (status, text)
    assert (server.attempts, server.logins) == ([], [])
