"""What accounts of real servers send through the gateway at /rest (accounts-anywhere §7.1, §7.2)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from urllib3 import BaseHTTPResponse
from urllib3.util import make_headers

from .conftest import running
from .gateway import Gateway, Sections
from .proxy import Proxy
from .tls_servers import FOREIGN, ForeignUser, TLSServer
from .users import EventLoop
from .xmppserver import GATEWAY, PASSWORD

BENVOLIO, ROMEO, NOBODY = (f"{name}@{FOREIGN}" for name in ("benvolio", "romeo", "nobody"))
SETTINGS: Sections = {"gateway": {"rooms_domain": "", "conference_domain": ""}, "sessions": {"keepalive": 5}, "rest": {"stanza_size_limit": 400_000}}
JSON, NDJSON = "application/json", "application/x-ndjson"


class ForeignSender:
    """Asks a gateway as romeo of the server."""

    def __init__(self, gateway: Gateway, proxy: Proxy) -> None:
        self.gateway = gateway
        self.proxy = proxy

    def ask(self, method: str, path: str, body: object = None, kind: str = JSON, **headers: str) -> BaseHTTPResponse:
        fields = make_headers(basic_auth=f"{ROMEO}:{PASSWORD}") | {"Content-Type": kind, "Accept": "*/*"} | headers
        data = body if body is None or isinstance(body, str) else json.dumps(body)
        return self.gateway.http.request(method, path, body=data, headers=fields)

    def send(self, **stanza: object) -> BaseHTTPResponse:
        return self.ask("POST", "/rest", {"to": BENVOLIO, "body": "Hark", **stanza})

    def query(self, **stanza: object) -> dict[str, object]:
        answer = self.ask("POST", "/rest", {"kind": "iq", "type": "get", **stanza})
        assert answer.status == 200, answer.data
        found: dict[str, object] = answer.json()
        return found

    def state(self, identifier: str) -> str:
        return str(self.ask("GET", f"/rest/outcome/{identifier}").json().get("state"))

    def until_state(self, identifier: str, wanted: str) -> None:
        until(lambda: self.state(identifier) == wanted)

    @property
    def session(self) -> str:
        answer = self.ask("GET", "/rest/session")
        assert answer.status == 200, answer.data
        return str(answer.json()["jid"])


def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module", params=[1, 2])
def sender(request: pytest.FixtureRequest, tls_server: TLSServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignSender]:
    for proxy in running(Proxy(tls_server.direct_port)):
        sections = {**SETTINGS, "server": {"workers": request.param}, "login.montague": tls_server.login_settings(port=proxy.port)}
        gateway = Gateway(tmp_path_factory.mktemp("gateway"), tls_server.component_port, sections)
        try:
            gateway.start()
            gateway.register("juliet")
            gateway.wait_state("online")
            yield ForeignSender(gateway, proxy)
        finally:
            gateway.stop()


@pytest.fixture
def benvolio(tls_server: TLSServer, event_loop_thread: EventLoop) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "benvolio")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def phone(tls_server: TLSServer, event_loop_thread: EventLoop) -> Iterator[ForeignUser]:
    """Romeo's own."""
    user = ForeignUser(event_loop_thread, tls_server, "romeo", "phone")
    user.connect()
    yield user
    user.close()


def test_what_the_server_refuses_is_told_each_time(sender: ForeignSender) -> None:
    """The answer to the ping behind a message comes after the error."""
    answers = [sender.send(to=NOBODY) for _ in range(50)]
    assert {answer.status for answer in answers} == {200}
    assert {answer.json()["error"]["condition"] for answer in answers} == {"service-unavailable"}
    lines = "\n".join(json.dumps({"to": (NOBODY, BENVOLIO)[n % 2], "body": "Hark"}) for n in range(200))
    results = [json.loads(line)["outcome"] for line in sender.ask("POST", "/rest", lines, NDJSON).data.splitlines()]
    assert results == ["refused", "accepted"] * 100


