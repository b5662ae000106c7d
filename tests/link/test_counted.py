"""What the metrics tell of the link, of iqs and of callbacks: a gateway that is attached to a scripted server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.link.network import Network
from tests.metrics.scraped import Scraped
from tests.webservice import Answer, serving

DOMAINS = (DOMAIN, f"muclight.{DOMAIN}", f"conference.{DOMAIN}")
ROMEO = "romeo@montague.example/orchard"


def scrape(client: FlaskClient) -> Scraped:
    return Scraped(client.get("/metrics").text)


def until(client: FlaskClient, wanted: Callable[[Scraped], bool]) -> Scraped:
    """A scrape that is as `wanted`."""
    deadline = time.monotonic() + 30
    while not wanted(found := scrape(client)):
        assert time.monotonic() < deadline, found.samples
        time.sleep(0.01)
    return found


def are_up(found: Scraped) -> bool:
    return found.sum("link_up") == len(DOMAINS)


def message(identifier: str) -> dict[str, str]:
    return {"kind": "message", "to": "romeo@montague.example", "type": "chat", "body": "hello", "id": identifier}


def test_the_link(make_app: MakeApp, network: Network) -> None:
    client = register_users(make_app(**network.settings, link_retry_max="1")).test_client()
    client.get("/health")
    before = until(client, are_up)
    assert [before.get("link_reconnects_total", domain=domain) for domain in DOMAINS] == [0, 0, 0]

    assert client.post("/rest", headers=basic("juliet"), json=message("m1")).status_code == 202
    assert network.next().get("id") == "m1"
    error = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    network.send(f"<message type='error' id='m1' from='romeo@montague.example' to='juliet@{DOMAIN}'>{error}</message>", DOMAIN)
    network.send(f"<message from='{ROMEO}' to='juliet@{DOMAIN}'><body>hello</body></message>", DOMAIN)
    network.send(f"<presence from='{ROMEO}' to='juliet@{DOMAIN}'/>", DOMAIN)
    found = until(client, lambda s: s.get("stanzas_total", direction="in", kind="presence") == 1)
    assert found.get("stanzas_total", direction="in", kind="message") == 2
    assert found.get("stanzas_total", direction="out", kind="message") == 1
    assert found.get("stanzas_refused_total", condition="item-not-found") == found.sum("stanzas_refused_total") == 1

    network._streams[DOMAIN].sock.shutdown(socket.SHUT_RDWR)
    found = until(client, lambda s: s.get("link_reconnects_total", domain=DOMAIN) == 1 and are_up(s))
    assert found.sum("link_failures_total", domain=DOMAIN) >= 1
    assert found.sum("link_failures_total", domain=DOMAINS[1]) == 0
    assert until(client, lambda s: s.get("outbox_stanzas") == 0).get("outbox_oldest_seconds") == 0


def test_an_iq_without_an_answer(make_app: MakeApp, network: Network) -> None:
    client = register_users(make_app(**network.settings)).test_client()
    client.get("/health")
    until(client, are_up)
    iq = {"kind": "iq", "type": "get", "to": "montague.example", "ping": True}
    assert client.post("/rest", headers=basic("juliet") | {"Prosody-Rest-Timeout": "0.2"}, json=iq).status_code == 500  # COMPAT mod_rest
    found = scrape(client)
    assert (found.get("iq_timeouts_total"), found.get("iq_waiting")) == (1, 0)
    assert found.get("stanzas_total", direction="out", kind="iq") == 1


def test_callbacks(make_app: MakeApp, network: Network) -> None:
    bot = f"bot@{DOMAIN}"
    results = {"answered": Answer(200, "hi", "text/plain"), "empty": Answer(204), "refused": Answer(404), "failed": Answer(500)}
    with serving() as service:
        url = {"callback_bot_url": service.url("/"), "callback_bot_address": bot, "callback_bot_timeout": "30"}
        client = make_app(**network.settings, **url).test_client()
        client.get("/health")
        until(client, are_up)
        for result, answer in results.items():
            service.answers["/"] = answer
            network.send(f"<message from='{ROMEO}' to='{bot}' type='chat' id='{result}'><body>hello</body></message>", DOMAIN)
            until(client, lambda s, result=result: s.get("callback_requests_total", callback="bot", result=result) == 1)  # type: ignore[misc]
    found = scrape(client)
    assert found.get("callback_request_duration_seconds_count", callback="bot") == found.sum("callback_requests_total") == 4
    assert (found.get("callback_queue", callback="bot"), found.get("callback_dead_letters", callback="bot")) == (0, 0)


def test_a_callback_that_cannot_be_reached(make_app: MakeApp, network: Network) -> None:
    bot = f"bot@{DOMAIN}"
    client = make_app(**network.settings, callback_bot_url="http://127.0.0.1:1/", callback_bot_address=bot).test_client()
    client.get("/health")
    until(client, are_up)
    network.send(f"<message from='{ROMEO}' to='{bot}' type='chat' id='m1'><body>hello</body></message>", DOMAIN)
    found = until(client, lambda s: s.get("callback_dead_letters", callback="bot") == 1)
    assert found.get("callback_requests_total", callback="bot", result="unreachable") == 1
