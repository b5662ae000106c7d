"""Accounts, roles and tokens mean the same to the gateway and to a Prosody that runs on the same files."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import basic

from .beside import Beside
from .closing import soon_closed
from .conftest import require, running
from .xmppserver import DOMAIN, PASSWORD

MINT = """
local tokens = module:depends("tokenauth")
local grant = tokens.create_grant("{jid}", "{jid}", 3600)
return tokens.create_token("{jid}", grant, "prosody:registered", 3600)
"""
VALIDATE = 'local t = module:depends("tokenauth"); return t.get_token_info("{token}") and "good" or "void"'
NEW = "another one"


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    require(Beside.program)
    yield from running(Beside(tmp_path_factory.mktemp("beside") / "server"))


@pytest.fixture
def romeo(prosody: Beside, app: Flask) -> str:
    """An account that Prosody has made."""
    prosody.user("delete_user", "romeo", DOMAIN)
    prosody.user("create_user", "romeo", PASSWORD, DOMAIN)
    return f"romeo@{DOMAIN}"


def token(client: FlaskClient, jid: str) -> dict[str, str]:
    arguments = {"jid": jid, "ttl": 3600, "scopes": ["ejabberd:user"]}
    answer = client.post("/api/oauth_issue_token", json=arguments, headers=basic(f"admin@{DOMAIN}", PASSWORD))
    return {"Authorization": f"Bearer {answer.get_json()['token']}"}


def status(client: FlaskClient, fields: dict[str, str], path: str = "/api/contacts") -> int:
    return client.get(path, headers=fields).status_code


def test_a_password_that_prosody_changes_ends_tokens(prosody: Beside, client: FlaskClient, romeo: str) -> None:
    fields = token(client, romeo)
    assert status(client, fields) == status(client, basic(romeo, PASSWORD)) == 200
    prosody.user("set_password", "romeo", NEW, DOMAIN)
    assert status(client, basic(romeo, NEW)) == 200
    assert soon_closed(lambda: status(client, fields))
    assert soon_closed(lambda: status(client, basic(romeo, PASSWORD)))


def test_an_account_that_prosody_removes_ends_tokens_for_good(prosody: Beside, client: FlaskClient, romeo: str) -> None:
    fields = token(client, romeo)
    prosody.user("delete_user", "romeo", DOMAIN)
    assert status(client, fields) == 401
    prosody.user("create_user", "romeo", PASSWORD, DOMAIN)
    assert status(client, basic(romeo, PASSWORD)) == 200
    assert status(client, fields) == 401


def test_prosody_takes_the_password_that_we_have_set(prosody: Beside, client: FlaskClient, romeo: str) -> None:
    arguments = {"user": "romeo", "host": DOMAIN, "newpass": NEW}
    assert client.post("/api/change_password", json=arguments, headers=basic(f"admin@{DOMAIN}", PASSWORD)).status_code == 200
    assert prosody.user("test_password", "romeo", DOMAIN, NEW) == "true"


def test_roles_of_prosody_13(prosody: Beside, client: FlaskClient, romeo: str) -> None:
    if not prosody.is_13():
        pytest.skip("Prosody 0.12 has no such roles")
    other, own = f"/data/{DOMAIN}/juliet/accounts", "/data/account_roles"
    fields = basic(romeo, PASSWORD)
    for role, expected in (("prosody:admin", 200), ("prosody:member", 403), ("prosody:operator", 200), ("prosody:registered", 403)):
        prosody.user("set_user_role", "romeo", DOMAIN, role)
        assert status(client, fields, other) == expected, role
        assert client.put(own, json={"_default": "prosody:operator"}, headers=fields).status_code == 403
        assert prosody.do(f'return users.get_user_role("romeo", "{DOMAIN}").name') == role


def test_tokens_of_prosody_13(prosody: Beside, client: FlaskClient, romeo: str) -> None:
    if not prosody.is_13():
        pytest.skip("Prosody 0.12 has no such tokens")
    texts = [prosody.do(MINT.format(jid=romeo)) for _ in range(20)]  # of random bytes
    fields = [{"Authorization": f"Bearer {text}"} for text in texts]
    assert {status(client, one) for one in fields} == {200}
    assert status(client, fields[0], "/data/accounts") == 403
    minted = int(time.time())
    while int(time.time()) == minted:  # a grant of the very second in which the account is updated is good
        time.sleep(0.05)
    arguments = {"user": "romeo", "host": DOMAIN, "newpass": NEW}
    client.post("/api/change_password", json=arguments, headers=basic(f"admin@{DOMAIN}", PASSWORD))
    assert {status(client, one) for one in fields} == {401}
    assert {prosody.do(VALIDATE.format(token=text)) for text in texts} == {"void"}
