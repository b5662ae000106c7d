"""POST /api/messages sends valid messages, and refuses others with the specified texts (client-api §2.1)."""

from __future__ import annotations

import uuid
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient

from drivers import StorageError
from tests.api.client.calls import JULIET, NURSE, ROMEO, call, history, send
from tests.conftest import DOMAIN, SHARED
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.namespaces import PROPERTIES

REFUSED: list[tuple[Any, str]] = [
    ({}, "Missing recipient JID"),
    ({"body": "hi"}, "Missing recipient JID"),
    ({"to": "@invalid"}, "Invalid recipient JID"),
    ({"to": "@invalid", "body": "hi"}, "Invalid recipient JID"),
    ({"to": "", "body": "hi"}, "Invalid recipient JID"),
    ({"to": 1, "body": "hi"}, "Invalid recipient JID"),
    ({"to": None, "body": "hi"}, "Invalid recipient JID"),
    ({"to": [NURSE], "body": "hi"}, "Invalid recipient JID"),
    ({"to": "a\u0000@b", "body": "hi"}, "Invalid recipient JID"),
    ({"to": "a\ud800@b", "body": "hi"}, "Invalid recipient JID"),
    ({"to": "x" * 1024 + "@b", "body": "hi"}, "Invalid recipient JID"),
    ({"to": NURSE}, "Missing message body"),
    ({"to": NURSE, "body": None}, "Invalid message body"),
    ({"to": NURSE, "body": 7}, "Invalid message body"),
    ({"to": NURSE, "body": ["hi"]}, "Invalid message body"),
    ({"to": NURSE, "body": "nul \u0000"}, "Invalid message body"),
    ({"to": NURSE, "body": "bell \u0007"}, "Invalid message body"),
    ({"to": NURSE, "body": "\ufffe"}, "Invalid message body"),
    ({"to": NURSE, "body": "\ud83d"}, "Invalid message body"),
    ({"kuropatwa": 1, "body": 7}, "Missing recipient JID"),
]


@SHARED
@pytest.mark.parametrize(("body", "text"), REFUSED)
@pytest.mark.parametrize("path", ["/api/messages", f"/api/messages/{NURSE}", "/api/messages/@invalid"])
def test_what_is_wrong_is_named(client: FlaskClient, path: str, body: Any, text: str) -> None:
    response = call(client, "POST", path, json=body)
    assert (response.status_code, response.json) == (400, text)
    assert history(client) == history(client, as_=NURSE) == []


@pytest.mark.parametrize("body", ["see you at noon", "", "  ", "<b>&amp; \"quoted\" 'too'</b>", "two\nlines\r\nand\ttabs", "🍎 è ｆｕｌｌ", "x" * 100_000])
def test_both_have_what_was_said(client: FlaskClient, body: str) -> None:
    identifier = send(client, NURSE, body)
    uuid.UUID(identifier)
    for who in (JULIET, NURSE):
        (item,) = history(client, as_=who)
        assert item == {"from": JULIET, "to": NURSE, "id": identifier, "body": body, "timestamp": item["timestamp"]}


@pytest.mark.parametrize("to", ["Nurse@Capulet.example", f"{NURSE}/balcony", f"nurse@{DOMAIN}."])
def test_the_recipient_is_shown_bare_and_prepared(client: FlaskClient, to: str) -> None:
    send(client, to, "hi")
    assert history(client)[0]["to"] == NURSE == history(client, as_=NURSE)[0]["to"]


@pytest.mark.parametrize("to", [f"nobody@{DOMAIN}", ROMEO, DOMAIN, "montague.example", f"muclight.{DOMAIN}", f"x@muclight.{DOMAIN}"])
def test_whoever_cannot_be_reached_is_written_to_all_the_same(client: FlaskClient, to: str) -> None:
    identifier = send(client, to, "hi")
    assert [(m["id"], m["to"]) for m in history(client)] == [(identifier, to)]


def test_a_message_to_oneself_is_there_once(client: FlaskClient) -> None:
    identifier = send(client, JULIET, "buy bread")
    assert [m["id"] for m in history(client)] == [identifier]
    assert [m["id"] for m in history(client, f"/api/messages/{JULIET}")] == [identifier]


def test_the_path_counts_for_nothing(client: FlaskClient) -> None:
    assert call(client, "POST", f"/api/messages/{ROMEO}", json={"to": NURSE, "body": "hi"}).status_code == 200
    assert history(client)[0]["to"] == NURSE


