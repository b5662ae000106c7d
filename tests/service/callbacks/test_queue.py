"""A callback does what mod_rest's does: probe, formats, kinds and events, and existing bots (rest-api §12)."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.botapp import BOT, MakeBot, eventually
from tests.conftest import DOMAIN
from tests.service.callbacks.bot import bot, running
from tests.webservice import Answer, Service
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.threads import crew

JULIET = f"juliet@{DOMAIN}"
XML = "application/xmpp+xml"


# the bots of mod_rest's users, unchanged


@pytest.mark.parametrize("probe", [True, False])
def test_a_bot_written_for_mod_rest(make_bot: MakeBot, probe: bool) -> None:
    seen: list[dict[str, Any]] = []
    with running(bot(seen, probe=probe)) as url:
        app = make_bot(url, content_type="xml" if probe else "json")  # it is the probe that turns XML into JSON
        assert app.post(body="Good morrow", type="chat", id="m1").status_code == 202
        eventually(lambda: app.bodies()[1:] == [f"{JULIET} said Good morrow"])
        assert seen[0] == {"kind": "message", "type": "chat", "id": "m1", "from": JULIET, "to": BOT, "body": "Good morrow"}
        assert app.post(kind="iq", type="get", id="p", ping=True).json == {"kind": "iq", "type": "result", "id": "p", "from": BOT, "to": JULIET}
        version = app.post(kind="iq", type="get", version={}).json
        assert version is not None
        assert version["version"] == {"name": "bot", "version": "1.0"}
        disco = app.post(kind="iq", type="get", disco=True).json
        assert disco is not None
        assert disco["disco"]["identities"] == [{"category": "client", "type": "bot", "name": "Friar Laurence"}]
        refused = app.post(kind="iq", type="get", lastactivity={}).json
        assert refused is not None
        assert refused["error"]["condition"] == "feature-not-implemented"


def test_a_reply_is_archived_after_what_it_answers(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    archive, asked = Mailbox.sent, list[bool]()

    def sent(mailbox: Mailbox, *said: Any) -> None:
        """Gives the URL time to answer, if it has been asked by now."""
        try:
            service.wait(lambda _: True, timeout=0.3)
            asked.append(True)
        except TimeoutError:
            asked.append(False)
        archive(mailbox, *said)

    service.answers["/"] = Answer(200, '{"body":"Anon!"}', "application/json")
    app = make_bot(service.url("/"))
    eventually(service.drain)  # the probe: from now on nothing waits
    with monkeypatch.context() as patch:
        patch.setattr(Mailbox, "sent", sent)
        assert app.post(body="Nurse?", type="chat").status_code == 202
    assert asked == [False]
    eventually(lambda: len(app.bodies()) == 2)
    assert app.bodies() == ["Nurse?", "Anon!"]


def test_chat_states_and_subscriptions_reach_the_bot(make_bot: MakeBot) -> None:
    seen: list[dict[str, Any]] = []
    with running(bot(seen)) as url:
        app = make_bot(url, content_type="xml")
        app.come(f"<message from='romeo@montague.example/o' to='{BOT}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
        app.come(f"<presence from='romeo@montague.example' to='{BOT}' type='subscribe'/>")
        state, subscribed = eventually(lambda: app.outside if len(app.outside) == 2 else None)
        assert (seen[0]["state"], state[0].tag) == ("composing", "{http://jabber.org/protocol/chatstates}active")
        assert (subscribed.get("type"), subscribed.get("to")) == ("subscribed", "romeo@montague.example")


# the probe


def test_the_probe_fills_the_placeholders(make_bot: MakeBot, service: Service) -> None:
    make_bot(service.url("/{kind}/{type}/{to}/{from}"))
    (probe,) = eventually(service.drain)
    assert (probe.method, probe.path, probe.body) == ("OPTIONS", f"/meta/info/{DOMAIN}/{DOMAIN}", b"")


@pytest.mark.parametrize(
    ("status", "accept", "setting", "sent"),
    [
        (200, "application/json", "xml", "application/json"),
        (200, "text/html, application/xmpp+xml;q=0.1, application/json", "json", XML),
        (200, "APPLICATION/JSON", "xml", "application/json"),
        (200, "application/x-www-form-urlencoded", "xml", "application/x-www-form-urlencoded"),
        (200, "application/cbor", "xml", "application/cbor"),
        (200, "*/*", "json", "application/json"),  # no known type: the setting holds
        (200, "text/plain", "json", "application/json"),
        (200, None, "form", "application/x-www-form-urlencoded"),
        (204, "application/json", "xml", XML),
        (404, "application/json", "xml", XML),
        (301, "application/json", "xml", XML),
    ],
)
def test_the_probe_decides_the_format(
    make_bot: MakeBot, service: Service, caplog: pytest.LogCaptureFixture, status: int, accept: str | None, setting: str, sent: str
) -> None:
    caplog.set_level(logging.INFO)
    service.options = Answer(status, headers={"Accept": accept} if accept else {})
    make_bot(service.url("/"), content_type=setting).post(body="x")
    assert service.wait(lambda _: True).headers["content-type"] == sent
    assert f"with {status}; stanzas go as {sent}" in caplog.text


def test_probe_does_not_delay_the_start(make_bot: MakeBot, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.options = Answer(200, delay=30)
    app = make_bot(service.url("/"), timeout="2")
    assert "did not answer" not in caplog.text
    app.post(body="x")
    service.wait_body('"x"')  # the callback is used all the same
    assert "did not answer OPTIONS: timed out" in caplog.text


# bodies, and the answers in the same formats


@pytest.mark.parametrize(
    ("setting", "answer", "kind"),
    [
        ("json", b'{"body":"Anon!"}', "application/json"),
        ("application/json", "Anon!", "text/plain"),
        ("form", "body=Anon%21", "application/x-www-form-urlencoded"),
        ("xml", "<message><body>Anon!</body></message>", XML),
        ("cbor", b"\xa1dbodyeAnon!", "application/cbor"),
    ],
)
def test_bodies_by_content_type(make_bot: MakeBot, service: Service, setting: str, answer: str | bytes, kind: str) -> None:
    service.answers["/"] = Answer(200, answer, kind)
    app = make_bot(service.url("/"), content_type=setting)
    app.post(body="Nurse?", type="chat", id="1")
    eventually(lambda: app.bodies()[1:] == ["Anon!"])
    body = service.wait(lambda _: True).body
    shown = {"json": lambda: json.loads(body)["body"], "form": lambda: parse_qs(body.decode())["body"][0]}
    assert shown.get(setting, lambda: "Nurse?")() == "Nurse?"
    assert b"Nurse?" in body or b"Nurse%3f" in body


def test_addresses_in_an_answer_are_ignored(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(200, '{"body":"Ay","to":"@","from":"a@b@c"}', "application/json")
    app = make_bot(service.url("/"))
    app.post(body="x", type="chat")
    eventually(lambda: app.bodies()[1:] == ["Ay"])


# which stanzas


@pytest.mark.parametrize(
    ("given", "stanza", "taken"),
    [
        ({"kinds": "message"}, f"<message from='r@m.example' to='{BOT}'/>", True),
        ({"kinds": "presence"}, f"<message from='r@m.example' to='{BOT}' id='1'/>", False),
        ({"events": "full"}, f"<message from='r@m.example' to='{BOT}' id='1'/>", False),
        ({"events": "full"}, f"<message from='r@m.example' to='{BOT}/x'/>", True),
        ({"events": "bare"}, f"<iq type='get' from='r@m.example' to='{BOT}/x' id='1'><a xmlns='b'/></iq>", False),
        ({"events": "host", "address": DOMAIN}, f"<iq type='get' from='r@m.example' to='{DOMAIN}' id='1'><ping xmlns='urn:xmpp:ping'/></iq>", True),
        ({"address": DOMAIN}, f"<message from='r@m.example' to='nobody@{DOMAIN}'/>", True),
    ],
)
def test_kinds_and_events(make_bot: MakeBot, service: Service, given: dict[str, str], stanza: str, taken: bool) -> None:
    app = make_bot(service.url("/"), **given)
    element = parse_text(stanza)
    answer = app.gateway.parts.router.deliver(element, parse_jid(element.attrib["from"]), parse_jid(element.attrib["to"]))
    if taken:
        assert answer is None
        service.wait(lambda _: True)
    else:
        assert answer is not None
        assert condition_of(answer)[:2] == ("cancel", "service-unavailable")


def test_full_callback_queue_refuses(make_bot: MakeBot, service: Service) -> None:
    service.answers["/"] = Answer(204, delay=0.5)
    app = make_bot(service.url("/"), concurrency="1", queue_size="2")
    for n in range(3):
        assert app.post(body=f"{n}", id=f"{n}").status_code == 202
        if n == 0:
            service.wait_body('"0"')  # it is under way: two more may wait
    refused = app.post(body="3", id="3")
    assert (refused.status_code, refused.json and refused.json["error"]["condition"]) == (200, "resource-constraint")


def test_threads_deliver_where_no_tasks_can_run(make_bot: MakeBot, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "greenlet", object)
    service.answers["/"] = Answer(200, '{"body":"aye"}', "application/json")
    app = make_bot(service.url("/"))
    for n in range(10):
        app.come(f"<message from='u{n}@montague.example/o' to='{BOT}'><body>x</body></message>")
    told = eventually(lambda: app.outside if len(app.outside) == 10 else None)
    assert {reply.findtext("body") for reply in told} == {"aye"}
    assert {thread.name for thread in threading.enumerate()} >= {f"callback bot {n}" for n in range(4)}