def test_messages_come_in_order_and_are_confirmed(sender: ForeignSender, benvolio: ForeignUser) -> None:
    run = uuid4().hex
    for n in range(20):
        assert sender.send(body=f"{run} {n}", id=f"{run}-{n}").status == 202
        assert sender.state(f"{run}-{n}") == "confirmed"
    lines = "\n".join(json.dumps({"to": BENVOLIO, "body": f"{run} {n}"}) for n in range(20, 320))
    assert {json.loads(line)["outcome"] for line in sender.ask("POST", "/rest", lines, NDJSON).data.splitlines()} == {"accepted"}
    came = [benvolio.wait(lambda s: (s.findtext("{jabber:client}body") or "").startswith(run)) for _ in range(320)]
    assert [each.findtext("{jabber:client}body") for each in came] == [f"{run} {n}" for n in range(320)]
    assert {each.get("from") for each in came} == {sender.session}


def test_a_receipt_is_the_outcome(sender: ForeignSender, benvolio: ForeignUser) -> None:
    identifier = uuid4().hex
    assert sender.send(id=identifier).status == 202
    benvolio.wait(lambda s: s.get("id") == identifier)
    benvolio.send(f"<message to='{sender.session}' id='r-{identifier}'><received xmlns='urn:xmpp:receipts' id='{identifier}'/></message>")
    sender.until_state(identifier, "delivered")


def test_queries(sender: ForeignSender) -> None:
    assert sender.query(ping=True)["type"] == "result"
    assert sender.query(to=FOREIGN, disco=True)["type"] == "result"
    assert sender.query(to=GATEWAY, ping=True)["from"] == GATEWAY  # over the server, as anybody's
    identifier = uuid4().hex
    sender.send(body=identifier)
    kept = sender.ask("GET", "/rest/archive/", Accept="application/xmpp+xml")
    assert kept.status == 200
    assert b"<result " in kept.data.partition(b"<fin ")[0]


def test_a_session_answers_for_itself(sender: ForeignSender) -> None:
    answer = sender.gateway.post_json({"kind": "iq", "type": "get", "version": {}, "to": sender.session}, "juliet")
    assert answer.status == 200, answer.data
    assert answer.json()["version"]["name"] == "xmpp-rest"
    unknown = sender.gateway.post_json({"kind": "iq", "type": "get", "last_activity": {}, "to": f"{sender.session}x"}, "juliet")
    assert unknown.status in (200, 400, 422)


def test_the_own_presence(sender: ForeignSender, phone: ForeignUser) -> None:
    jid = sender.session
    assert sender.ask("POST", "/rest", {"kind": "presence", "show": "dnd"}).status == 202
    phone.wait(lambda s: s.tag.endswith("}presence") and s.get("from") == jid and s.findtext("{jabber:client}show") == "dnd")
    assert sender.ask("GET", "/rest/session").json()["presence"] == "own"
    assert sender.ask("DELETE", "/rest/session").status == 204
    phone.wait(lambda s: s.tag.endswith("}presence") and s.get("from") == jid and s.get("type") == "unavailable")
    assert sender.ask("GET", "/rest/session").json()["presence"] == "none"


def test_what_is_sent_while_the_connection_is_broken(sender: ForeignSender, benvolio: ForeignUser) -> None:
    jid, run = sender.session, uuid4().hex
    assert sender.ask("POST", "/rest", {"kind": "presence"}).status == 202  # worth resuming
    for n in range(2):
        sender.proxy.cut()
        assert sender.send(body=f"{run} {n}", id=f"{run}-{n}").status == 202
    came = [benvolio.wait(lambda s: (s.findtext("{jabber:client}body") or "").startswith(run)) for _ in range(2)]
    assert [each.findtext("{jabber:client}body") for each in came] == [f"{run} {n}" for n in range(2)]
    assert [sender.state(f"{run}-{n}") for n in range(2)] == ["confirmed"] * 2
    assert sender.session == jid
    sender.ask("DELETE", "/rest/session")


def test_no_stanza_ends_the_session(sender: ForeignSender) -> None:
    jid = sender.session
    since = sender.ask("GET", "/rest/session").json()["since"]
    assert sender.send(body="x" * 300_000).status == 413
    assert sender.send(body="x" * 240_000).status == 202
    assert sender.send(**{"from": f"{ROMEO}/other"}).status == 403
    for stanza in ({"kind": "presence", "type": "subscribe"}, {"kind": "iq", "type": "set", "to": f"{ROMEO}/none", "ping": True}):
        assert sender.ask("POST", "/rest", stanza).status in (200, 202)
    shown = sender.ask("GET", "/rest/session").json()
    assert (shown["jid"], shown["since"]) == (jid, since)