def test_the_query_counts_for_nothing(client: FlaskClient) -> None:
    assert call(client, "POST", "/api/messages?kuropatwa", json={"to": NURSE, "body": "hi"}).status_code == 200


def test_the_stanza_is_a_chat_message_of_the_bare_address(client: FlaskClient, gateway: Gateway) -> None:
    sent: list[Element] = []
    attach(gateway.parts.router, lambda domain, stanza: sent.append(stanza))
    identifier = send(client, f"{ROMEO}/orchard", "hi")
    (stanza,) = sent
    assert stanza.attrib == {"type": "chat", "id": identifier, "from": JULIET, "to": f"{ROMEO}/orchard"}
    assert [(part.tag, part.text) for part in stanza] == [("body", "hi")]


def test_ids_are_all_different(client: FlaskClient) -> None:
    assert len({send(client, NURSE, "hi") for _ in range(20)}) == 20


# extensions


def test_thread_and_properties_are_sent_if_given(client: FlaskClient) -> None:
    more: dict[str, Any] = {"thread": "lunch-7", "parent": "week-29", "properties": {"priority": "3", "topic": "<food>"}}
    send(client, NURSE, "hi", **more)
    (item,) = history(client, as_=NURSE)
    assert {key: item[key] for key in more} == more


def test_properties_are_smacks(client: FlaskClient, gateway: Gateway) -> None:
    sent: list[Element] = []
    attach(gateway.parts.router, lambda domain, stanza: sent.append(stanza))
    send(client, ROMEO, "hi", properties={"amount": "40"})
    row = sent[0].find(f"{{{PROPERTIES}}}properties/{{{PROPERTIES}}}property")
    assert row is not None
    assert [(part.tag.rpartition("}")[2], part.text, part.attrib) for part in row] == [("name", "amount", {}), ("value", "40", {"type": "string"})]


@pytest.mark.parametrize(
    "more",
    [
        {"thread": 5, "parent": "p"},
        {"thread": "", "parent": "p"},
        {"thread": "\u0000"},
        {"parent": "p"},
        {"properties": 5},
        {"properties": ["a"]},
        {"properties": None},
        {"thread": None},
    ],
)
def test_extensions_that_are_no_text_count_for_nothing(client: FlaskClient, more: dict[str, Any]) -> None:
    send(client, NURSE, "hi", **more)
    assert history(client)[0].keys() == {"from", "to", "id", "body", "timestamp"}


def test_properties_keep_what_is_text(client: FlaskClient) -> None:
    send(client, NURSE, "hi", properties={"n": 5, "": "x", "s": "v", "bad": "\u0007", "\u0007": "bad", "empty": ""})
    assert history(client)[0]["properties"] == {"s": "v", "empty": ""}
    send(client, NURSE, "hi", properties={})
    assert history(client)[1]["properties"] == {}


# when it cannot be done


def test_a_full_outbox(client: FlaskClient, gateway: Gateway) -> None:
    attach(gateway.parts.router, raising(GatewayError("outbox-full")))
    response = call(client, "POST", "/api/messages", json={"to": ROMEO, "body": "hi"})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "later" in response.get_json()
    assert history(client) == [], "what was not accepted was not said"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_storage_that_fails(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr(gateway.driver, "archive_extend_all", lambda additions: [StorageError("no space left") for _ in additions])
    monkeypatch.setattr(gateway.driver, "archive_find", raising(StorageError("no space left")))
    response = call(client, method, "/api/messages", json={"to": NURSE, "body": "hi"} if method == "POST" else None)
    assert response.status_code == 503
    assert "no space left" in response.get_json()
    assert "Retry-After" in response.headers


def test_a_storage_that_fails_behind_the_recipients_archive(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said: both have it, and only those who count what waits for the recipient do not."""
    monkeypatch.setattr(gateway.driver, "archive_append", raising(StorageError("no space left")))
    identifier = send(client, NURSE, "hi")
    assert [m["id"] for m in history(client)] == [m["id"] for m in history(client, as_=NURSE)] == [identifier]


def test_one_account_is_loaded_once(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    send(client, NURSE, "hi")
    load, loaded = gateway.driver.load, []

    def counting(user: str | None, host: str, store: str) -> Any:
        loaded.append((user, store))
        return load(user, host, store)

    monkeypatch.setattr(gateway.driver, "load", counting)
    send(client, NURSE, "hi")
    for user in ("nurse", "juliet"):
        assert loaded.count((user, "accounts")) <= 1  # it is remembered for a second
