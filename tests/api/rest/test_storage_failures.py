"""An answer says what has happened, wherever the storage fails: before a message is accepted nobody has it, afterwards it is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import Addition, StorageError
from tests.conftest import DOMAIN, basic, register_users
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.api.lines import GROUP
from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.group import Message
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.threads.waits import Wait

NURSE, ROMEO = f"nurse@{DOMAIN}", "romeo@montague.example"
Fail = Callable[..., None]


def fail(*_: Any, **__: Any) -> Any:
    raise StorageError("no space left")


@pytest.fixture
def sent(gateway: Gateway) -> list[str]:
    """Bodies that the outbox has taken."""
    gateway.start()
    taken: list[str] = []

    def out_all(_: str, stanzas: Sequence[Element], __: Sequence[str]) -> None:
        taken.extend(stanza.findtext("body", "") for stanza in stanzas)

    attach(gateway.parts.router, lambda domain, stanza: out_all(domain, [stanza], [""]), out_all)
    return taken


@pytest.fixture
def fail_for(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Lets the archives of these users fail."""
    extend = gateway.driver.archive_extend_all

    def make(*users: str) -> None:
        def some(additions: Sequence[Addition]) -> list[Exception | None]:
            done = iter(extend([a for a in additions if a.user not in users]))
            return [next(done) if a.user not in users else StorageError("no space left") for a in additions]

        monkeypatch.setattr(gateway.driver, "archive_extend_all", some)

    return make


def archived(gateway: Gateway, user: str) -> list[str]:
    found = gateway.driver.archive_find(user, DOMAIN, "archive")
    return [item.stanza.partition("<body>")[2].partition("</body>")[0] for item in found]


def post(client: FlaskClient, to: str, body: str = "hi", **fields: str) -> TestResponse:
    return client.post("/rest", json={"to": to, "body": body, "id": body}, headers=basic("juliet") | fields)


def state(client: FlaskClient, identifier: str = "hi") -> tuple[int, str]:
    response = client.get(f"/rest/outcome/{identifier}", headers=basic("juliet"))
    return response.status_code, (response.json or {}).get("state", "")


# the sender's archive fails: the message is on its way


@pytest.mark.parametrize(("to", "outcome"), [(ROMEO, "accepted"), (NURSE, "confirmed")])
def test_without_the_senders_archive_it_is_accepted(
    client: FlaskClient, gateway: Gateway, sent: list[str], fail_for: Fail, to: str, outcome: str
) -> None:
    fail_for("juliet")
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    assert post(client, to).status_code == 202
    assert sent + archived(gateway, "nurse") == ["hi"]
    assert archived(gateway, "juliet") == []
    assert state(client) == (200, outcome)
    assert gateway.incidents.counts()["sent-unkept"] == 1
    shown = stream.next(0)
    assert shown is not None
    assert (shown.sent, shown.stanza.get("id")) == (True, "hi")


