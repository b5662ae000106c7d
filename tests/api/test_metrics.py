"""GET /metrics: who may read it, in which form, and what is counted."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from tests.conftest import DOMAIN, PASSWORD, TOKEN, MakeApp, basic, register_users
from tests.metrics.scraped import Scraped
from xmpp_rest.api.ops.metrics import without_parameters
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.metrics.families import APIS, CALLBACK_RESULTS, OPERATIONS, REFUSALS, STREAM_ENDS, TABLE
from xmpp_rest.protocol.jid import parse_jid

SECRET = "tybalt-king-of-cats"
BEARER = {"Authorization": f"Bearer {SECRET}"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
TEXT = "text/plain; version=1.0.0; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@pytest.fixture
def guarded(make_app: MakeApp) -> FlaskClient:
    return register_users(make_app(metrics_token=SECRET, metrics_allow="198.51.100.0/24")).test_client()


def scrape(client: FlaskClient) -> Scraped:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return Scraped(answer.text)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, TEXT), ("*/*", TEXT), ("text/plain", TEXT), ("text/plain;version=0.0.4", TEXT), ("text/*", TEXT), (PROMETHEUS, OPEN),
        ("application/openmetrics-text", OPEN), ("application/openmetrics-text; version=\"1.0.0\"", OPEN),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", TEXT), ("text/html, */*;q=0.1", TEXT),
    ],
)  # fmt: skip
def test_the_form_that_a_scraper_prefers(client: FlaskClient, accept: str | None, form: str) -> None:
    answer = client.get("/metrics", headers={"Accept": accept} if accept else {})
    assert (answer.status_code, answer.headers["Content-Type"], answer.headers["Cache-Control"]) == (200, form, "no-store")
    assert answer.text.endswith("# EOF\n") is (form == OPEN)


def test_parameters_are_left_out_of_accept() -> None:
    assert without_parameters('a/b;version=1;q=0.5;x="q=1, c/d", e/f ;Q=0.1') == "a/b;q=0.5, e/f ;Q=0.1"


def test_methods(client: FlaskClient) -> None:
    answer = client.head("/metrics")
    assert (answer.status_code, answer.data, answer.headers["Content-Type"]) == (200, b"", TEXT)
    assert client.options("/metrics", environ_base=ELSEWHERE).headers["Allow"] == "GET, HEAD, OPTIONS"
    assert {client.open("/metrics", method=method).status_code for method in ("POST", "PUT", "PATCH", "DELETE")} == {405}


def test_switched_off(make_app: MakeApp) -> None:
    app = make_app(metrics_enabled="no", metrics_token=SECRET)
    client = app.test_client()
    assert [client.open("/metrics", method=method).status_code for method in ("GET", "HEAD", "POST", "OPTIONS")] == [404] * 4
    assert client.get("/metrics", headers=BEARER).status_code == 404
    assert not (app.extensions["gateway"].data_dir / "metrics").exists()


@pytest.mark.parametrize(
    ("address", "fields", "status"),
    [
        ("127.0.0.1", {}, 200), ("127.255.0.9", {}, 200), ("::1", {}, 200), ("::ffff:127.0.0.1", {}, 200), ("", {}, 200), ("unix:", {}, 200),
        ("192.0.2.7", {}, 403), ("::ffff:192.0.2.7", {}, 403), ("2001:db8::1", {}, 403), ("nonsense", {}, 403),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 403), ("127.0.0.1", {"X-Forwarded-For": ""}, 403), ("", {"X-Forwarded-For": "x"}, 403),
        ("::1", {"Forwarded": "for=127.0.0.1"}, 403), ("127.0.0.1", {"Forwarded": ""}, 403), ("127.0.0.1", {"X-Real-IP": "192.0.2.7"}, 200),
        ("127.0.0.1", {"Authorization": ""}, 200), ("192.0.2.7", {"Authorization": ""}, 403),
    ],
)  # fmt: skip
def test_networks_without_proxies(client: FlaskClient, address: str, fields: dict[str, str], status: int) -> None:
    answer = client.get("/metrics", headers=fields, environ_base={"REMOTE_ADDR": address})
    assert answer.status_code == status
    if status == 403:
        assert (answer.mimetype, "[metrics] allow" in answer.json["detail"]) == ("application/problem+json", True)  # type: ignore[index]


@pytest.mark.parametrize(
    ("address", "told", "status"),
    [
        ("10.0.0.1", "127.0.0.1", 200), ("10.0.0.1", "192.0.2.7", 403), ("127.0.0.1", "192.0.2.7", 403), ("127.0.0.1", "", 403),
        ("127.0.0.1", None, 200), ("127.0.0.1", "nonsense", 403), ("127.0.0.1", "127.0.0.1, 192.0.2.7", 403),
        ("203.0.113.9", "127.0.0.1", 403), ("", "127.0.0.1", 200), ("", "192.0.2.7", 403),
    ],
)  # fmt: skip
def test_networks_behind_a_proxy(make_app: MakeApp, address: str, told: str | None, status: int) -> None:
    """203.0.113.9 is a stranger, and not one of our proxies."""
    client = make_app(server_proxies="1").test_client()
    fields = {} if told is None else {"X-Forwarded-For": told}
    assert client.get("/metrics", headers=fields, environ_base={"REMOTE_ADDR": address}).status_code == status


def test_fewer_proxies_than_are_configured(make_app: MakeApp) -> None:
    """The peer is a proxy, and not the client, though it is on this machine."""
    client = make_app(server_proxies="2").test_client()
    assert client.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}, environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code == 403


def test_the_token(guarded: FlaskClient) -> None:
    def status(**fields: str) -> int:
        return guarded.get("/metrics", headers=fields, environ_base=ELSEWHERE).status_code

    assert status() == 403
    assert status(**BEARER) == 200
    assert status(Authorization=f"bearer  {SECRET}", X_Forwarded_For="x") == 200
    assert status(Authorization=f"Bearer {SECRET}x") == 401
    assert status(Authorization=TOKEN) == 401
    assert guarded.get("/status", headers=BEARER).status_code == 401
    assert guarded.get("/metrics", headers={"Authorization": "Bearer "}, environ_base={"REMOTE_ADDR": "198.51.100.3"}).status_code == 401


def test_no_token_is_not_an_empty_one(client: FlaskClient) -> None:
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer x"}).status_code == 401


def test_credentials(guarded: FlaskClient) -> None:
    def status(fields: dict[str, str]) -> int:
        return guarded.get("/metrics", headers=fields, environ_base=ELSEWHERE).status_code

    gateway: Gateway = guarded.application.extensions["gateway"]
    assert status(basic("admin")) == 200
    assert status(basic("juliet")) == 403
    assert status(basic("admin", "wrong")) == 401
    for owner, scope, expected in (("admin", "ejabberd:admin", 200), ("admin", "sasl_auth", 403), ("juliet", "ejabberd:admin", 403)):
        token = gateway.parts.tokens.issue(parse_jid(f"{owner}@{DOMAIN}"), [scope], 60)
        assert status({"Authorization": f"Bearer {token}"}) == expected, (owner, scope)


def test_wrong_credentials_from_an_allowed_network(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers=basic("admin", "wrong"))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert client.get("/metrics", headers=basic("juliet")).status_code == 403


def test_a_foreign_page_does_not_read_it(client: FlaskClient) -> None:
    """The browser of somebody on an allowed network must not hand it on."""
    assert client.get("/metrics", headers={"Origin": "https://page.example"}).status_code == 403
    assert client.get("/metrics", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/metrics", headers={"Sec-Fetch-Site": "none"}).status_code == 200


def test_allow_and_token_are_read_again(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from xmpp_rest.application import build
    from xmpp_rest.config.load import load_settings

    ini = tmp_path / "wsgi.ini"
    ini.write_text(f"[gateway]\ndomain = {DOMAIN}\n[server]\ndata_dir = d\n[auth]\nadmin_password = {PASSWORD}\n[metrics]\nallow =\n")
    app = build(load_settings(ini, {}))
    client, gateway = app.test_client(), app.extensions["gateway"]
    try:
        assert client.get("/metrics").status_code == 403
        ini.write_text(ini.read_text().replace("allow =", f"allow = 127.0.0.1\ntoken = {SECRET}"))
        assert gateway.reload().applied == ["[metrics] allow", "[metrics] token"]
        assert client.get("/metrics").status_code == 200
        assert client.get("/metrics", headers=BEARER, environ_base=ELSEWHERE).status_code == 200
    finally:
        gateway.stop()


def test_all_metrics_are_there_with_their_known_labels(make_app: MakeApp) -> None:
    link = {"link_kind": "component", "link_secret": "x", "link_port": "1"}
    client = make_app(**link, callback_bot_url="http://127.0.0.1:1/", callback_bot_address=f"bot@{DOMAIN}").test_client()
    text = client.get("/metrics").text
    types = {line.split()[2]: line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    of_nodes = {"xmpp_rest_cluster_nodes", "xmpp_rest_cluster_call_seconds", "xmpp_rest_cluster_journal_rows"}  # not of one machine
    assert types == {family.full_name: family.type for family in TABLE if family.full_name not in of_nodes}
    found = Scraped(text)

    def values(name: str, label: str) -> set[str]:
        return {dict(labels)[label] for labels in found.labels(name)}

    assert values("http_request_duration_seconds_count", "api") == set(APIS)
    assert values("stanzas_total", "direction") == {"in", "out"}
    assert len(found.labels("stanzas_total")) == 6
    assert len(found.labels("stanzas_refused_total")) == 23
    assert values("streams_ended_total", "reason") == set(STREAM_ENDS)
    assert values("streams_open", "api") == {"rest", "client", "hooks"}
    assert {tuple(sorted(dict(labels).values())) for labels in found.labels("callback_requests_total")} == {
        tuple(sorted(("bot", result))) for result in CALLBACK_RESULTS
    }
    assert len(found.labels("auth_failures_total")) == len(APIS) * len(REFUSALS)
    assert values("storage_errors_total", "operation") == set(OPERATIONS)
    assert values("link_up", "domain") == values("link_reconnects_total", "domain") == {DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}"}
    assert found.get("processes") == found.sum("build_info") == 1
    assert found.get("outbox_limit") == 10000
    assert found.get("callback_dead_letters", callback="bot") == 0
    assert found.get("process_start_time_seconds", "") is not None
    assert not any(name.endswith("_created") for name, _ in found.samples)


def test_standalone_there_is_no_link(client: FlaskClient) -> None:
    found = scrape(client)
    assert found.labels("link_up") == found.labels("link_failures_total") == set()


def test_answers_are_counted(make_app: MakeApp) -> None:
    client = register_users(make_app()).test_client()
    assert client.get("/health").data  # an answer is counted once all of it was taken
    assert client.get("/nowhere").data
    assert client.get("/data/x/y", headers=basic("juliet")).data
    assert client.post("/rest/echo", headers=basic("juliet"), json={"body": "hello"}).data
    assert client.open("/health", method="PURGE").data
    found = scrape(client)
    assert found.get("http_requests_total", api="ops", method="GET", code="200") == 1
    assert found.get("http_requests_total", api="rest", method="POST", code="200") == 1
    assert found.sum("http_requests_total", method="other") == 1
    assert found.sum("http_requests_total", api="data") == 1
    assert found.sum("http_request_duration_seconds_count") == found.sum("http_requests_total") == 5


def test_stanzas_are_counted(make_app: MakeApp) -> None:
    client = register_users(make_app()).test_client()
    before = scrape(client)
    message = {"kind": "message", "to": f"nurse@{DOMAIN}", "body": "hello", "id": "m1"}
    assert client.post("/rest", headers=basic("juliet"), json=message).status_code == 202
    refused = client.post("/rest", headers=basic("juliet"), json={**message, "to": f"nobody@{DOMAIN}", "id": "m2"})
    assert refused.json["type"] == "error"  # type: ignore[index]
    ping = {"kind": "iq", "type": "get", "to": DOMAIN, "ping": True}
    assert client.post("/rest", headers=basic("juliet"), json=ping).status_code == 200
    after = scrape(client)
    assert after.get("stanzas_total", direction="out", kind="message") == (before.sum("stanzas_total", kind="message")) + 2
    assert after.sum("stanzas_total", kind="iq") == before.sum("stanzas_total", kind="iq") + 1
    assert after.get("stanzas_refused_total", condition="service-unavailable") == before.sum("stanzas_refused_total") + 1
    assert after.sum("storage_write_duration_seconds_count") > before.sum("storage_write_duration_seconds_count")
    assert after.fallen(before) == {}


def test_a_full_outbox_is_counted(make_app: MakeApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        link = {"link_kind": "component", "link_secret": "x", "link_port": str(silent.getsockname()[1]), "link_outbox_size": "2"}
        client = register_users(make_app(**link, link_outbox_share="100")).test_client()
        message = {"kind": "message", "to": "romeo@montague.example", "body": "hello"}
        statuses = [client.post("/rest", headers=basic("juliet"), json=message).status_code for _ in range(4)]
        assert statuses == [202, 202, 503, 503]
        found = scrape(client)
    assert found.get("outbox_refused_total") == 2
    assert (found.get("outbox_stanzas"), found.get("outbox_limit")) == (2, 2)
    oldest: Any = found.get("outbox_oldest_seconds")
    assert 0 < oldest < 60
    assert found.get("link_up", domain=DOMAIN) == 0


def test_refused_credentials_are_counted(make_app: MakeApp) -> None:
    client = register_users(make_app(oauth_client_check="allow")).test_client()
    for path, fields in (
        ("/status", basic("juliet", "wrong")), ("/rest/stream", basic("nobody")), ("/data/x/y", {"Authorization": "Basic !"}),
        ("/metrics", {"Authorization": "Bearer x"}), ("/api/contacts", basic(f"juliet@{DOMAIN}", "wrong")),
    ):  # fmt: skip
        assert client.get(path, headers=fields).status_code in (401, 403), path
    token = {"grant_type": "password", "username": f"juliet@{DOMAIN}", "password": "wrong", "scope": "sasl_auth"}
    assert client.post("/oauth/token", data=token).status_code in (400, 401)
    found = scrape(client)
    counted = [("ops", "password"), ("rest", "unknown-account"), ("data", "malformed"), ("ops", "token"), ("client", "password"), ("oauth", "password")]
    assert [found.get("auth_failures_total", api=api, reason=reason) for api, reason in counted] == [1] * 6
    assert found.sum("auth_failures_total") == 6


def test_what_the_storage_does_is_counted(app: Flask, client: FlaskClient) -> None:
    before = scrape(client)
    assert before.sum("storage_write_duration_seconds_count") > 0 == before.sum("storage_errors_total")
    app.extensions["gateway"].driver.close()
    assert client.get(f"/data/{DOMAIN}/juliet/x", headers=basic(f"juliet@{DOMAIN}")).status_code == 503
    after = scrape(client)
    assert after.sum("storage_errors_total", operation="read") > 0


def test_threads_at_work_under_another_server(app: Flask, client: FlaskClient) -> None:
    assert scrape(client).get("threads_busy") == 1  # the one that asks
    answer = app.wsgi_app(EnvironBuilder("/health").get_environ(), lambda *_: None)  # type: ignore[arg-type]  # nobody writes so
    assert scrape(client).get("threads_busy") == 2
    answer.close()  # type: ignore[attr-defined]  # PEP 3333
    assert scrape(client).get("threads_busy") == 1


def test_event_streams(app: Flask, client: FlaskClient) -> None:
    streams, juliet = app.extensions["gateway"].parts.streams, parse_jid(f"juliet@{DOMAIN}")
    client.get("/health")
    rest, other, slow, lasting = (streams.open(juliet, api=api) for api in ("rest", "client", "client", "client"))
    assert [scrape(client).get("streams_open", api=api) for api in ("rest", "client")] == [1, 3]
    rest.close()
    other.end("the credentials are no longer good", at_once=True, ended_as="credentials")
    slow.end("it is slow", ended_as="slow")
    streams.stop()
    for stream in (other, slow, lasting):
        stream.close()
    found = scrape(client)
    assert [found.get("streams_open", api=api) for api in ("rest", "client")] == [0, 0]
    assert {reason: found.get("streams_ended_total", reason=reason) for reason in STREAM_ENDS} == dict.fromkeys(STREAM_ENDS, 1)


def test_stanzas_of_commands_and_rooms_are_counted(app: Flask, client: FlaskClient) -> None:
    def count(kind: str) -> float:
        return scrape(client).sum("stanzas_total", direction="out", kind=kind)

    admin, juliet = basic(f"admin@{DOMAIN}"), basic(f"juliet@{DOMAIN}")
    text = {"type": "chat", "to": f"nurse@{DOMAIN}", "subject": "", "body": "hello"}
    for sender in (f"juliet@{DOMAIN}", "romeo@montague.example"):
        assert client.post("/api/send_message", headers=admin, json={**text, "from": sender}).status_code == 200
    assert count("message") == 2
    iq = f"<iq type='get' id='1' from='juliet@{DOMAIN}/x' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
    sent = {"from": f"juliet@{DOMAIN}", "to": DOMAIN, "stanza": iq}
    assert client.post("/api/send_stanza", headers=admin, json=sent).status_code == 200
    assert count("iq") == 1
    room = client.post("/api/rooms", headers=juliet, json={"name": "garden", "subject": "roses"}).json["id"]  # type: ignore[index]
    assert client.post(f"/api/rooms/{room}/messages", headers=juliet, json={"body": "hello"}).status_code == 200
    assert count("message") == 3
