"""What a user of a real server gets for each answer of a callback."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from .callback import XML, Answer, Callback
from .gateway import Gateway
from .users import User
from .xmppserver import GATEWAY

BOT = f"bot@{GATEWAY}"
RECEIPT = "<request xmlns='urn:xmpp:receipts'/>"
RECEIVED = "{urn:xmpp:receipts}received"
PING = "<ping xmlns='urn:xmpp:ping'/>"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
pytestmark = pytest.mark.usefixtures("gateway")


def answered(user: User, callback: Callback, answer: Answer, to: str = BOT, extra: str = "") -> ET.Element:
    """What a chat message to a bot brings back."""
    callback.answers[f"/{to.partition('@')[0]}"] = answer
    id_ = user.send_message(to, "well?", extra=extra)
    reply = user.wait(lambda s: s.tag.endswith("}message") and (s.get("from") or "").startswith(to))
    assert reply.get("to") == user.jid
    if reply.get("type") == "error":
        assert reply.get("id") == id_
    return reply


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(200, "<message type='chat'><body>aye</body></message>", XML), "chat"),
        (Answer(200, "<message><body>aye</body></message>", f"{XML}; charset=utf-8"), None),
        (Answer(200, "<message xmlns='jabber:client' type='headline'><body>aye</body></message>", XML), "headline"),
        (Answer(200, json.dumps({"kind": "message", "type": "chat", "body": "aye"}), JSON), "chat"),
        (Answer(200, "kind=message&type=chat&body=aye", FORM), "chat"),
        (Answer(200, "aye", "text/plain"), "chat"),
        (Answer(404, "<message type='chat'><body>aye</body></message>", XML), "chat"),
    ],
    ids=["xml", "xml-normal", "xml-xmlns", "json", "form", "text", "xml-404"],
)
def test_a_reply(juliet: User, callback: Callback, answer: Answer, kind: str | None) -> None:
    reply = answered(juliet, callback, answer)
    assert reply.findtext("{*}body") == "aye"
    assert (reply.get("from"), reply.get("type")) == (BOT, kind)


def test_a_plain_text_reply_has_a_language(juliet: User, callback: Callback) -> None:
    reply = answered(juliet, callback, Answer(200, "ja, gewiss", "text/plain; charset=utf-8", headers={"Content-Language": "de"}))
    assert (reply.findtext("{*}body"), reply.get(LANG)) == ("ja, gewiss", "de")


def test_a_reply_may_not_choose_its_addresses(juliet: User, nurse: User, callback: Callback) -> None:
    forged = f"<message from='nurse@capulet.example' to='{nurse.bare}' type='chat'><body>forged</body></message>"
    assert answered(juliet, callback, Answer(200, forged, XML)).get("from") == BOT


@pytest.mark.parametrize("answer", [Answer(204), Answer(202), Answer(202, "aye", "text/plain")], ids=["204", "202", "202-text"])
def test_nothing_is_said(juliet: User, callback: Callback, answer: Answer) -> None:
    callback.answers["/bot"] = answer
    juliet.send_message(BOT, "say nothing")
    callback.wait_body("say nothing")
    answered(juliet, callback, Answer(200, "aye", "text/plain"))  # this reply would come after one to the message before
    assert [s for s in juliet.drain() if s.tag.endswith("}message")] == []


@pytest.mark.parametrize(
    ("status", "type_", "condition", "phrase"),
    [
        (302, "cancel", "undefined-condition", "302 Found"),
        (400, "modify", "bad-request", "400 Bad Request"),
        (401, "auth", "not-authorized", "401 Unauthorized"),
        (402, "auth", "payment-required", "402 Payment Required"),
        (403, "auth", "forbidden", "403 Forbidden"),
        (404, "cancel", "item-not-found", "404 Not Found"),
        (406, "modify", "not-acceptable", "406 Not Acceptable"),
        (409, "cancel", "conflict", "409 Conflict"),
        (410, "cancel", "gone", "410 Gone"),
        (429, "wait", "resource-constraint", "429 Too Many Requests"),
        (500, "wait", "internal-server-error", "500 Internal Server Error"),
        (501, "cancel", "feature-not-implemented", "501 Not Implemented"),
        (503, "cancel", "service-unavailable", "503 Service Unavailable"),
        (504, "wait", "remote-server-timeout", "504 Gateway Timeout"),
        (599, "cancel", "undefined-condition", "599 Unassigned"),
    ],
)
def test_a_status_is_a_stanza_error(juliet: User, callback: Callback, status: int, type_: str, condition: str, phrase: str) -> None:
    body = "" if status % 2 else "<html>oops</html>"
    reply = answered(juliet, callback, Answer(status, body, "text/html", headers={"Location": "/other"} if status == 302 else {}))
    error = reply.find("{*}error")
    assert reply.get("type") == "error"
    assert error is not None
    assert error.get("type") == type_
    assert error.find(f"{{urn:ietf:params:xml:ns:xmpp-stanzas}}{condition}") is not None
    assert error.findtext("{urn:ietf:params:xml:ns:xmpp-stanzas}text") == phrase
    assert not [r for r in callback.drain() if r.path == "/other"]


def test_an_error_page_in_plain_text_is_an_error(juliet: User, callback: Callback) -> None:
    assert answered(juliet, callback, Answer(500, "Traceback", "text/plain")).get("type") == "error"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200),
        Answer(200, "<message", XML),
        Answer(200, "<iq type='result'/>", XML),
        Answer(200, "<message><body>&#1;</body></message>", XML),
        Answer(200, "<!DOCTYPE m [<!ENTITY a 'b'>]><message><body>&a;</body></message>", XML),
        Answer(200, "{}", JSON),
        Answer(200, b"\xff\xfe", "text/plain"),
        Answer(200, "a\x01b", "text/plain"),
        Answer(200, "<p>aye</p>", "text/html"),
    ],
    ids=["none", "broken", "kind", "control", "dtd", "json", "utf8", "text-control", "html"],
)
def test_an_unreadable_body_is_an_empty_reply(gateway: Gateway, juliet: User, callback: Callback, answer: Answer) -> None:
    reply = answered(juliet, callback, answer)
    assert (reply.get("type"), len(reply.findall("{*}body"))) == ("chat", 0)
    assert all(s["accepted"] == 1 for s in gateway.streams().values())


@pytest.mark.parametrize(
    "answer", [Answer(200, "aye", "text/plain"), Answer(200), Answer(204), Answer(202)], ids=["text", "200", "204", "202"]
)
def test_a_receipt(juliet: User, callback: Callback, answer: Answer) -> None:
    callback.answers["/bot"] = answer
    id_ = juliet.send_message(BOT, "got it?", extra=RECEIPT)
    reply = juliet.wait(lambda s: s.find(RECEIVED) is not None)
    received = reply.find(RECEIVED)
    assert received is not None
    assert received.get("id") == id_
    assert reply.get("id") not in (None, id_)


def test_no_receipt_in_an_error(juliet: User, callback: Callback) -> None:
    assert answered(juliet, callback, Answer(503), extra=RECEIPT).find(RECEIVED) is None


def test_an_incoming_error_is_never_answered(juliet: User, callback: Callback) -> None:
    callback.answers["/bot"] = Answer(500)
    juliet.send(
        f"<message to='{BOT}' type='error' id='e1'><body>bounced</body><error type='cancel'>"
        "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
    )
    callback.wait_body("bounced")
    answered(juliet, callback, Answer(200, "aye", "text/plain"))
    assert [s for s in juliet.drain() if s.get("id") == "e1"] == []


@pytest.mark.parametrize(
    ("answer", "type_", "found"),
    [
        (Answer(200, "<iq type='result'><query xmlns='jabber:iq:version'><name>bot</name></query></iq>", XML), "result", "name"),
        (Answer(200, "<iq type='get'><query xmlns='jabber:iq:version'><name>bot</name></query></iq>", XML), "result", "name"),
        (Answer(200, json.dumps({"kind": "iq", "type": "result", "version": {"name": "bot", "version": "1"}}), JSON), "result", "name"),
        (Answer(204), "result", ""),
        (Answer(200), "result", ""),
        (Answer(404), "error", "item-not-found"),
        (Answer(403, "no", "text/plain"), "error", "forbidden"),
        (
            Answer(200, "<iq type='error'><error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>", XML),
            "error",
            "forbidden",
        ),
    ],
    ids=["xml", "xml-get", "json", "204", "200", "404", "403-text", "xml-error"],
)
def test_an_iq_is_answered_by_the_callback(juliet: User, callback: Callback, answer: Answer, type_: str, found: str) -> None:
    callback.answers["/bot"] = answer
    reply = juliet.iq(f"{BOT}/any", "<query xmlns='jabber:iq:version'/>")
    assert (reply.get("type"), reply.get("from"), reply.get("to")) == (type_, f"{BOT}/any", juliet.jid)
    assert not found or reply.find(f".//{{*}}{found}") is not None


def test_a_refused_connection(gateway: Gateway, juliet: User) -> None:
    id_ = juliet.send_message(f"gone@{GATEWAY}", "anybody?")
    reply = juliet.wait(lambda s: s.get("id") == id_)
    assert reply.get("type") == "error"
    assert reply.find("{*}error[@type='wait']/{*}recipient-unavailable") is not None
    iq = juliet.iq(f"gone@{GATEWAY}", PING)
    assert iq.find("{*}error[@type='wait']/{*}recipient-unavailable") is not None


def test_a_late_answer(juliet: User, callback: Callback) -> None:
    reply = answered(juliet, callback, Answer(200, "sorry", "text/plain", delay=2), f"late@{GATEWAY}")
    assert reply.find("{*}error[@type='wait']/{*}recipient-unavailable") is not None


def test_stanzas_as_json(juliet: User, callback: Callback) -> None:
    id_ = juliet.send_message(f"json@{GATEWAY}", "in JSON ♥")
    request = callback.wait_body("in JSON", "/json")
    assert request.headers["content-type"] == JSON
    stanza = json.loads(request.body)
    assert stanza["body"] == "in JSON ♥"
    assert (stanza["kind"], stanza["type"], stanza["from"], stanza["to"], stanza["id"]) == (
        "message",
        "chat",
        juliet.jid,
        f"json@{GATEWAY}",
        id_,
    )


def test_placeholders_in_the_url(juliet: User, callback: Callback) -> None:
    juliet.send(f"<message to='url@{GATEWAY}/a b'><body>where?</body></message>")
    request = callback.wait_body("where?")
    assert request.path == f"/url?message&normal&url%40{GATEWAY}%2fa%20b&{juliet.jid.replace('@', '%40').replace('/', '%2f')}"


def test_headers_of_a_request(juliet: User, callback: Callback) -> None:
    juliet.send(f"<message to='{BOT}' xml:lang='it'><body>ecco</body></message>")
    headers = callback.wait_body("ecco").headers
    assert headers["content-language"] == "it"
    assert {t.strip() for t in headers["accept"].split(",")} >= {XML, JSON, FORM, "text/plain"}
    assert headers["user-agent"].startswith("xmpp-rest/")


@pytest.mark.parametrize(("to", "sent"), [("", "<body>no</body>"), ("/full", "<body>no</body>")])
def test_what_a_callback_did_not_ask_for(juliet: User, callback: Callback, to: str, sent: str) -> None:
    """`picky` takes messages to its bare address and nothing else."""
    assert juliet.iq(f"picky@{GATEWAY}", PING).find("{*}error[@type='cancel']/{*}service-unavailable") is not None
    id_ = juliet.send_message(f"picky@{GATEWAY}{to}", "hear me")
    if to:
        assert juliet.wait(lambda s: s.get("id") == id_).find("{*}error/{*}service-unavailable") is not None
    else:
        callback.wait_body("hear me", "/picky")
