"""Accounts of the client API and users of a real server see the same messages, contacts and rooms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import pytest
import urllib3

from .gateway import PASSWORD, Gateway
from .users import User
from .xmppserver import GATEWAY

ALICE = f"alice@{GATEWAY}"
ROOMS = f"muclight.{GATEWAY}"
LIGHT = "urn:xmpp:muclight:0"
MARKERS = "urn:xmpp:chat-markers:0"


class Alice:
    """The account `alice`, all by HTTP."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._stream: urllib3.BaseHTTPResponse | None = None

    def __call__(self, method: str, path: str, status: int, data: Any = None) -> Any:
        answer = self._gateway.request(method, f"/api/{path}", None if data is None else json.dumps(data), "application/json", "alice")
        assert answer.status == status, (answer.status, answer.data)
        return answer.json() if answer.data else None

    def until(self, path: str, wanted: Callable[[Any], bool]) -> Any:
        """What GET answers, once it is as `wanted`. Raises TimeoutError."""
        deadline = time.monotonic() + 30
        while not wanted(found := self("GET", path, 200)):
            if time.monotonic() > deadline:
                raise TimeoutError(found)
            time.sleep(0.05)
        return found

    def contact(self, jid: str) -> tuple[str, str] | None:
        return next(((c["subscription"], c["ask"]) for c in self("GET", "contacts", 200) if c["jid"] == jid), None)

    def until_contact(self, jid: str, state: tuple[str, str]) -> None:
        self.until("contacts", lambda contacts: {"jid": jid, "subscription": state[0], "ask": state[1]} in contacts)

    def listen(self) -> None:
        """Open a stream of events; they wait for `event()`."""
        headers = urllib3.util.make_headers(basic_auth=f"{ALICE}:{PASSWORD}")
        url = f"http://127.0.0.1:{self._gateway.port}/api/sse"
        self._stream = urllib3.PoolManager().request("GET", url, headers=headers, preload_content=False, timeout=30)
        assert (self._stream.status, self._stream.headers["Content-Type"]) == (200, "text/event-stream")
        assert self._stream.readline().startswith(b":")

    def event(self) -> tuple[str, dict[str, Any]]:
        """The next event: its name and its data."""
        assert self._stream is not None
        fields: dict[bytes, bytes] = {}
        while b"data" not in fields:
            name, _, value = self._stream.readline().rstrip(b"\n").partition(b": ")
            fields[name] = value
        return fields[b"event"].decode(), json.loads(fields[b"data"])

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()


@pytest.fixture(scope="module")
def registered(gateway: Gateway) -> Gateway:
    gateway.register("alice")
    return gateway


@pytest.fixture
def alice(registered: Gateway) -> Iterator[Alice]:
    account = Alice(registered)
    account.listen()
    yield account
    account.close()


def asked(user: User) -> ET.Element:
    """The next subscription request from alice."""
    return user.wait(lambda s: s.tag.endswith("}presence") and s.get("type") == "subscribe" and s.get("from") == ALICE)


def until_subscription(user: User, state: str) -> None:
    """Wait until alice stands in the user's roster like this, "" for not at all."""
    deadline = time.monotonic() + 30
    while True:
        roster = user.iq(user.bare, "<query xmlns='jabber:iq:roster'/>")
        found = {i.get("jid"): i.get("subscription") for i in roster.iter("{jabber:iq:roster}item")}.get(ALICE, "")
        if found == state:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_a_conversation(alice: Alice, juliet: User) -> None:
    payload = (
        "<thread parent='acts'>act-2</thread><properties xmlns='http://www.jivesoftware.com/xmlns/xmpp/properties'>"
        "<property><name>scene</name><value type='integer'>2</value></property></properties>"
    )
    identifier = juliet.send_message(ALICE, "What's in a <name>? ♥", extra=payload)
    kind, heard = alice.event()
    assert kind == "message"
    assert heard.pop("timestamp") // 10**15 == 1
    said = {"from": juliet.bare, "to": ALICE, "id": identifier, "body": "What's in a <name>? ♥", "thread": "act-2", "parent": "acts"}
    assert heard == said | {"properties": {"scene": "2"}}
    item = alice("GET", f"messages/{juliet.bare}?limit=1", 200)[0]
    assert {k: v for k, v in item.items() if k != "timestamp"} == heard
    answer = alice("POST", "messages", 200, {"to": juliet.bare, "body": "That which we call a rose"})
    got = juliet.wait_message("That which we call a rose")
    assert (got.get("from"), got.get("type"), got.get("id")) == (ALICE, "chat", answer["id"])
    assert [m["id"] for m in alice("GET", f"messages/{juliet.bare}?limit=2", 200)] == [identifier, answer["id"]]


