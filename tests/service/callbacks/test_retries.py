"""Stanzas for a callback are kept until they are answered, retried as configured, and given up without being lost."""

from __future__ import annotations

import json
import logging
import socket
from typing import Any

import pytest

from drivers import StorageError
from tests.botapp import BOT, BotApp, MakeBot, eventually
from tests.conftest import basic
from tests.raising import raising
from tests.webservice import Answer, Request, Service
from xmpp_rest.link.journal import Journal
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.callbacks.delivery import DeliveryJournal

ADMIN = basic("admin")


def failing(times: int, status: int = 503, then: Answer | None = None, **headers: str) -> Any:
    """Fails so often, then answers."""
    left = iter(range(times))
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda _: Answer(status, headers=named) if next(left, None) is not None else then or Answer(204)


def posts(service: Service, count: int) -> list[Request]:
    return [service.wait(lambda _: True) for _ in range(count)]


def dead(app: BotApp) -> list[dict[str, Any]]:
    response = app.client.get("/rest/callbacks/bot/dead", headers=ADMIN)
    assert response.status_code == 200
    writes: list[dict[str, Any]] = response.json["dead"] if response.json else []
    return writes


# kept


@pytest.mark.parametrize("stanza", [{"body": "stay"}, {"kind": "presence", "type": "subscribe"}])
def test_what_was_not_answered_is_posted_again_after_a_restart(make_bot: MakeBot, service: Service, stanza: dict[str, str]) -> None:
    service.answers["/"] = Answer(204, delay=3)
    first = make_bot(service.url("/"), concurrency="1")
    for n in range(3):
        assert first.post(id=f"m{n}", **stanza).status_code == 202
    (before,) = posts(service, 1)
    first.gateway.stop()
    service.drain()
    service.answers["/"] = Answer(204)
    second = make_bot(service.url("/"), like=first)
    again = posts(service, 3)
    assert [json.loads(r.body)["id"] for r in again] == ["m0", "m1", "m2"]
    assert again[0].headers["webhook-id"] == before.headers["webhook-id"]
    eventually(lambda: second.gateway.parts.callbacks.queues["bot"].pool.waiting == 0)
    second.gateway.stop()
    third = make_bot(service.url("/"), like=first, concurrency="1")
    assert third.post(id="last", **stanza).status_code == 202
    assert [json.loads(r.body)["id"] for r in posts(service, 1)] == ["last"], "what was answered is done with"


