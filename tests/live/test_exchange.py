"""Messages, presence and iqs go both ways between HTTP and the users of a real server."""

from __future__ import annotations

import threading
import time
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest

from drivers import open_driver

from .callback import XML, Answer, Callback
from .gateway import Gateway
from .users import User
from .xmppserver import DOMAIN, GATEWAY, XMPPServer

ROMEO = f"romeo@{GATEWAY}"
BOT = f"bot@{GATEWAY}"
PING = "<ping xmlns='urn:xmpp:ping'/>"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"
TEXTS = [
    "plain",
    "<b>&amp; \"quotes\" 'n' ]]>",
    "zwölf Boxkämpfer 🌹 \u202eטקסט\u202c",
    "tab\there\nand a line",
    " spaces at both ends ",
    "x" * 100_000,
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda t: t[:8].strip())
def test_a_message_from_http_reaches_a_user(gateway: Gateway, juliet: User, text: str) -> None:
    gateway.send(f"<message to='{juliet.jid}' type='chat' id='m1' xml:lang='de'><body>{escape(text)}</body></message>", "romeo")
    message = juliet.wait_message(text)
    assert (message.get("from"), message.get("to"), message.get("type"), message.get("id")) == (ROMEO, juliet.jid, "chat", "m1")
    assert message.get(LANG) == "de"


@pytest.mark.parametrize(
    ("user", "asked", "sent"),
    [
        ("romeo", "", ROMEO),
        ("romeo", f"from='{ROMEO}/orchard'", f"{ROMEO}/orchard"),
        ("", "", GATEWAY),
        ("", f"from='anybody@{GATEWAY}/x'", f"anybody@{GATEWAY}/x"),
    ],
)
def test_the_sender(gateway: Gateway, juliet: User, user: str, asked: str, sent: str) -> None:
    gateway.send(f"<message to='{juliet.bare}' {asked}><body>who is it?</body></message>", user)
    assert juliet.wait_message("who is it?").get("from") == sent


@pytest.mark.parametrize(
    ("user", "asked"),
    [("romeo", BOT), ("romeo", "romeo@evil.example"), ("", f"juliet@{DOMAIN}"), ("", "evil.example"), ("", f"x.{GATEWAY}")],
)
def test_a_foreign_sender_is_refused_and_the_stream_lives(gateway: Gateway, juliet: User, user: str, asked: str) -> None:
    """A server ends the whole stream over one wrong `from`."""
    answer = gateway.post_xml(f"<message to='{juliet.bare}' from='{asked}'><body>forged</body></message>", user)
    assert answer.status == 403
    gateway.send(f"<message to='{juliet.bare}'><body>still here</body></message>", "romeo")
    juliet.wait_message("still here")
    assert all(s["accepted"] == 1 for s in gateway.streams().values())


def test_json_reaches_a_user(gateway: Gateway, juliet: User) -> None:
    answer = gateway.post_json({"kind": "message", "type": "chat", "to": juliet.bare, "body": "in JSON"}, "romeo")
    assert (answer.status, answer.data) == (202, b"")
    assert juliet.wait_message("in JSON").get("from") == ROMEO
    assert gateway.request("POST", f"/rest/message/chat/{juliet.bare}", "plain text", "text/plain", "romeo").status == 202
    juliet.wait_message("plain text")


