"""Bearer tokens at each API (commands-api §13; `send:` is our own)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN
from xmpp_rest.auth.scopes import send_scope
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

NURSE = f"nurse@{DOMAIN}"
MESSAGE = {"kind": "message", "to": NURSE, "body": "Romeo?"}
CALLS = {
    "rest": ("POST", "/rest", MESSAGE),
    "path": ("POST", f"/rest/message/chat/{NURSE}", {"kind": "message", "body": "Romeo?"}),
    "iq": ("GET", f"/rest/ping/{DOMAIN}", None),
    "presence": ("POST", "/rest", {"kind": "presence"}),
    "echo": ("POST", "/rest/echo", MESSAGE),
    "outcome": ("GET", "/rest/outcome/1", None),
    "messages": ("POST", "/api/messages", {"to": NURSE, "body": "Romeo?"}),
    "history": ("GET", "/api/messages", None),
    "contacts": ("GET", "/api/contacts", None),
    "rooms": ("GET", "/api/rooms", None),
    "rooms anywhere": ("GET", "/rest/rooms", None),
    "data": ("GET", "/data/settings", None),
    "credentials": ("GET", "/data/accounts", None),
    "other": ("GET", f"/data/{DOMAIN}/nurse/accounts", None),
    "status": ("GET", "/status", None),
    "command": ("POST", "/api/status", {}),
}
ADMINISTERING = {"credentials", "other", "status", "command"}
ACCOUNT = set(CALLS) - ADMINISTERING
SENDING = {"rest", "path", "messages"}


@pytest.fixture
def token(gateway: Gateway) -> object:
    gateway.prepare()  # a token is for the account that is there

    def issue(owner: str, *scopes: str, seconds: int = 60) -> dict[str, str]:
        text = Tokens(gateway.driver, DOMAIN).issue(parse_jid(owner), list(scopes), seconds)
        return {"Authorization": f"Bearer {text}"}

    return issue


def opened(client: FlaskClient, headers: dict[str, str]) -> set[str]:
    """The calls that are not refused as forbidden."""
    statuses = {n: client.open(path, method=method, json=body, headers=headers).status_code for n, (method, path, body) in CALLS.items()}
    assert 401 not in statuses.values(), statuses
    return {name for name, status in statuses.items() if status != 403}


@pytest.mark.parametrize(
    ("owner", "scopes", "opens"),
    [
        ("juliet", ["ejabberd:user"], ACCOUNT),
        ("juliet", ["sasl_auth"], ACCOUNT),
        ("juliet", ["ejabberd:admin"], set()),
        ("juliet", ["status"], set()),
        ("juliet", [], set()),
        ("juliet", ["ejabberd:user", "ejabberd:admin", "status"], ACCOUNT),
        ("admin", ["ejabberd:admin"], ADMINISTERING | {"data"}),
        ("admin", ["ejabberd:user"], ACCOUNT),
        ("admin", ["ejabberd:user", "ejabberd:admin"], set(CALLS)),
        ("juliet", ["send:nurse@*"], SENDING),
        ("juliet", [send_scope("*")], SENDING),
        ("juliet", ["send:romeo@*"], set()),
        ("juliet", ["send:romeo@*", f"send:n*@{DOMAIN}"], SENDING),
        ("juliet", ["send:nurse@*", "ejabberd:user"], ACCOUNT),
        ("admin", ["send:nurse@*", "ejabberd:admin"], SENDING | ADMINISTERING | {"data"}),
    ],
)
def test_what_scopes_open(client: FlaskClient, token: object, owner: str, scopes: list[str], opens: set[str]) -> None:
    assert opened(client, token(f"{owner}@{DOMAIN}", *scopes)) == opens  # type: ignore[operator]


@pytest.mark.parametrize("name", ["rest", "messages", "data", "status", "command", "outcome"])
@pytest.mark.parametrize("how", ["expired", "banned", "revoked", "nobody", "foreign"])
def test_tokens_that_count_for_nothing(client: FlaskClient, gateway: Gateway, token: object, name: str, how: str) -> None:
    owners = {"nobody": f"nobody@{DOMAIN}", "foreign": "romeo@montague.example"}
    headers = token(owners.get(how, f"juliet@{DOMAIN}"), "ejabberd:user", seconds=-5 if how == "expired" else 60)  # type: ignore[operator]
    if how == "banned":
        gateway.driver.update("juliet", DOMAIN, "accounts", lambda r: {**dict(r or {}), "disabled": True})
    if how == "revoked":
        Tokens(gateway.driver, DOMAIN).revoke(headers["Authorization"].split()[1])
    method, path, body = CALLS[name]
    assert client.open(path, method=method, json=body, headers=headers).status_code in (401, 403)


def test_the_message_of_a_sending_token_is_its_owners(client: FlaskClient, gateway: Gateway, token: object) -> None:
    headers = token(f"juliet@{DOMAIN}", "send:nurse@*")  # type: ignore[operator]
    assert client.post("/rest", json=MESSAGE, headers=headers).status_code == 202
    assert client.post("/rest", json=MESSAGE | {"from": NURSE}, headers=headers).status_code == 403
    assert client.post("/rest", json=MESSAGE | {"to": f"admin@{DOMAIN}"}, headers=headers).status_code == 403
    assert client.post("/rest", json={"kind": "message", "body": "to myself"}, headers=headers).status_code == 403
    assert client.post("/api/messages", json={"to": f"admin@{DOMAIN}", "body": "x"}, headers=headers).status_code == 403
    archive = gateway.driver.archive_find("nurse", DOMAIN, "archive")
    assert [item.with_ for item in archive] == [f"juliet@{DOMAIN}"]


@pytest.mark.parametrize("name", ["messages", "data", "status", "command"])
def test_the_fixed_token_is_for_the_stanza_api_alone(client: FlaskClient, name: str) -> None:
    method, path, body = CALLS[name]
    assert client.open(path, method=method, json=body, headers={"Authorization": TOKEN}).status_code in (401, 403)


@pytest.mark.parametrize("glob", ["", "a b@c", "ops@x/y", 'o"ps@x', "a@b@c"])
def test_globs_that_are_none(glob: str) -> None:
    with pytest.raises(ValueError, match="write an address"):
        send_scope(glob)


def test_tokens_go_with_their_account(client: FlaskClient, gateway: Gateway, token: object) -> None:
    """A later account of that name is a different one."""
    headers = token(f"juliet@{DOMAIN}", "ejabberd:user")  # type: ignore[operator]
    juliet = parse_jid(f"juliet@{DOMAIN}")
    gateway.parts.accounts.unregister(juliet)
    gateway.parts.accounts.register(juliet, "another")
    assert client.get("/data/accounts", headers=headers).status_code == 401


def test_coming_in_is_noted(client: FlaskClient, gateway: Gateway, token: object) -> None:
    juliet = parse_jid(f"juliet@{DOMAIN}")
    assert gateway.parts.last.get(juliet) is None
    client.post("/rest", json=MESSAGE, headers=token(f"juliet@{DOMAIN}", "send:nurse@*"))  # type: ignore[operator]
    activity = gateway.parts.last.get(juliet)
    assert activity is not None
    assert activity.status == ""
    gateway.driver.store("juliet", DOMAIN, "last", None)
    client.post("/rest", json=MESSAGE, headers=token(f"juliet@{DOMAIN}", "send:nurse@*"))  # type: ignore[operator]
    assert gateway.parts.last.get(juliet) is None, "one write in five minutes"