def test_an_iq_is_not_kept(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(204, delay=2)
    first = make_bot(service.url("/"))
    first.come(f"<iq type='get' from='romeo@montague.example/o' to='{BOT}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>")
    service.wait(lambda _: True)
    first.gateway.stop()
    service.drain()
    second = make_bot(service.url("/"), like=first, concurrency="1")
    assert second.post(id="next", body="x").status_code == 202
    assert [json.loads(r.body)["id"] for r in posts(service, 1)] == ["next"]


def test_queue_in_memory_keeps_nothing(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(204, delay=2)
    first = make_bot(service.url("/"), keep="memory")
    assert first.post(body="x").status_code == 202
    service.wait(lambda _: True)
    assert not (first.gateway.data_dir / "callbacks").exists()


def test_stanzas_from_the_link_keep_their_order(make_bot: MakeBot, service: Service) -> None:
    app = make_bot(service.url("/"))
    ping = "<ping xmlns='urn:xmpp:ping'/>"
    for n in range(30):
        app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='{n}'/>")
        app.come(f"<iq type='get' from='romeo@montague.example/o' to='{BOT}' id='{n}'>{ping}</iq>")
    assert [json.loads(r.body)["id"] for r in posts(service, 60)] == [str(n) for n in range(30) for _ in "mi"]


def test_a_disk_that_fails_refuses(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_bot(service.url("/"), queue_size="2")
    monkeypatch.setattr(DeliveryJournal, "append", raising(OSError(28, "No space left on device")))
    for _ in range(4):  # the places that were claimed are free again
        refused = app.post(body="x")
        assert (refused.status_code, refused.json and refused.json["error"]["text"]) == (503, "The stanza cannot be kept: No space left on device")
        assert "Retry-After" in refused.headers
    app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='1'/>")
    (error,) = eventually(lambda: app.outside)
    assert (error.get("to"), condition_of(error)[:2]) == ("romeo@montague.example/o", ("wait", "internal-server-error"))


def test_a_journal_that_cannot_be_read_in_part(make_bot: MakeBot, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    first = make_bot(service.url("/"))
    first.gateway.stop()
    journal = Journal(first.gateway.data_dir / "callbacks" / "bot.journal")
    journal.append(["{}", '["a",1,false,"<message/>"]', f'["msg_a",1,false,"<message from=\'a@b\' to=\'{BOT}\'/>"]'])
    journal.close()
    service.drain()
    make_bot(service.url("/"), like=first)
    assert service.wait(lambda _: True).headers["webhook-id"] == "msg_a"
    assert caplog.text.count("cannot be read and is dropped") == 2


def test_another_process_takes_over(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(204, delay=1.5)
    old = make_bot(service.url("/"), concurrency="1")
    new = make_bot(service.url("/"), like=old)  # while the old one still runs
    assert new.post(body="0").status_code == 202
    assert old.post(body="1").status_code == 202
    service.wait_body('"0"')
    assert new.gateway.parts.callbacks.queues["bot"].pool.waiting == 0
    service.answers["/"] = Answer(204)
    old.gateway.stop()
    service.wait_body('"0"')
    service.wait_body('"1"')


# tried again


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_retry_after_an_error_status(make_bot: MakeBot, service: Service, status: int) -> None:
    service.answers["/"] = failing(2, status, Answer(200, '{"body":"at last"}', "application/json"))
    app = make_bot(service.url("/"), retries="2", retry_max="0.2")
    app.post(body="x", type="chat", id="1")
    eventually(lambda: app.bodies()[1:] == ["at last"])
    attempts = posts(service, 3)
    assert len({r.headers["webhook-id"] for r in attempts}) == 1
    assert len({r.body for r in attempts}) == 1
    assert not dead(app)


@pytest.mark.parametrize(("status", "body"), [(500, ""), (404, ""), (503, '{"type":"error","error":{"type":"wait","condition":"conflict"}}')])
def test_no_retry_after_an_answer(make_bot: MakeBot, service: Service, status: int, body: str) -> None:
    service.answers["/"] = Answer(status, body, "application/json")
    app = make_bot(service.url("/"), retries="3", retry_max="0.1")
    for number in "12":  # a sender's second stanza waits until the first is not tried again
        app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='{number}'><body>x</body></message>")
        eventually(lambda number=number: len(app.outside) == int(number))  # type: ignore[misc]
    assert [json.loads(r.body)["id"] for r in service.drain() if r.method == "POST"] == ["1", "2"]
    assert not dead(app)


def test_the_order_of_a_sender_is_kept_and_nobody_else_waits(make_bot: MakeBot, service: Service) -> None:
    tried: list[str] = []

    def answer(request: Request) -> Answer:
        body = json.loads(request.body)["body"]
        tried.append(body)
        return Answer(503 if body == "first" and tried.count("first") < 3 else 204)

    service.answers["/"] = answer
    app = make_bot(service.url("/"), retries="5", retry_max="0.3", concurrency="1")
    app.post("juliet", body="first")
    app.post("juliet", body="second")
    app.post("nurse", body="other")
    eventually(lambda: "second" in tried)
    assert tried == ["first", "other", "first", "first", "second"]


@pytest.mark.parametrize(("field", "longest", "least"), [("1", "5", 1.0), ("3600", "0.4", 0.4), ("nonsense", "5", 0.2)])
def test_retry_after_field_is_bounded(make_bot: MakeBot, service: Service, field: str, longest: str, least: float) -> None:
    service.answers["/"] = failing(1, 429, Retry_After=field)
    make_bot(service.url("/"), retries="1", retry_max=longest).post(body="x")
    one, two = posts(service, 2)
    assert least <= two.when - one.when < least + 0.8


def test_iq_is_not_retried(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"), retries="5")
    answer = app.post(kind="iq", type="get", ping=True).json
    assert answer is not None
    assert answer["error"]["condition"] == "service-unavailable"
    assert not dead(app)


# given up


@pytest.fixture
def nobody() -> str:
    """A URL where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


def test_error_without_connection_and_retries(make_bot: MakeBot, nobody: str) -> None:
    app = make_bot(nobody)
    app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='1'><body>x</body></message>")
    (error,) = eventually(lambda: app.outside)
    assert (error.get("id"), condition_of(error)[:3]) == ("1", ("wait", "recipient-unavailable", "connection refused"))
    (letter,) = eventually(lambda: dead(app))
    assert letter["id"].startswith("msg_")
    assert letter["since"] <= letter["given_up"]
    assert {k: letter[k] for k in ("from", "to", "attempts", "reason")} == {
        "from": "romeo@montague.example/o", "to": BOT, "attempts": 1, "reason": "connection refused",
    }  # fmt: skip
    assert letter["stanza"]["body"] == "x"
    assert letter["xml"] == f"<message from='romeo@montague.example/o' to='{BOT}' id='1'><body>x</body></message>"


def test_undelivered_error_is_a_dead_letter(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(502)
    app = make_bot(service.url("/"), retries="1", retry_max="0.1")
    app.come(f"<message type='error' from='romeo@montague.example/o' to='{BOT}' id='1'><error type='cancel'/></message>")
    (letter,) = eventually(lambda: dead(app))
    assert (letter["attempts"], letter["reason"]) == (2, "502 Bad Gateway")
    assert not app.outside


def test_oldest_dead_letters_are_removed_first(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"), dead_letters="2", keep="memory")
    for n in range(4):
        app.post(body=f"{n}")
    eventually(lambda: [d["stanza"]["body"] for d in dead(app)] == ["2", "3"])


def test_no_dead_letters_if_so_set(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"), dead_letters="0")
    app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='1'/>")
    eventually(lambda: app.outside)
    assert not dead(app)


def test_dead_letter_of_the_deepest_stanza(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(503)
    app = make_bot(service.url("/"))
    deep = "<a xmlns='a'>" * 63 + "</a>" * 63
    app.come(f"<message from='romeo@montague.example/o' to='{BOT}'>{deep}</message>")
    (letter,) = eventually(lambda: dead(app))
    assert letter["xml"].count("<a") == 63


def test_dead_letter_that_the_storage_refuses_is_logged(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    app = make_bot(service.url("/"))
    service.answers["/"] = Answer(503)
    monkeypatch.setattr(app.gateway.driver, "archive_append", raising(StorageError("no space left")))
    caplog.set_level(logging.ERROR)
    app.come(f"<message from='romeo@montague.example/o' to='{BOT}' id='1'/>")
    (error,) = eventually(lambda: app.outside)
    assert "<error" in serialise(error)
    assert "an undelivered stanza from romeo@montague.example/o could not be kept: no space left" in caplog.text