def test_what_does_not_disturb_the_stream(alice: Alice, juliet: User) -> None:
    juliet.send(f"<message to='{ALICE}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
    juliet.send(f"<message to='{ALICE}' type='headline'><body>news</body></message>")
    juliet.send(f"<presence to='{ALICE}'/>")
    assert juliet.iq(ALICE, "<ping xmlns='urn:xmpp:ping'/>") is not None
    juliet.send_message(ALICE, "at last")
    assert alice.event()[1]["body"] == "at last"


def test_subscriptions_both_ways(alice: Alice, juliet: User) -> None:
    juliet.deaf = True  # slixmpp would answer requests by itself
    alice("POST", "contacts", 204, {"jid": juliet.bare})
    alice("PUT", f"contacts/{juliet.bare}", 204, {"action": "invite"})
    asked(juliet)
    assert alice.contact(juliet.bare) == ("none", "out")
    juliet.send(f"<presence to='{ALICE}' type='subscribed'/>")
    alice.until_contact(juliet.bare, ("to", "none"))
    until_subscription(juliet, "from")
    juliet.send(f"<presence to='{ALICE}' type='subscribe'/>")
    alice.until_contact(juliet.bare, ("to", "in"))
    alice("PUT", f"contacts/{juliet.bare}", 204, {"action": "accept"})
    until_subscription(juliet, "both")
    assert alice.contact(juliet.bare) == ("both", "none")
    juliet.send(f"<presence to='{ALICE}' type='unsubscribed'/>")
    alice.until_contact(juliet.bare, ("from", "none"))
    alice("DELETE", f"contacts/{juliet.bare}", 204)
    until_subscription(juliet, "none")
    assert alice.contact(juliet.bare) is None


def test_an_invitation_from_a_stranger(alice: Alice, nurse: User) -> None:
    nurse.deaf = True
    nurse.send(f"<presence to='{ALICE}' type='subscribe'/>")
    alice.until_contact(nurse.bare, ("none", "in"))
    alice("PUT", f"contacts/{nurse.bare}", 204, {"action": "accept"})
    until_subscription(nurse, "to")
    assert alice("DELETE", "contacts", 200, {"to_delete": [nurse.bare, "paris@x.example"]}) == {"not_deleted": ["paris@x.example"]}
    until_subscription(nurse, "none")


def test_a_room_with_members_on_both_sides(alice: Alice, juliet: User) -> None:
    name = f"orchard-{uuid4().hex}"
    room, path = f"{name}@{ROOMS}", f"rooms/{name}"
    alice("PUT", path, 201, {"name": "Orchard", "subject": "wisely and slow"})
    alice("POST", f"{path}/users", 204, {"user": juliet.jid})
    change = juliet.wait(lambda s: s.find(f"{{{LIGHT}#affiliations}}x") is not None)
    assert [(u.text, u.get("affiliation")) for u in change.iter(f"{{{LIGHT}#affiliations}}user")] == [(juliet.bare, "member")]
    assert juliet.iq(room, f"<query xmlns='{LIGHT}#info'/>").get("type") == "result"  # from now on the room knows where she is
    assert alice.event()[1].items() >= {"room": name, "user": juliet.bare, "affiliation": "member", "from": room}.items()
    sent = alice("POST", f"{path}/messages", 200, {"body": "by yonder moon", "markable": True})["id"]
    heard = juliet.wait_message("by yonder moon")
    assert (heard.get("from"), heard.get("type"), heard.get("id")) == (f"{room}/{ALICE}", "groupchat", sent)
    assert heard.find(f"{{{MARKERS}}}markable") is not None
    assert alice.event()[1]["id"] == sent
    juliet.send(f"<message to='{room}' type='groupchat' id='seen'><displayed xmlns='{MARKERS}' id='{sent}'/></message>")
    kind, event = alice.event()
    assert (kind, event["from"], event["chat_marker"]) == ("room.message", juliet.bare, {"type": "displayed", "id": sent})
    juliet.send_message(room, "swear not by the moon", "groupchat")
    assert alice.event()[1].items() >= {"from": juliet.bare, "body": "swear not by the moon"}.items()
    history = alice("GET", f"{path}/messages", 200)
    assert [i.get("body", i["type"]) for i in history] == ["affiliation", "by yonder moon", "message", "swear not by the moon"]
    query = f"<query xmlns='{LIGHT}#affiliations'/>"
    members = {(u.text, u.get("affiliation")) for u in juliet.iq(room, query).iter(f"{{{LIGHT}#affiliations}}user")}
    assert members == {(ALICE, "owner"), (juliet.bare, "member")}
    assert room in {
        i.get("jid") for i in juliet.iq(ROOMS, "<query xmlns='http://jabber.org/protocol/disco#items'/>").iter() if i.get("jid")
    }
    found = archived(juliet, room)
    assert [m.findtext("{*}body") for m in found if m.findtext("{*}body")] == ["by yonder moon", "swear not by the moon"]
    alice("DELETE", f"{path}/users/{ALICE}", 204)
    assert alice.event()[1].items() >= {"user": ALICE, "affiliation": "none"}.items()
    change = juliet.wait(lambda s: any(u.get("affiliation") == "owner" for u in s.iter(f"{{{LIGHT}#affiliations}}user")))
    owner = f"<query xmlns='{LIGHT}#affiliations'><user affiliation='member'>{ALICE}</user></query>"
    assert juliet.iq(room, owner, "set").get("type") == "result"
    assert alice.event()[1].items() >= {"user": ALICE, "affiliation": "member"}.items()
    assert [r["id"] for r in alice("GET", "rooms", 200)] == [name]
    assert juliet.iq(room, f"<query xmlns='{LIGHT}#destroy'/>", "set").get("type") == "result"
    alice.until("rooms", lambda rooms: rooms == [])


def archived(user: User, address: str) -> list[ET.Element]:
    """The messages in the archive there (XEP-0313)."""
    user.drain()
    answer = user.iq(address, "<query xmlns='urn:xmpp:mam:2' queryid='q'/>", "set")
    assert answer.get("type") == "result", ET.tostring(answer)
    return [
        m for s in user.drain() for m in s.iter("{jabber:client}message") if s.find("{urn:xmpp:mam:2}result") is not None and m is not s
    ]


def test_nobody_else_reads_the_archive_of_an_account(alice: Alice, juliet: User) -> None:
    assert juliet.iq(ALICE, "<query xmlns='urn:xmpp:mam:2'/>", "set").get("type") == "error"
    assert juliet.iq(ALICE, "<vCard xmlns='vcard-temp'/>").get("id")
    assert alice("GET", "messages?limit=0", 200) == []


def test_rooms_that_juliet_makes(alice: Alice, juliet: User) -> None:
    room = f"tomb-{uuid4().hex}@{ROOMS}"
    configuration = "<configuration><roomname>Tomb</roomname></configuration>"
    occupants = f"<occupants><user affiliation='member'>{ALICE}</user></occupants>"
    made = juliet.iq(room, f"<query xmlns='{LIGHT}#create'>{configuration}{occupants}</query>", "set")
    assert made.get("type") == "result", ET.tostring(made)
    assert alice.event()[1].items() >= {"user": ALICE, "affiliation": "member", "room": room.partition("@")[0]}.items()
    shown = alice("GET", f"rooms/{room}", 200)
    assert (shown["name"], {p["user"]: p["role"] for p in shown["participants"]}) == ("Tomb", {juliet.bare: "owner", ALICE: "member"})
    assert alice("PUT", f"rooms/{room}/config", 403, {"name": "", "subject": ""})
    juliet.send(f"<iq to='{room}' type='set' id='c'><query xmlns='{LIGHT}#configuration'><subject>poison</subject></query></iq>")
    alice.until(f"rooms/{room}", lambda r: r["subject"] == "poison")
    assert [i["type"] for i in alice("GET", f"rooms/{room}/messages", 200)] in ([], ["affiliation"])
    juliet.send(
        f"<iq to='{room}' type='set' id='k'><query xmlns='{LIGHT}#affiliations'><user affiliation='none'>{ALICE}</user></query></iq>"
    )
    assert alice.event()[1].items() >= {"user": ALICE, "affiliation": "none"}.items()
    alice("GET", f"rooms/{room}", 403)
    assert juliet.iq(room, f"<query xmlns='{LIGHT}#destroy'/>", "set").get("type") == "result"
