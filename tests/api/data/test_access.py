"""Access to /data: callers and their stores."""

from __future__ import annotations

import base64

import pytest
from flask import Flask

from tests.api.data.conftest import ADMIN, JULIET, Ask, asker
from tests.conftest import DOMAIN, PASSWORD, TOKEN, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway

CHALLENGE = f'Basic realm="{DOMAIN}/data_access"'
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/data/", "/data/accounts", f"/data/{DOMAIN}/juliet/accounts/lua", f"/data/{DOMAIN}/juliet/"])
def test_without_credentials(ask: Ask, method: str, path: str) -> None:
    response = ask(method, path, user="", body="{}")
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, CHALLENGE)


@pytest.mark.parametrize(
    "field",
    [
        f"Basic {encoded(f'{JULIET}:wrong')}",
        f"Basic {encoded(f'tybalt@{DOMAIN}:{PASSWORD}')}",
        f"Basic {encoded(f'juliet:{PASSWORD}')}",  # no domain
        f"Basic {encoded(f'{DOMAIN}:{PASSWORD}')}",
        f"Basic {encoded(f'@{DOMAIN}:{PASSWORD}')}",
        f"Basic {encoded(f'juliet@verona.example:{PASSWORD}')}",
        f"Basic {encoded(f'jul iet@{DOMAIN}:{PASSWORD}')}",
        f"Basic {encoded(JULIET)}",  # no colon
        *("Basic ***", "Basic", "Basic ", "Basic " + "A" * 9000),
        "Basic " + base64.b64encode(b"juliet@\xff:x").decode(),
        "x",
        f"Digest {encoded(f'{JULIET}:{PASSWORD}')}",
        *(f"Bearer {encoded(f'{JULIET}:{PASSWORD}')}", f"Bearer {JULIET}", TOKEN, "\xff"),
    ],
)
def test_credentials_that_do_not_count(ask: Ask, field: str) -> None:
    response = ask("GET", "/data/accounts", user="", fields={"Authorization": field})
    assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, CHALLENGE)


@pytest.mark.parametrize(
    "field",
    [
        f"Basic {encoded(f'{JULIET}:{PASSWORD}')}",
        f"basic {encoded(f'{JULIET}:{PASSWORD}')}",
        f"Basic  {encoded(f'{JULIET}:{PASSWORD}')}",
        f"Basic {encoded(f'{JULIET.upper()}:{PASSWORD}')}",
        f"Basic {encoded(f'{JULIET}/balcony:{PASSWORD}')}",
        encoded(f"{JULIET}:{PASSWORD}"),  # as the peer's documentation has it
    ],
)
def test_credentials_that_count(ask: Ask, field: str) -> None:
    assert ask("GET", "/data/accounts", user="", fields={"Authorization": field}).status_code == 200


def test_a_name_and_a_password_beyond_ascii(app: Flask, ask: Ask) -> None:
    gateway: Gateway = app.extensions["gateway"]
    gateway.parts.accounts.register(gateway.parts.accounts.address("jürgen", DOMAIN), "Grüße: aus Köln")
    fields = basic(f"jürgen@{DOMAIN}", "Grüße: aus Köln")
    assert ask("PUT", "/data/settings", user="", body='{"a":1}', fields=fields).headers["Location"].endswith("/j%C3%BCrgen/settings")
    assert ask("GET", f"/data/{DOMAIN}/j%C3%BCrgen/settings", user="", fields=fields).data == b'{"a":1}'


