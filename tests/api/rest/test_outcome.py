"""`GET /rest/outcome/{id}` and `Prefer: wait` (decision 0009)."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN, basic
from tests.link.fake import attach
from tests.many import when
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_element, parse_text

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def sent(gateway: Gateway) -> list[str]:
    """A link that takes everything and tells the ids of it."""
    ids: list[str] = []
    gateway.start()
    attach(gateway.parts.router, lambda _, stanza: ids.append(stanza.attrib["id"]))
    return ids


def send(client: FlaskClient, to: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    fields = {k.replace("_", "-"): v for k, v in headers.items()}
    response = client.post("/rest", json={"to": to, "body": "x", "id": "m1"}, headers=basic("juliet") | fields)
    return response.status_code, response.data, dict(response.headers)


def refuse(gateway: Gateway, to: str = f"juliet@{DOMAIN}") -> None:
    error = parse_text(f"<message type='error' id='m1' from='romeo@montague.example' to='{to}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>")
    gateway.parts.router.resolve(error, parse_jid("romeo@montague.example"), parse_jid(to))


def test_a_hosted_recipient_has_it_at_once(client: FlaskClient) -> None:
    assert send(client, f"nurse@{DOMAIN}")[0] == 202
    outcome = client.get("/rest/outcome/m1", headers=basic("juliet")).json
    assert outcome is not None
    assert (outcome["id"], outcome["state"]) == ("m1", "confirmed")
    assert outcome["since"].endswith("+00:00")


def test_over_the_link_it_is_accepted_until_more_is_known(client: FlaskClient, gateway: Gateway, sent: list[str]) -> None:
    assert send(client, "romeo@montague.example")[0] == 202
    assert client.get("/rest/outcome/m1", headers=basic("juliet")).json["state"] == "accepted"  # type: ignore[index]
    refuse(gateway)
    outcome = client.get("/rest/outcome/m1", headers=basic("juliet")).json
    assert outcome is not None
    assert (outcome["state"], outcome["error"]) == ("refused", {"type": "cancel", "condition": "item-not-found"})


def test_only_the_sender_may_ask(client: FlaskClient) -> None:
    send(client, f"nurse@{DOMAIN}")
    assert client.get("/rest/outcome/m1", headers=basic("nurse")).status_code == 404
    assert client.get("/rest/outcome/m1").status_code == 401
    assert client.get("/rest/outcome/m2", headers=basic("juliet")).status_code == 404
    component = {"Authorization": TOKEN}
    assert client.get("/rest/outcome/m1", headers=component).status_code == 404
    assert client.get(f"/rest/outcome/m1?from=juliet@{DOMAIN}", headers=component).status_code == 200
    assert client.get(f"/rest/outcome/m1?from=juliet@{DOMAIN}", headers=basic("nurse")).status_code == 404


def test_what_was_not_taken_has_no_outcome(make_app: object) -> None:
    app: Flask = make_app(link_kind="component", link_secret="x", link_port="1", link_outbox_size="1")  # type: ignore[operator]
    client = app.test_client()
    statuses = [client.post("/rest", json={"to": "a@b", "body": "x", "id": str(n)}, headers=basic("admin")).status_code for n in range(3)]
    assert statuses == [202, 503, 503]
    assert [client.get(f"/rest/outcome/{n}", headers=basic("admin")).status_code for n in range(2)] == [200, 404]


def test_an_iq_is_refused_at_once_while_the_link_is_down(make_app: object) -> None:
    client = make_app(link_kind="component", link_secret="x", link_port="1").test_client()  # type: ignore[operator]
    response = client.get("/rest/ping/montague.example", headers=basic("admin"))
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert response.json["error"]["condition"] == "remote-server-timeout"


def test_a_stanza_that_would_end_the_stream_is_refused(make_app: object) -> None:
    """196,608 bytes of & are a million on the wire, and no server takes that."""
    client = make_app(link_kind="component", link_secret="x", link_port="1").test_client()  # type: ignore[operator]
    response = client.post("/rest", json={"to": "romeo@montague.example", "body": "&" * 190_000}, headers=basic("admin"))
    assert response.status_code == 413
    assert client.get("/status", headers=basic("admin")).json["link"]["streams"][0]["outbox"] == 0


def test_prefer_wait_answers_with_the_refusal(client: FlaskClient, gateway: Gateway, sent: list[str]) -> None:
    when(lambda: sent, lambda: refuse(gateway))
    status, body, headers = send(client, "romeo@montague.example", Prefer="wait=10", Accept="application/xmpp+xml")
    assert status == 200
    assert parse_element(body).get("type") == "error"
    assert headers["Preference-Applied"] == "wait=10"


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async", "wait=x", "await=5"])
def test_without_a_refusal_in_time_it_was_accepted(client: FlaskClient, sent: list[str], prefer: str) -> None:
    status, _, headers = send(client, "romeo@montague.example", Prefer=prefer)
    assert (status, headers.get("Stanza-Outcome")) == (202, "accepted" if prefer == "wait=0" else None)


def test_prefer_wait_tells_the_state(client: FlaskClient) -> None:
    status, _, headers = send(client, f"nurse@{DOMAIN}", Prefer="wait=5")
    assert (status, headers["Stanza-Outcome"]) == (202, "confirmed")


def test_the_status_tells_the_figures(client: FlaskClient) -> None:
    status = client.get("/status", headers=basic("admin")).get_json()
    assert {"version", "domain", "waits", "link", "outbox", "processes", "uptime", "streams", "callbacks", "rooms"} < set(status)
    assert (status["processes"], status["callbacks"], status["ready"], status["reasons"]) == (1, {}, True, [])


def test_the_status_names_what_is_not_ready(make_app: object) -> None:
    client = make_app(link_kind="component", link_secret="x", link_port="1").test_client()  # type: ignore[operator]
    status = client.get("/status", headers=basic("admin")).get_json()
    assert not status["ready"]
    assert {(reason["check"], reason["domain"]) for reason in status["reasons"]} >= {("link", DOMAIN)}
