"""The id of a request goes with its stanza: through the outbox and its journal, to bounces, to callbacks and dead letters."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.botapp import BOT, MakeBot, eventually
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.logs.fields import fields
from tests.webservice import Answer, Service
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.journal_copy import JournalCopy
from xmpp_rest.link.outbox import Entry, Label, Outbox, Progress
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.request_notes import CURRENT, current_id, on_behalf_of
from xmpp_rest.service.callbacks.delivery import read_delivery
from xmpp_rest.service.messages.outcomes import Outcomes

FAR = "romeo@montague.example"
JULIET = f"juliet@{DOMAIN}"
HEX = 32


@pytest.fixture(autouse=True)
def _debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "xmpp_rest.link")


def post(client: FlaskClient, name: str, path: str = "/rest", **given: Any) -> int:
    return client.post(path, headers=basic(f"admin@{DOMAIN}") | {"X-Request-Id": name}, buffered=True, **given).status_code


def test_all_ways_into_the_outbox(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    app = register_users(make_app(link_kind="component", link_secret="x", link_port="1"))
    client = app.test_client()
    gateway: Gateway = app.extensions["gateway"]
    assert post(client, "one", json={"to": FAR, "body": "x", "id": "1"}) == 202
    assert post(client, "two", json={"to": FAR, "kind": "presence", "id": "2"}) == 202
    lines = "\n".join(json.dumps({"to": FAR, "body": "x", "id": n}) for n in ("3", "4"))
    assert post(client, "many", data=lines, content_type="application/x-ndjson") == 200
    message = {"type": "chat", "from": JULIET, "to": FAR, "subject": "", "body": "x"}
    assert post(client, "command", "/api/send_message", json=message) == 200
    queued = [(line["stanza_id"], line["request_id"]) for line in fields(caplog, "queued")]
    assert queued[:4] == [("1", "one"), ("2", "two"), ("3", "many"), ("4", "many")]
    assert [request_id for _, request_id in queued[4:]] == ["command"]
    assert {line["sender"] for line in fields(caplog, "queued")} == {f"admin@{DOMAIN}", JULIET}
    gateway.stop()
    journal = Journal(gateway.data_dir / "outbox" / f"{DOMAIN}.journal")
    assert [journal.request_id(number) for number, _ in journal.unacknowledged()] == ["one", "two", "many", "many", "command"]
    journal.close()


def test_the_way_through_the_outbox(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "journal"
    data = f"<message from='{JULIET}' to='{FAR}' id='1'></message>".encode()
    first = Outbox(10, Journal(path))
    first.put([Entry(data, Label(JULIET, "1"), sender=JULIET, request_id="mine"), Entry(b"<presence></presence>", None)])
    first.close()
    copy = JournalCopy(path)
    copy.read()
    path.write_bytes(copy.data())
    again = Outbox(10, Journal(path))
    entries = again.take()
    again.wrote(entries)
    again.confirm(again.mark)
    again.close()
    assert [(e.request_id, e.data) for e in entries] == [("mine", data), ("", b"<presence></presence>")]
    for event in ("queued", "sent", "confirmed"):
        assert [line.get("request_id") for line in fields(caplog, event)] == ["mine", None], event
    assert all(r.levelno == logging.DEBUG for r in caplog.records if r.name == "xmpp_rest.link")


def test_what_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    outcomes = Outcomes(Counts())
    outcomes.all_accepted([(parse_jid(JULIET), "1"), (parse_jid(JULIET), "2")])
    outcomes.progress([Entry(b"", Label(JULIET, "1"), request_id="mine"), Entry(b"", Label(JULIET, "2"))], Progress.WRITTEN)
    for number in ("1", "1", "2", "of nobody"):
        error = f"<message type='error' id='{number}' from='{FAR}' to='{JULIET}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        outcomes.observe(parse_text(error), parse_jid(FAR), parse_jid(JULIET))
    assert [(line["stanza_id"], line.get("request_id"), line["by"], line["condition"]) for line in fields(caplog, "bounced")] == [
        ("1", "mine", FAR, "item-not-found"), ("2", None, FAR, "item-not-found"),
    ]  # fmt: skip
    assert {r.levelno for r in caplog.records if getattr(r, "event", "") == "bounced"} == {logging.INFO}


def test_callbacks_and_dead_letters(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    bot = make_bot(service.url("/"), retries="1", retry_max="0.1")
    assert bot.client.post("/rest", json={"to": BOT, "body": "x"}, headers=basic("juliet") | {"X-Request-Id": "mine"}, buffered=True).status_code == 202
    bot.come(f"<message type='chat' from='{FAR}/o' to='{BOT}'><body>x</body></message>")
    sent = [service.wait(lambda _: True).headers["x-request-id"] for _ in range(4)]
    (other,) = set(sent) - {"mine"}
    assert (sorted(sent), len(other)) == (sorted(["mine", "mine", other, other]), HEX)

    def letters() -> Any:
        answer = bot.client.get("/rest/callbacks/bot/dead", headers=basic("admin"), buffered=True).get_json()["dead"]
        return answer if len(answer) == 2 else None

    assert {letter["request_id"] for letter in eventually(letters)} == {"mine", other}
    service.answers["/"] = Answer(204)
    assert bot.client.post("/rest/callbacks/bot/replay", headers=basic("admin"), buffered=True).status_code == 200
    assert {service.wait(lambda _: True).headers["x-request-id"] for _ in range(2)} == {"mine", other}


def test_a_delivery_of_an_earlier_version_gets_an_id() -> None:
    read = read_delivery(json.dumps(["msg_1", 1.0, False, f"<message from='{FAR}' to='{BOT}'/>"]))
    assert len(read.request_id) == HEX
    assert read_delivery(read.text()).request_id == read.request_id


def test_a_call_of_the_leader_is_on_behalf_of_the_request(gateway: Gateway) -> None:
    def who() -> str | None:
        return current_id()

    gateway.start()
    gateway.parts.remote.answer(who)
    client = LeaderClient(gateway.data_dir)
    try:
        own = {client.call(who) for _ in range(2)}  # a call of a program is a request of its own
        assert [len(each or "") for each in own] == [HEX, HEX]
    finally:
        client.close()
    message = {"call": who.__qualname__, "number": 1, "arguments": {}, "request": "mine"}
    client = LeaderClient(gateway.data_dir)
    try:
        client._channel.send(message)
        while (answer := client._channel.receive()) is not None and answer.get("number") != 1:
            pass
        assert answer == {"number": 1, "result": "mine"}
    finally:
        client.close()


def test_on_behalf_of() -> None:
    with on_behalf_of("a"):
        with on_behalf_of(None):
            assert current_id() is None
        assert current_id() == "a"
    assert CURRENT.get() is None