def test_a_message_to_an_account_is_kept(gateway: Gateway, juliet: User) -> None:
    juliet.send_message(ROMEO, "Ay me! ♥")
    driver = open_driver("sqlite:gateway.sqlite", gateway.folder / "data")
    deadline = time.monotonic() + 30
    while not (kept := [i for i in driver.archive_find("romeo", GATEWAY, "archive") if "Ay me! ♥" in i.stanza]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    driver.close()
    assert kept[0].with_ == juliet.bare
    assert juliet.jid in kept[0].stanza


def test_a_message_to_a_bot_is_posted(gateway: Gateway, juliet: User, callback: Callback) -> None:
    id_ = juliet.send_message(f"{BOT}/x", "Hark <you> & ♥")
    request = callback.wait_body("Hark", "/bot")
    stanza = request.stanza
    assert (request.headers["content-type"], stanza.tag) == (XML, "message")
    assert (stanza.get("from"), stanza.get("to"), stanza.get("id"), stanza.get("type")) == (juliet.jid, f"{BOT}/x", id_, "chat")
    assert stanza.findtext("body") == "Hark <you> & ♥"


@pytest.mark.parametrize("kind", ["chat", "normal"])
def test_nobody_there(gateway: Gateway, juliet: User, kind: str) -> None:
    id_ = juliet.send_message(f"paris@{GATEWAY}", "anybody?", kind)
    bounce = juliet.wait(lambda s: s.get("id") == id_)
    assert bounce.get("type") == "error"
    assert bounce.find("{*}error/{*}service-unavailable") is not None


def test_what_the_server_refuses_comes_to_the_callback(gateway: Gateway, callback: Callback) -> None:
    gateway.send(f"<message to='mercutio@{DOMAIN}' from='{BOT}' type='chat' id='lost'><body>?</body></message>")
    error = callback.wait_body("lost", "/bot").stanza
    assert (error.get("type"), error.get("from"), error.get("id")) == ("error", f"mercutio@{DOMAIN}", "lost")


def test_an_unreachable_domain(gateway: Gateway, callback: Callback) -> None:
    answer = gateway.post_xml(f"<iq to='unreachable.invalid' type='get' from='{ROMEO}'>{PING}</iq>", Prosody_Rest_Timeout="10")
    assert answer.status == 200
    assert ET.fromstring(answer.data).get("type") == "error"


def test_presence_both_ways(gateway: Gateway, juliet: User, callback: Callback) -> None:
    gateway.send(f"<presence to='{juliet.bare}' from='{BOT}' type='subscribe'/>")
    juliet.wait(lambda s: s.tag.endswith("presence") and s.get("type") == "subscribe" and s.get("from") == BOT)
    juliet.send(f"<presence to='{BOT}' type='subscribed'/>")
    callback.wait(lambda r: r.stanza.tag == "presence" and r.stanza.get("type") == "subscribed")
    gateway.send(f"<presence to='{juliet.bare}' from='{BOT}/x'><show>away</show></presence>")
    juliet.wait(lambda s: s.tag.endswith("presence") and s.findtext("{*}show") == "away" and s.get("from") == f"{BOT}/x")
    juliet.send(f"<presence to='{BOT}' type='unavailable'/>")
    callback.wait(lambda r: r.stanza.get("type") == "unavailable")
    juliet.send(f"<presence to='{BOT}' type='unsubscribed'/>")
    callback.wait(lambda r: r.stanza.get("type") == "unsubscribed")


@pytest.mark.parametrize(
    "payload",
    [PING, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "<query xmlns='jabber:iq:version'/>"],
)
def test_http_asks_the_server_and_a_user(gateway: Gateway, juliet: User, payload: str) -> None:
    for to in DOMAIN, juliet.jid:
        answer = gateway.post_xml(f"<iq to='{to}' type='get' id='q'>{payload}</iq>", "romeo")
        assert answer.status == 200, answer.data
        iq = ET.fromstring(answer.data)
        assert (iq.tag, iq.get("type"), iq.get("from"), iq.get("to"), iq.get("id")) == ("iq", "result", to, ROMEO, "q")
        assert "ping" in payload or len(iq) == 1


def test_http_gets_queries(gateway: Gateway, juliet: User) -> None:
    answer = gateway.request("GET", f"/rest/version/{DOMAIN}", user="romeo", Accept="application/json").json()
    assert (answer["kind"], answer["type"], answer["from"], answer["to"]) == ("iq", "result", DOMAIN, ROMEO)
    assert answer["version"]["name"]
    ping = gateway.request("GET", f"/rest/ping/{juliet.bare}%2Fbalcony", user="romeo", Accept="application/json").json()
    assert (ping["type"], ping["from"]) == ("result", juliet.jid)


def test_an_error_is_an_answer(gateway: Gateway, juliet: User) -> None:
    answer = gateway.post_xml(f"<iq to='{juliet.bare}/nowhere' type='get'>{PING}</iq>", "romeo", Accept="application/json")
    assert answer.status == 200
    assert answer.json()["error"]["condition"] == "service-unavailable"


def test_an_iq_without_answer_times_out(gateway: Gateway, juliet: User) -> None:
    juliet.deaf = True
    started = time.monotonic()
    answer = gateway.post_xml(
        f"<iq to='{juliet.jid}' type='get'>{PING}</iq>", "romeo", Accept="application/json", Prosody_Rest_Timeout="0.5"
    )
    assert answer.status == 500
    assert answer.json()["error"]["condition"] == "remote-server-timeout"
    assert 0.4 < time.monotonic() - started < 15, "20 s is the setting"


@pytest.mark.parametrize(
    ("to", "payload", "found"),
    [
        (GATEWAY, PING, ""),
        (GATEWAY, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "identity"),
        (GATEWAY, "<query xmlns='http://jabber.org/protocol/disco#items'/>", "query"),
        (GATEWAY, "<query xmlns='jabber:iq:version'/>", "version"),
        (GATEWAY, "<query xmlns='jabber:iq:last'/>", "query"),
        (f"muclight.{GATEWAY}", PING, ""),
        (f"conference.{GATEWAY}", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "identity"),
        (ROMEO, "<query xmlns='http://jabber.org/protocol/disco#info'/>", "identity"),
    ],
)
def test_a_user_asks_the_gateway(gateway: Gateway, juliet: User, to: str, payload: str, found: str) -> None:
    answer = juliet.iq(to, payload)
    assert (answer.get("type"), answer.get("from")) == ("result", to)
    assert not found or answer.find(f".//{{*}}{found}") is not None


@pytest.mark.parametrize(("to", "kind"), [(GATEWAY, "get"), (GATEWAY, "set"), (f"paris@{GATEWAY}", "get"), (f"{ROMEO}/x", "get")])
def test_what_the_gateway_cannot_answer(gateway: Gateway, juliet: User, to: str, kind: str) -> None:
    answer = juliet.iq(to, "<query xmlns='jabber:iq:nonsense'/>", kind)
    assert answer.get("type") == "error"
    assert answer.find("{*}error/{*}service-unavailable") is not None


def test_order_from_http(gateway: Gateway, juliet: User) -> None:
    for n in range(100):
        gateway.send(f"<message to='{juliet.jid}' type='chat'><body>{n}</body></message>", "romeo")
    assert [juliet.wait_message().findtext("{*}body") for _ in range(100)] == [str(n) for n in range(100)]


def test_order_to_the_callback(gateway: Gateway, juliet: User, callback: Callback) -> None:
    """Also when the first answers take longest."""
    callback.answers["/bot"] = lambda r: Answer(204, delay=0.2 if b">n1<" in r.body else 0)
    for n in range(40):
        juliet.send_message(f"{BOT}/{n % 3}", f"n{n}")
    bodies = [callback.wait_body("<body>n", "/bot").stanza.findtext("body") for _ in range(40)]
    assert bodies == [f"n{n}" for n in range(40)]


def test_a_slow_callback_harms_nobody_else(gateway: Gateway, juliet: User, nurse: User, callback: Callback) -> None:
    woken = threading.Event()
    callback.answers["/bot"] = lambda r: Answer(200, "slept" if b">sleep<" not in r.body or woken.wait(60) else "overslept", "text/plain")
    callback.answers["/other"] = Answer(200, "quick", "text/plain")
    juliet.send_message(BOT, "sleep")
    juliet.send_message(f"other@{GATEWAY}", "hurry")
    juliet.wait_message("quick")
    nurse.send_message(BOT, "I do not sleep")
    nurse.wait_message("slept")
    assert nurse.iq(GATEWAY, PING).get("type") == "result"
    gateway.send(f"<message to='{nurse.bare}'><body>nor I</body></message>", "romeo")
    nurse.wait_message("nor I")
    woken.set()
    juliet.wait_message("slept")


def test_large_stanzas_from_the_server(gateway: Gateway, juliet: User, callback: Callback, server: XMPPServer) -> None:
    juliet.send_message(BOT, "♥" * 60_000)
    assert callback.wait_body("♥", "/bot").stanza.findtext("body") == "♥" * 60_000