def test_an_idempotency_key_remembers_it(client: FlaskClient, gateway: Gateway, sent: list[str], fail_for: Fail) -> None:
    fail_for("juliet")
    first, again = (post(client, ROMEO, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (202, 202, "true")
    assert sent == ["hi"]


def test_a_key_whose_answer_cannot_be_kept_sends_nothing_twice(
    client: FlaskClient, gateway: Gateway, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    update, calls = gateway.driver.update, []

    def second_fails(user: Any, host: str, store: str, change: Any) -> Any:
        calls.append(store)
        if len(calls) == 2:
            raise StorageError("no space left")
        return update(user, host, store, change)

    monkeypatch.setattr(gateway.driver, "update", second_fails)
    monkeypatch.setattr(gateway.parts.idempotency, "_lease", -1.0)  # a claim without an answer has expired
    codes = [(r.status_code, r.headers.get("Idempotent-Replayed")) for r in (post(client, ROMEO, **{"Idempotency-Key": "k2"}) for _ in range(3))]
    assert codes == [(202, None), (202, "true"), (202, "true")]
    assert sent == ["hi"]


def test_a_batch(client: FlaskClient, gateway: Gateway, sent: list[str], fail_for: Fail) -> None:
    """Hosted and foreign recipients, and a hosted one whose archive fails: each line is answered for itself."""
    fail_for("juliet", "nurse")
    recipients = [ROMEO, NURSE, f"admin@{DOMAIN}", ROMEO]
    lines = "\n".join(json.dumps({"to": to, "body": f"b{n}", "id": f"b{n}"}) for n, to in enumerate(recipients))
    response = client.post("/rest", data=lines, content_type="application/x-ndjson", headers=basic("juliet"))
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer["outcome"] for answer in answers] == ["accepted", "error", "accepted", "accepted"]
    assert answers[1]["code"] == 503
    assert (sent, archived(gateway, "admin"), archived(gateway, "nurse")) == (["b0", "b3"], ["b2"], [])
    assert [state(client, f"b{n}")[0] for n in range(4)] == [200, 404, 200, 200]


# the recipient's archive fails: nobody has it


def test_without_the_recipients_archive_nobody_has_it(client: FlaskClient, gateway: Gateway, fail_for: Fail) -> None:
    fail_for("nurse")
    response = post(client, NURSE)
    assert (response.status_code, "Retry-After" in response.headers) == (503, True)
    assert archived(gateway, "nurse") == archived(gateway, "juliet") == []
    assert gateway.parts.offline.count(parse_jid(NURSE)) == 0
    assert state(client)[0] == 404


def test_a_full_outbox_forgets_no_earlier_outcome(client: FlaskClient, gateway: Gateway, sent: list[str]) -> None:
    """The same id, once accepted and once not: the first one is still on its way."""
    assert post(client, ROMEO).status_code == 202
    full = raising(GatewayError("outbox-full"))
    attach(gateway.parts.router, full, full)
    assert post(client, ROMEO).status_code == 503
    assert state(client) == (200, "accepted")


# what comes after the recipient's archive fails


def test_without_the_offline_store_it_is_accepted(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.driver, "archive_append", fail)
    assert post(client, NURSE).status_code == 202
    assert archived(gateway, "nurse") == archived(gateway, "juliet") == ["hi"]
    assert gateway.incidents.counts()["offline-unkept"] == 1


def test_without_the_open_streams_it_is_accepted(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.start()
    monkeypatch.setattr(gateway.parts.streams, "hear", fail)
    assert post(client, NURSE).status_code == 202
    assert archived(gateway, "nurse") == archived(gateway, "juliet") == ["hi"]
    assert gateway.incidents.counts()["stream-untold"] == 2


# other APIs


@pytest.mark.parametrize("to", [NURSE, ROMEO])
def test_commands_and_the_client_api(client: FlaskClient, gateway: Gateway, sent: list[str], fail_for: Fail, to: str) -> None:
    fail_for("juliet", "admin")
    said = {"type": "chat", "from": f"admin@{DOMAIN}", "to": to, "subject": "", "body": "a"}
    assert client.post("/api/send_message", json=said, headers=basic(f"admin@{DOMAIN}")).json == 0
    stanza = {"from": f"admin@{DOMAIN}", "to": to, "stanza": "<message type='chat'><body>b</body></message>"}
    assert client.post("/api/send_stanza", json=stanza, headers=basic(f"admin@{DOMAIN}")).json == 0
    assert client.post("/api/messages", json={"to": to, "body": "c"}, headers=basic(f"juliet@{DOMAIN}")).status_code == 200
    assert sent + archived(gateway, "nurse") == ["a", "b", "c"]
    fail_for("juliet", "admin", "nurse")
    if to == NURSE:
        assert client.post("/api/send_message", json=said, headers=basic(f"admin@{DOMAIN}")).status_code == 503
        assert client.post("/api/messages", json={"to": to, "body": "c"}, headers=basic(f"juliet@{DOMAIN}")).status_code == 503


def test_an_announcement_goes_on(client: FlaskClient, gateway: Gateway, fail_for: Fail) -> None:
    news = {"host": DOMAIN, "subject": "s", "body": "news"}
    fail_for("juliet")
    assert client.post("/api/announce_send_all", json=news, headers=basic(f"admin@{DOMAIN}")).json == 0
    assert [archived(gateway, user) for user in ("admin", "juliet", "nurse")] == [["news"], [], ["news"]]
    assert gateway.incidents.counts()["announcement-untold"] == 1
    fail_for("juliet", "admin", "nurse")
    assert client.post("/api/announce_send_all", json=news, headers=basic(f"admin@{DOMAIN}")).status_code == 503


def test_a_room(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the room's archive has it, an occupant who cannot be reached finds it there; before, none has it."""
    app = make_app(gateway_rooms_domain=f"rooms.{DOMAIN}")
    gateway = app.extensions["gateway"]
    register_users(app)
    client, juliet = app.test_client(), basic(f"juliet@{DOMAIN}")
    room = client.post("/api/rooms", json={"name": "n", "subject": "s", "participants": [NURSE, ROMEO]}, headers=juliet).json["id"]
    stream = gateway.parts.streams.open(parse_jid(NURSE))
    full = raising(RuntimeError("unforeseen"))
    attach(gateway.parts.router, full, full)
    path = f"/api/rooms/{room}/messages"
    assert client.post(path, json={"body": "one"}, headers=juliet).status_code == 200
    heard = stream.next(0)
    assert heard is not None
    assert heard.stanza.findtext("body") == "one"
    assert gateway.incidents.counts()["room-unreached"] == 1
    with monkeypatch.context() as patched:
        patched.setattr(gateway.driver, "archive_append", fail)
        assert client.post(path, json={"body": "two"}, headers=juliet).status_code == 503
    assert stream.next(0) is None
    assert [m["body"] for m in client.get(path, headers=juliet).json if "body" in m] == ["one"]


# another process does the sending, and ends half-way


class Gone:
    """The leader has ended, with or without having done what it was called for."""

    def __init__(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
        self.called: list[str] = []
        gateway.start()
        gateway.parts.remote.take_role(False)
        monkeypatch.setattr(gateway.parts.remote.group, "call", self._call)

    def _call(self, name: str, arguments: Message, wait: Wait) -> Any:
        if name != "Collection.report":  # of the metrics, meanwhile
            self.called.append(name)
        raise Unanswered("it ended")


@pytest.mark.parametrize("to", [NURSE, ROMEO])
def test_what_nobody_knows_is_not_said_to_have_failed(
    client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    """503 would have programs send it again; the key lets nobody do so unknowingly."""
    gone = Gone(gateway, monkeypatch)
    first, again = (post(client, to, **{"Idempotency-Key": "k3"}) for _ in range(2))
    assert (first.status_code, again.status_code) == (500, 500)
    assert "Retry-After" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert gone.called == ["Sending.send_batch", "Sending.send_again"], "the next process is asked to see to it; the key keeps the second request from both"


def test_the_next_process_sends_nothing_twice(client: FlaskClient, gateway: Gateway, sent: list[str]) -> None:
    """What the outbox before had, or an archive has, is taken; the rest is sent now."""
    juliet = parse_jid(f"juliet@{DOMAIN}")

    def message(body: str, to: str) -> OutboundMessage:
        stanza = parse_text(f"<message from='{juliet}' to='{to}' id='{body}' type='chat'><body>{body}</body></message>")
        return OutboundMessage(stanza, juliet, parse_jid(to), serialise(stanza))

    before, there = message("before", ROMEO), message("there", NURSE)
    attach(gateway.parts.router, lambda _, stanza: sent.append(stanza.findtext("body", "")), restored=before.text)
    gateway.parts.sending.send_many([there, message("afar", ROMEO)])
    again = OutboundMessages([before, there, message("afar", ROMEO), message("new", ROMEO), message("other", NURSE)])
    assert gateway.parts.sending.send_again(again) == [None] * 5
    assert sent == ["afar", "new"]
    assert archived(gateway, "nurse") == ["there", "other"]
    assert all(state(client, o.stanza.attrib["id"])[0] == 200 for o in again)


def test_a_call_that_was_lost(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    Gone(gateway, monkeypatch)
    juliet, romeo = parse_jid(f"juliet@{DOMAIN}"), parse_jid(ROMEO)
    stanza = Element("message", {"from": str(juliet), "to": ROMEO, "id": "m"})
    sending, outgoing = gateway.parts.sending, OutboundMessage(stanza, juliet, romeo, "<message/>")
    for call in (lambda: sending.send_batch(OutboundMessages([outgoing])), lambda: sending.receive(stanza, juliet, romeo), lambda: gateway.parts.router.send(stanza)):
        with pytest.raises(GatewayError) as raised:
            call()
        assert raised.value.name == "unanswered"
    with pytest.raises(GatewayError) as raised:  # asking again does no harm
        sending.outcome(juliet, "m")
    assert raised.value.name == "link-down"


@pytest.mark.parametrize(("error", "code"), [(GatewayError("waits-full"), 503), (RuntimeError("unforeseen"), 500)])
def test_a_batch_tells_what_it_has_sent(
    client: FlaskClient, gateway: Gateway, sent: list[str], monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    """Whatever goes wrong in the middle: the lines before it are sent, and said to be."""
    send_out, calls = gateway.parts.sending._batch_sender, []

    def second_fails(stanzas: Sequence[OutboundMessage]) -> Any:
        calls.append(len(stanzas))
        if len(calls) == 2:
            raise error
        return send_out(stanzas)

    monkeypatch.setattr(gateway.parts.sending, "_batch_sender", second_fails)
    lines = "\n".join(json.dumps({"to": ROMEO, "body": str(n)}) for n in range(2 * GROUP + 2))
    response = client.post("/rest", data=lines, content_type="application/x-ndjson", headers=basic("juliet"))
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer.get("code", 202) for answer in answers] == [202] * GROUP + [code] * GROUP + [202] * 2
    assert sent == [str(n) for n in (*range(GROUP), 2 * GROUP, 2 * GROUP + 1)]
