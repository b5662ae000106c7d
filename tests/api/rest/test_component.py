"""The component's domain and secret, as Basic, are good for what its token is good for (mod_rest's README)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, register_users

SECRET = "sécret-of:the component"
HOLDER = basic(DOMAIN, SECRET)
MESSAGE = {"kind": "message", "to": f"nurse@{DOMAIN}", "body": "x"}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    app = make_app(link_kind="component", link_secret=SECRET, link_port="1", link_connect_timeout="0.2")
    register_users(app)
    return app.test_client()


def test_it_may_choose_its_sender(client: FlaskClient) -> None:
    for sender in (DOMAIN, f"alerts@{DOMAIN}", f"juliet@{DOMAIN}/x"):
        echoed = client.post("/rest/echo", json=MESSAGE | {"from": sender}, headers=HOLDER)
        assert (echoed.status_code, echoed.get_json()["from"]) == (200, sender)
    assert client.post("/rest/echo", json=MESSAGE, headers=HOLDER).get_json()["from"] == DOMAIN
    assert client.post("/rest/echo", json=MESSAGE | {"from": "juliet@other.example"}, headers=HOLDER).status_code == 403


def test_it_sends(client: FlaskClient) -> None:
    sent = client.post("/rest", json=MESSAGE, headers=HOLDER)
    assert sent.status_code == 202
    assert client.get(f"/rest/outcome/{sent.headers['Stanza-Id']}", headers=HOLDER).status_code == 200


def test_the_domain_in_any_case(client: FlaskClient) -> None:
    assert client.post("/rest/echo", json=MESSAGE, headers=basic(DOMAIN.upper(), SECRET)).status_code == 200


@pytest.mark.parametrize(("name", "password"), [(DOMAIN, "x"), (DOMAIN, ""), (DOMAIN, PASSWORD), ("other.example", SECRET), ("juliet", SECRET), ("", SECRET)])
def test_nobody_else_comes_in_with_it(client: FlaskClient, name: str, password: str) -> None:
    assert client.post("/rest/echo", json=MESSAGE, headers=basic(name, password)).status_code == 403


def test_guesses_are_counted(make_app: MakeApp) -> None:
    client = make_app(link_kind="component", link_secret=SECRET, link_port="1", auth_failures="2").test_client()
    answers = [client.post("/rest/echo", json=MESSAGE, headers=basic(DOMAIN, f"guess{n}")).status_code for n in range(4)]
    assert (answers[0], answers[-1]) == (403, 429)


def test_it_is_for_the_stanza_api_alone(client: FlaskClient) -> None:
    for path in ("/data/x", "/api/messages", "/status"):
        assert client.get(path, headers=HOLDER).status_code in (401, 403)
    assert client.post("/api/stats", json={"name": "registeredusers"}, headers=HOLDER).status_code == 401


def test_accounts_come_in_beside_it(client: FlaskClient) -> None:
    assert client.post("/rest/echo", json=MESSAGE, headers=basic("juliet", PASSWORD)).get_json()["from"] == f"juliet@{DOMAIN}"


@pytest.mark.parametrize("secret", ["", "x"])
def test_without_a_link_there_is_no_component(make_app: MakeApp, secret: str) -> None:
    client = make_app(**({"link_secret": secret} if secret else {})).test_client()
    for password in ("", "x"):
        assert client.post("/rest/echo", json=MESSAGE, headers=basic(DOMAIN, password)).status_code == 403


def test_a_stream_goes_on(client: FlaskClient) -> None:
    from xmpp_rest.api.rest.stream import StreamResource

    class Look(StreamResource):
        pass

    app = client.application
    with app.test_request_context("/rest/stream", headers=HOLDER) as context:
        look = Look(app.extensions["gateway"])
        look.request = context.request
        assert look.admission().check()
    with app.test_request_context("/rest/stream", headers=basic(DOMAIN, "other")) as context:
        look.request = context.request
        assert not look.admission().check()
