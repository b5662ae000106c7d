"""Why an account of another server does not come in, at every API that is for such (accounts-anywhere §5.3, §6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.foreign_accounts import AS_ROMEO, FOREIGN, ROMEO, SESSION, ScriptedDoor, app_with_door
from tests.conftest import DOMAIN, PASSWORD, basic
from tests.live.child import free_port
from xmpp_rest.auth.authorization import CLIENT, REST, Policy
from xmpp_rest.auth.caller import Caller, CallerKind
from xmpp_rest.errors import TABLE, GatewayError, at_server
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

REASON = "it has expired"
TABLE_HERE = TABLE["docs/foreign-accounts.md#errors"]
FAILURES = [  # status, text, Retry-After
    ("account-disabled", None, 403, f"The server of {FOREIGN} has disabled this account", None),
    ("too-many-failures", 1799.2, 429, "Too many wrong credentials; try again later", "1800"),
    ("login-paused", 60, 503, f"Too many wrong passwords for accounts of {FOREIGN}; new logins wait", "60"),
    ("unreachable", 0.2, 503, f"The server of {FOREIGN} cannot be reached; try again later", "1"),
    ("login-later", 3.5, 503, f"The server of {FOREIGN} takes no login now; try again later", "4"),
    ("no-server", None, 502, f"There is no XMPP server for {FOREIGN}", None),
    ("bad-certificate", None, 502, f"The certificate of {FOREIGN} is not valid ({REASON}); the password was not sent", None),
    ("no-tls", None, 502, f"The server of {FOREIGN} offers no encryption; the password was not sent", None),
    ("no-login", None, 502, f"The server of {FOREIGN} offers no login that is known here", None),
    ("impostor", None, 502, f"The server of {FOREIGN} could not prove that it knows the password", None),
    ("sessions-full", None, 503, "As many sessions are open as there may be; try again later", "5"),
    ("session-lost", None, 503, f"The session at {FOREIGN} broke off; try again", "1"),
    ("session-broke", None, 503, f"The session at {FOREIGN} broke off; try again", "1"),
]
by_failure = pytest.mark.parametrize(("name", "seconds", "status", "text", "retry"), FAILURES)
Built = tuple[Flask, ScriptedDoor]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    with app_with_door(tmp_path_factory.mktemp("failures"), auth_failures="100000") as built:
        yield built


@pytest.fixture
def door(built: Built) -> Iterator[ScriptedDoor]:
    built[1].asked.clear()
    yield built[1]
    built[1].fails = None


@pytest.fixture
def client(built: Built) -> FlaskClient:
    return built[0].test_client()


def fail(door: ScriptedDoor, name: str, seconds: float | None) -> None:
    door.fails = partial(at_server, name, FOREIGN, reason=REASON, retry_after=seconds)


def test_the_table_has_them_all() -> None:
    assert {failure[0] for failure in FAILURES} | {"elsewhere"} <= set(TABLE_HERE)
    assert {name for name, row in TABLE_HERE.items() if "{domain}" in row.text} - {failure[0] for failure in FAILURES} == {"elsewhere"}


@by_failure
@pytest.mark.parametrize("path", ["/rest/outcome/1", "/rest/stream", "/rest/archive/romeo@montague.example"])
def test_at_rest(client: FlaskClient, door: ScriptedDoor, path: str, name: str, seconds: float | None, status: int, text: str, retry: str | None) -> None:
    fail(door, name, seconds)
    answer = client.get(path, headers=AS_ROMEO)
    error = answer.get_json()["error"]
    row = TABLE_HERE[name]
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry)
    assert (error["type"], error["condition"], error["text"]) == (row.type, row.condition, text)


@by_failure
def test_what_is_sent(client: FlaskClient, door: ScriptedDoor, name: str, seconds: float | None, status: int, text: str, retry: str | None) -> None:
    """Also a body that is too large: credentials come first."""
    fail(door, name, seconds)
    for body in (b'{"kind":"message"}', b"x" * 1_000_000):
        answer = client.post("/rest", data=body, content_type="application/json", headers=AS_ROMEO)
        assert (answer.status_code, answer.get_json()["error"]["text"], answer.headers.get("Retry-After")) == (status, text, retry)


def test_as_xml_and_html(client: FlaskClient, door: ScriptedDoor) -> None:
    fail(door, "unreachable", 7)
    answer = client.post("/rest", json={}, headers={**AS_ROMEO, "Accept": "application/xmpp+xml"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert "<remote-server-timeout" in answer.text
    answer = client.post("/rest", json={}, headers={**AS_ROMEO, "Accept": "text/html"})
    assert "cannot be reached" in answer.text


@by_failure
def test_at_rooms_and_files(client: FlaskClient, door: ScriptedDoor, name: str, seconds: float | None, status: int, text: str, retry: str | None) -> None:
    fail(door, name, seconds)
    condition = TABLE_HERE[name].condition
    for answer in (
        client.get("/rest/rooms", headers=AS_ROMEO),
        client.put("/rest/rooms/garden@conference.verona.example", json={}, headers=AS_ROMEO),
        client.post("/rest/files?to=juliet@capulet.example", data=b"x", headers={**AS_ROMEO, "Content-Type": "image/png"}),
    ):
        assert (answer.status_code, answer.content_type, answer.headers.get("Retry-After")) == (status, "application/problem+json", retry)
        problem = answer.get_json(force=True)
        assert (problem["detail"], problem["condition"]) == (text, condition)


@by_failure
def test_at_the_client_api(client: FlaskClient, door: ScriptedDoor, name: str, seconds: float | None, status: int, text: str, retry: str | None) -> None:
    fail(door, name, seconds)
    message = {"to": f"juliet@{DOMAIN}", "body": "It is my lady"}
    for answer in (
        client.get("/api/contacts", headers=AS_ROMEO),
        client.get("/api/messages", headers=AS_ROMEO),
        client.get("/api/rooms", headers=AS_ROMEO),
        client.get("/api/sse", headers={**AS_ROMEO, "Accept": "text/event-stream"}),
        client.post("/api/messages", json=message, headers=AS_ROMEO),
    ):
        assert (answer.status_code, answer.get_json(), answer.headers.get("Retry-After")) == (status, text, retry)


def test_in_the_third_generation_there_is_no_body(tmp_path: Path) -> None:
    with app_with_door(tmp_path / "data", client_generation="3") as (app, door):
        for name, seconds, status, _, retry in FAILURES:
            fail(door, name, seconds)
            answer = app.test_client().get("/api/contacts", headers=AS_ROMEO)
            assert (answer.status_code, answer.data, answer.headers.get("Retry-After")) == (status, b"", retry)


def test_a_wrong_password(client: FlaskClient, door: ScriptedDoor) -> None:
    wrong = basic(ROMEO, "wrong")
    answer = client.get("/rest/outcome/1", headers=wrong)
    assert (answer.status_code, answer.get_json()["error"]["condition"], answer.get_json()["error"]["text"]) == (403, "not-authorized", "Credentials not accepted")
    assert client.get("/rest/stream", headers=wrong).status_code == 403
    for path in ("/api/contacts", "/api/sse"):
        answer = client.get(path, headers=wrong)
        assert (answer.status_code, answer.data) == (401, b"")
    assert len(door.asked) == 4


@pytest.mark.parametrize("name", [f"@{FOREIGN}", f"ro meo@{FOREIGN}", f"romeo@{FOREIGN}/{'x' * 2000}"])
def test_what_is_no_address_asks_nobody(client: FlaskClient, door: ScriptedDoor, name: str) -> None:
    assert client.get("/rest/outcome/1", headers=basic(name)).status_code == 403
    assert client.get("/api/contacts", headers=basic(name)).status_code == 401
    assert door.asked == []


@pytest.mark.parametrize("name", [ROMEO, f"{ROMEO}/balcony", f"RoMeo@{FOREIGN.upper()}", f"romeo@{FOREIGN}."])
@pytest.mark.parametrize("policy", [REST, CLIENT])
def test_the_caller_is_the_bare_address_with_its_session(built: Built, door: ScriptedDoor, policy: Policy, name: str) -> None:
    gateway: Gateway = built[0].extensions["gateway"]
    field = basic(name)["Authorization"]
    who = gateway.parts.authenticator.check(field, "192.0.2.1", policy)
    assert who == Caller(parse_jid(ROMEO), CallerKind.FOREIGN, session=SESSION)
    assert door.asked == [(parse_jid(ROMEO), "192.0.2.1")]
    assert gateway.parts.authenticator.still_valid(field, policy)
    assert not gateway.parts.authenticator.still_valid(basic(name, "wrong")["Authorization"], policy)


def test_wrong_passwords_are_throttled_before_anything_is_asked(tmp_path: Path) -> None:
    """§5.3. Here the door forgives nobody, so that only `[auth] failures` stands between it and those who guess."""
    with app_with_door(tmp_path / "data", auth_failures="3") as (app, door):
        client = app.test_client()
        answers = [client.get("/rest/outcome/1", headers=basic(ROMEO, f"guess {n}")) for n in range(5)]
        assert [answer.status_code for answer in answers] == [403, 403, 403, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert client.get("/rest/outcome/1", headers=AS_ROMEO).status_code == 404, "the right one passes"
        assert len(door.asked) == 6
        gateway: Gateway = app.extensions["gateway"]
        for _ in range(4):
            client.get("/rest/outcome/1", headers=basic(ROMEO, "guess"))
        gateway.parts.authenticator._throttle.cost((ROMEO, "127.0.0.1"), 60.0)
        asked = len(door.asked)
        assert client.get("/rest/outcome/1", headers=basic(ROMEO, "guess")).status_code == 429
        assert len(door.asked) == asked, "what goes beyond the share of such guesses is not looked at"


def test_a_guess_that_is_refused_is_noted_without_the_password(client: FlaskClient, door: ScriptedDoor, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/rest/outcome/1", headers=basic(ROMEO, "a-guess"))
    assert "reason=password" in caplog.text
    assert ROMEO in caplog.text
    assert "a-guess" not in caplog.text


def test_a_hosted_account_comes_in_as_ever(client: FlaskClient, door: ScriptedDoor) -> None:
    fail(door, "unreachable", 7)
    assert client.get("/rest/outcome/1", headers=basic(f"juliet@{DOMAIN}", PASSWORD)).status_code == 404
    assert client.get("/api/contacts", headers=basic(f"juliet@{DOMAIN}", PASSWORD)).status_code == 200
    assert door.asked == []


@pytest.fixture
def pair_settings() -> dict[str, str]:
    return {
        "login_montagues_domains": FOREIGN, "login_montagues_host": "127.0.0.1", "login_montagues_port": str(free_port()),
        "login_montagues_tls": "direct", "sessions_retry_max": "300",
    }  # fmt: skip


def test_a_server_where_nobody_listens_from_any_process(pair: tuple[Gateway, Gateway]) -> None:
    """By the real door, in the leader and in a follower, which is told when to try again as well."""
    text = f"The server of {FOREIGN} cannot be reached; try again later"
    for gateway in (*pair, *pair):
        field = AS_ROMEO["Authorization"]
        with pytest.raises(GatewayError) as caught:
            gateway.parts.authenticator.check(field, "127.0.0.1", REST)
        assert (caught.value.name, caught.value.text) == ("unreachable", text)
        assert caught.value.given_retry_after is not None
        assert 1 <= (caught.value.retry_after or 0) <= 300
        assert not gateway.parts.authenticator.still_valid(field, REST)
