"""The sender of a message learns its outcome."""

from __future__ import annotations

import time
from typing import Any
from xml.etree import ElementTree as ET

from .gateway import Gateway
from .users import User
from .xmppserver import DOMAIN


def chat(to: str, body: str, extra: str = "") -> str:
    return f"<message to='{to}' type='chat' id='{body}'><body>{body}</body>{extra}</message>"


def outcome(gateway: Gateway, id_: str, state: str, timeout: float = 30.0) -> dict[str, Any]:
    """What GET /rest/outcome says, once it says `state`."""
    deadline = time.monotonic() + timeout
    while True:
        answer: dict[str, Any] = gateway.request("GET", f"/rest/outcome/{id_}", user="romeo").json()
        if answer.get("state") == state:
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def test_a_message_is_confirmed_by_the_server(gateway: Gateway, juliet: User) -> None:
    answer = gateway.post_xml(f"<message to='{juliet.jid}' type='chat'><body>sure?</body></message>", "romeo")
    assert answer.status == 202
    assert juliet.wait_message("sure?").get("id") == answer.headers["Stanza-Id"]
    outcome(gateway, answer.headers["Stanza-Id"], "confirmed")


def test_a_message_is_delivered_by_a_receipt(gateway: Gateway, juliet: User) -> None:
    gateway.send(chat(juliet.jid, "receipt-please", "<request xmlns='urn:xmpp:receipts'/>"), "romeo")
    sender = juliet.wait_message("receipt-please").get("from")
    juliet.send(f"<message to='{sender}' id='r1'><received xmlns='urn:xmpp:receipts' id='receipt-please'/></message>")
    outcome(gateway, "receipt-please", "delivered")


def test_a_refusal_is_told(gateway: Gateway, juliet: User) -> None:
    gateway.send(chat(f"mercutio@{DOMAIN}", "lost-one"), "romeo")
    assert "service-unavailable" in str(outcome(gateway, "lost-one", "refused"))


def test_waiting_for_a_refusal(gateway: Gateway, juliet: User) -> None:
    started = time.monotonic()
    answer = gateway.post_xml(chat(f"mercutio@{DOMAIN}", "lost-two"), "romeo", Prefer="wait=60")
    assert answer.status == 200
    bounce = ET.fromstring(answer.data)
    assert (bounce.tag, bounce.get("type"), bounce.get("id")) == ("message", "error", "lost-two")
    good = gateway.post_xml(chat(juliet.jid, "found"), "romeo", Prefer="wait=60")
    assert (good.status, good.data) == (202, b"")
    assert good.headers["Preference-Applied"].startswith("wait=")
    juliet.wait_message("found")
    assert time.monotonic() - started < 30, "neither took its time"
