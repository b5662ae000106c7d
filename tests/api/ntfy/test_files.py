"""A body with `Filename` is a file: stored, told of, and sent (hooks §13.2, files §2)."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.raising import raising
from xmpp_rest.api.ntfy.sending import Publisher
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.messages.archive import EVERYTHING

JULIET = basic(f"juliet@{DOMAIN}")
DATA = b"\xff\xd8" + b"x" * 100_000


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return register_users(
        make_app(server_public_url="https://gw.example", hooks_wait="0.1", hooks_size_limit="50000", files_max_size="200000")
    )


def bodies(gateway: Gateway) -> list[str]:
    archive = gateway.parts.archive
    return [kept.stanza.findtext("body") or "" for kept in archive.page(parse_jid(f"nurse@{DOMAIN}"), EVERYTHING, 100).items]


def hook(client: FlaskClient, **members: str) -> str:
    answer = client.post("/hooks", json={"name": "ops", "targets": [f"nurse@{DOMAIN}"]} | members, headers=JULIET)
    assert answer.status_code == 201, answer.text
    return str(answer.get_json()["token"])


@pytest.mark.parametrize("to", ["hook", "account"])
@pytest.mark.parametrize("words", [{}, {"Message": "Flowers", "Title": "For you", "Priority": "high"}])
def test_a_file_is_told_of_and_sent(client: FlaskClient, gateway: Gateway, to: str, words: dict[str, str]) -> None:
    topic, headers = (hook(client), {}) if to == "hook" else ("nurse", JULIET)
    answer = client.put(f"/ntfy/{topic}", data=DATA, headers=headers | {"Filename": "fl\u00f6wers.jpg".encode().decode("latin-1")} | words)
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said["message"] == words.get("Message", "You received a file: fl\u00f6wers.jpg")
    url = said["attachment"]["url"]
    assert said["attachment"]["name"] == "fl\u00f6wers.jpg"
    assert url.startswith("https://gw.example/files/")
    text, file = bodies(gateway)[-2:]
    assert said["message"] in text
    assert url not in text
    assert file == url
    (kept,) = client.get("/rest/files", headers=JULIET).get_json()["files"]
    assert (kept["url"], kept["size"], kept["media_type"]) == (url, len(DATA), "image/jpeg")


def test_what_is_refused_leaves_nothing(client: FlaskClient, gateway: Gateway) -> None:
    token = hook(client)
    for data, more, code in (
        (b"", {}, 40014), (b"x" * 200_001, {}, 41301), (DATA, {"Priority": "9"}, 40007), (DATA, {"Delay": "1h"}, 40014),
        (DATA, {"Template": "grafana"}, 40024),
    ):  # fmt: skip
        answer = client.post(f"/ntfy/{token}", data=data, headers={"Filename": "a.jpg"} | more)
        assert answer.get_json()["code"] == code, answer.text
    signed = hook(client, name="signed", secret="a long secret")
    assert client.post(f"/ntfy/{signed}", data=DATA, headers={"Filename": "a.jpg"}).get_json()["code"] == 40014
    assert client.get("/rest/files", headers=JULIET).get_json()["used"] == 0
    assert bodies(gateway) == []


def test_without_a_place_for_files(make_app: MakeApp) -> None:
    client = register_users(make_app(files_domain="")).test_client()
    answer = client.put("/ntfy/nurse", data=b"m", headers=JULIET | {"Filename": "a.jpg"})
    assert (answer.status_code, answer.get_json()["code"]) == (400, 40014)
    assert client.get("/ntfy/nurse/trigger?message=m&filename=a.jpg", headers=JULIET).get_json()["code"] == 40014


def test_a_body_that_ends_early(client: FlaskClient, gateway: Gateway) -> None:
    environ = {"wsgi.input": io.BytesIO(b"short"), "CONTENT_LENGTH": "1000"}
    answer = client.put("/ntfy/nurse", headers=JULIET | {"Filename": "a.jpg"}, environ_overrides=environ)
    assert (answer.status_code, answer.get_json()["code"]) == (400, 40000)
    assert "shorter" in answer.get_json()["error"]
    assert client.get("/rest/files", headers=JULIET).get_json()["used"] == 0
    assert bodies(gateway) == []


def test_a_file_goes_whose_message_is_not_sent(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Publisher, "send", raising(GatewayError("outbox-full")))
    answer = client.put("/ntfy/nurse", data=DATA, headers=JULIET | {"Filename": "a.jpg"})
    assert answer.status_code == 503, answer.text
    assert client.get("/rest/files", headers=JULIET).get_json()["used"] == 0
    assert bodies(gateway) == []


def test_who_may_not_upload(make_app: MakeApp) -> None:
    client = register_users(make_app(files_access=f"nurse@{DOMAIN}")).test_client()
    answer = client.put("/ntfy/nurse", data=DATA, headers=JULIET | {"Filename": "a.jpg"})
    assert answer.status_code == 403
    assert "[files] access" in answer.get_json()["error"]