def test_too_many_wrong_passwords(make_app: MakeApp) -> None:
    ask = asker(make_app(auth_failures="2"))
    wrong = basic(ADMIN, "wrong")
    answers = [ask("GET", "/data/accounts", user="", fields=wrong) for _ in range(3)]
    assert [a.status_code for a in answers] == [401, 401, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert ask("GET", "/data/accounts", user=ADMIN).status_code == 200


@pytest.mark.parametrize("method", METHODS)
def test_the_store_of_another(ask: Ask, method: str) -> None:
    path = f"/data/{DOMAIN}/nurse/settings"
    ask("PUT", path, user=ADMIN, body='{"a":1}')
    expected = {"GET": 200, "HEAD": 200, "DELETE": 204}.get(method, 201)
    assert ask(method, path, user=JULIET, body='{"b":2}').status_code == 403
    assert ask("GET", path, user=ADMIN).data == b'{"a":1}'
    assert ask(method, path, user=ADMIN, body='{"b":2}').status_code == expected


@pytest.mark.parametrize("user", [JULIET, ADMIN])
@pytest.mark.parametrize("host", ["verona.example", "localhost", "..", "_global"])
def test_a_domain_that_is_not_hosted(ask: Ask, user: str, host: str) -> None:
    for method in METHODS:
        assert ask(method, f"/data/{host}/juliet/settings", user=user, body="{}").status_code == 403


def test_administrators_administer_the_domains_of_rooms_too(ask: Ask) -> None:
    path = f"/data/muclight.{DOMAIN}/orchard/settings"
    assert ask("PUT", path, user=ADMIN, body='{"a":1}').status_code == 201
    assert ask("GET", path, user=ADMIN).data == b'{"a":1}'
    assert ask("GET", path).status_code == 403


def test_rights_come_before_everything_about_the_body(ask: Ask) -> None:
    assert ask("PUT", f"/data/{DOMAIN}/nurse/settings", body="garbage", sent_as="image/png").status_code == 403
    assert ask("GET", f"/data/{DOMAIN}/nurse/settings/no-format").status_code == 403


# -- the role of administrator


def test_a_role_makes_an_administrator_at_once(ask: Ask) -> None:
    path, roles = f"/data/{DOMAIN}/nurse/settings", f"/data/{DOMAIN}/juliet/roles"
    assert ask("GET", path).status_code == 403
    assert ask("PUT", roles, user=ADMIN, body='{"prosody:admin":true}').status_code == 201
    assert ask("GET", path).status_code == 404
    assert ask("PUT", path, body='{"a":1}').status_code == 201
    assert ask("GET", "/data/verona.example/nurse/settings").status_code == 403
    assert ask("DELETE", roles, user=ADMIN).status_code == 204
    assert ask("GET", path).status_code == 403


@pytest.mark.parametrize("role", ['{"prosody:user":true}', '{"prosody:admin":false}', '{"prosody:admin":"true"}', '["prosody:admin"]'])
def test_another_role_does_not(ask: Ask, role: str) -> None:
    ask("PUT", f"/data/{DOMAIN}/juliet/roles", user=ADMIN, body=role)
    assert ask("GET", f"/data/{DOMAIN}/nurse/settings").status_code == 403


@pytest.mark.parametrize("store", ["roles", "auth_tokens", "oauth_token", "oauth_tokens"])
def test_nobody_gives_rights_to_themselves(ask: Ask, store: str) -> None:
    assert ask("PUT", f"/data/{store}", body='{"prosody:admin":true}').status_code == 403
    assert ask("POST", f"/data/{store}", body='{"prosody:admin":true}').status_code == 403
    assert ask("DELETE", f"/data/{store}").status_code == 403
    assert ask("GET", f"/data/{store}").status_code == 404
    assert ask("PUT", f"/data/{store}", user=ADMIN, body='{"prosody:admin":true}').status_code == 201


# -- a preflight


@pytest.mark.parametrize("path", ["/data/", "/data/settings", f"/data/{DOMAIN}/nurse/settings/lua", "/data/no-store"])
def test_a_preflight_needs_no_credentials(ask: Ask, path: str) -> None:
    response = ask("OPTIONS", path, user="", fields={"Origin": "https://verona.example", "Access-Control-Request-Method": "PUT"})
    assert (response.status_code, response.data) == (200, b"")
    methods = response.headers["Access-Control-Allow-Methods"].split(", ")
    assert methods == ["OPTIONS", "GET", "PUT", "POST", "DELETE"]
    assert response.headers["Access-Control-Allow-Origin"] == "https://verona.example"
    assert {"Authorization", "Content-Type", "If-Match"} <= set(response.headers["Access-Control-Allow-Headers"].split(", "))


@pytest.mark.parametrize("user", [JULIET, ""])
def test_every_answer_can_be_read_by_a_page(ask: Ask, user: str) -> None:
    response = ask("GET", "/data/accounts", user=user)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in response.headers["Access-Control-Expose-Headers"]
