"""MUC Light rooms as XMPP clients see them, beside HTTP clients (XEP Multi-User Chat Light)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.streams.registry import Stream

SERVICE = f"muclight.{DOMAIN}"
ROOM = f"coven@{SERVICE}"
JULIET = f"juliet@{DOMAIN}"  # hosted
CRONE, HAG = "crone1@shakespeare.example", "hag66@shakespeare.example"  # on the network
NS = "urn:xmpp:muclight:0"


class Network:
    """XMPP clients beyond the link."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.sent: list[Element] = []
        attach(gateway.parts.router, lambda domain, stanza: self.sent.append(stanza))

    def deliver(self, text: str, from_: str = f"{CRONE}/desktop", to: str = ROOM) -> Element | None:
        stanza = parse_text(text)
        stanza.attrib |= {"from": from_, "to": to}
        return self.gateway.parts.router.deliver(stanza, parse_jid(from_), parse_jid(to))

    def iq(self, kind: str, query: str, from_: str = f"{CRONE}/desktop", to: str = ROOM) -> Element:
        answer = self.deliver(f"<iq type='{kind}' id='i1'>{query}</iq>", from_, to)
        assert answer is not None
        assert (answer.get("id"), answer.get("from"), answer.get("to")) == ("i1", to, from_)
        return answer

    def done(self, query: str, from_: str = f"{CRONE}/desktop", to: str = ROOM) -> None:
        answer = self.iq("set", query, from_, to)
        assert (answer.get("type"), len(answer)) == ("result", 0), serialise(answer)

    def refused(self, answer: Element | None) -> tuple[str, str]:
        assert answer is not None
        assert answer.get("type") == "error"
        error = condition_of(answer)
        return error.type, error.condition

    def create(self, occupants: str = "", config: str = "<roomname>A Dark Cave</roomname>") -> None:
        people = f"<occupants>{occupants}</occupants>" if occupants else ""
        self.done(f"<query xmlns='{NS}#create'><configuration>{config}</configuration>{people}</query>")

    def received(self) -> dict[str, list[str]]:
        """What each address was sent, ids and versions made plain; and forget it."""
        result: dict[str, list[str]] = {}
        for stanza in self.sent:
            to = stanza.attrib.pop("to")
            assert stanza.attrib.pop("type") == "groupchat"
            result.setdefault(to, []).append(plain(stanza))
        self.sent.clear()
        return result


def plain(stanza: Element) -> str:
    text = serialise(stanza).replace(f" xmlns='{NS}#affiliations'", " A").replace(f" xmlns='{NS}#configuration'", " C")
    text = re.sub(r"<(prev-)?version>[^<]+</(prev-)?version>", lambda m: "<p/>" if m[1] else "<v/>", text)
    text = re.sub(r"<stanza-id[^>]*/>", "<sid/>", text)
    return text.replace(f" from='{ROOM}'", "").replace("@shakespeare.example", "@s")


@pytest.fixture
def network(gateway: Gateway) -> Network:
    gateway.start()
    return Network(gateway)


@pytest.fixture
def stream(gateway: Gateway) -> Stream:
    return gateway.parts.streams.open(parse_jid(JULIET))


def user(jid: str, affiliation: str = "member") -> str:
    return f"<user affiliation='{affiliation}'>{jid}</user>"


def affiliations(*users: str) -> str:
    return f"<query xmlns='{NS}#affiliations'>{''.join(users)}</query>"


def listed(answer: Element) -> dict[str, str]:
    return {e.text or "": e.get("affiliation", "") for e in answer.iter() if e.tag.endswith("}user")}


# creation


def test_creation_tells_everybody_of_himself(network: Network) -> None:
    network.create(user(HAG) + user(f"{JULIET}/balcony"))
    assert network.received() == {
        CRONE: ["<message id='i1'><x A><v/><user affiliation='owner'>crone1@s</user></x><body/></message>"],
        HAG: ["<message id='i1'><x A><v/><user affiliation='member'>hag66@s</user></x><body/></message>"],
    }
    answer = network.iq("get", f"<query xmlns='{NS}#affiliations'/>")
    assert listed(answer) == {CRONE: "owner", HAG: "member", JULIET: "member"}


def test_creation_of_a_room_with_a_name_of_its_own(network: Network) -> None:
    network.done(f"<query xmlns='{NS}#create'/>", to=SERVICE)
    (message,) = network.sent
    room = message.attrib["from"]
    assert message.get("id") == "i1"
    answer = network.iq("get", f"<query xmlns='{NS}#configuration'/>", to=room)
    assert {e.tag.partition("}")[2]: e.text for e in answer[0] if not e.tag.endswith("version")} == {"roomname": "Untitled", "subject": None}


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("<configuration><colour>red</colour></configuration>", "bad-request"),
        ("<configuration><version>1</version></configuration>", "bad-request"),
        ("<configuration><roomname>a</roomname><roomname>b</roomname></configuration>", "bad-request"),
        ("<configuration><roomname><b/></roomname></configuration>", "bad-request"),
        (f"<occupants>{user(HAG, 'none')}</occupants>", "bad-request"),
        (f"<occupants>{user(CRONE)}</occupants>", "bad-request"),
        (f"<occupants>{user('@s')}</occupants>", "bad-request"),
        ("<occupants><item/></occupants>", "bad-request"),
        ("<other/>", "bad-request"),
    ],
)
def test_creations_that_are_refused(network: Network, query: str, condition: str) -> None:
    assert network.refused(network.iq("set", f"<query xmlns='{NS}#create'>{query}</query>"))[1] == condition
    assert network.sent == []
    assert network.gateway.parts.muclight
    assert not network.gateway.parts.muclight.exists("coven")


def test_a_name_that_is_taken(network: Network) -> None:
    network.create()
    answer = network.iq("set", f"<query xmlns='{NS}#create'/>", from_=f"{HAG}/x")
    assert network.refused(answer) == ("cancel", "conflict")


# messages


def test_http_and_xmpp_hear_each_other(network: Network, client: FlaskClient, stream: Stream) -> None:
    network.create(user(JULIET))
    network.received()
    said = client.post("/api/rooms/coven/messages", json={"body": "When?"}, headers=basic(JULIET)).get_json()["id"]
    spoken = f"<message from='{ROOM}/{JULIET}' id='{said}'><body>When?</body><sid/></message>"
    assert network.received() == {CRONE: [spoken]}
    assert network.deliver("<message type='groupchat' id='m1' xml:lang='en'><body>In thunder</body><x xmlns='a'/></message>") is None
    answer = f"<message from='{ROOM}/crone1@s' id='m1' xml:lang='en'><body>In thunder</body><x xmlns='a'/><sid/></message>"
    assert network.received() == {CRONE: [answer]}
    events = [event.stanza.findtext("body") for event in iter(lambda: stream.next(0.05), None)]
    assert events == ["", "When?", "In thunder"]
    items = client.get("/api/rooms/coven/messages", headers=basic(JULIET)).get_json()
    assert [(i["type"], i.get("from"), i.get("body")) for i in items] == [
        ("affiliation", ROOM, None),
        ("message", JULIET, "When?"),
        ("message", CRONE, "In thunder"),
    ]


def test_only_what_is_worth_it_is_archived(network: Network, client: FlaskClient) -> None:
    network.create(user(JULIET))
    network.received()
    for child in ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", "<subject>x</subject>", ""):
        assert network.deliver(f"<message type='groupchat'>{child}</message>") is None
    network.deliver("<message type='groupchat'><displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/></message>")
    assert len(network.received()[CRONE]) == 4, "everything is passed on"
    items = client.get("/api/rooms/coven/messages", headers=basic(JULIET)).get_json()
    assert [item["type"] for item in items] == ["affiliation", "message"]
    assert items[1]["id"], "a message without an id gets one"


def test_nobody_speaks_for_the_room(network: Network, client: FlaskClient) -> None:
    network.create(user(JULIET))
    network.received()
    forged = f"<x xmlns='{NS}#affiliations'>{user(HAG, 'owner')}</x><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='f'/>"
    network.deliver(f"<message type='groupchat' id='m1'><body>x</body>{forged}</message>")
    assert network.received()[CRONE] == [f"<message from='{ROOM}/crone1@s' id='m1'><body>x</body><sid/></message>"]
    item = client.get("/api/rooms/coven/messages", headers=basic(JULIET)).get_json()[-1]
    assert (item["type"], item["body"]) == ("message", "x")


@pytest.mark.parametrize("kind", ["chat", "normal", "headline"])
def test_rooms_take_groupchat_only(network: Network, kind: str) -> None:
    network.create()
    answer = network.deliver(f"<message type='{kind}'><body>x</body></message>")
    assert network.refused(answer) == ("modify", "bad-request")
    for to in (SERVICE, f"{ROOM}/{CRONE}"):
        assert network.refused(network.deliver("<message type='groupchat'><body>x</body></message>", to=to)) == ("modify", "bad-request")


def test_what_is_never_answered(network: Network) -> None:
    network.create()
    network.received()
    for text in ("<presence/>", "<presence type='subscribe'/>", "<message type='error'/>", "<iq type='result' id='1'/>", "<iq type='error' id='1'/>"):
        for to in (ROOM, SERVICE):
            assert network.deliver(text, to=to) is None
    assert network.sent == []


def test_strangers_find_no_room(network: Network) -> None:
    network.create()
    message = "<message type='groupchat'><body>x</body></message>"
    queries = [("get", f"<query xmlns='{NS}#{what}'/>") for what in ("configuration", "affiliations", "info")]
    queries += [("set", affiliations(user(HAG))), ("set", f"<query xmlns='{NS}#destroy'/>")]
    queries += [("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"), ("set", "<query xmlns='urn:xmpp:mam:2'/>")]
    queries += [("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>"), ("get", "<other xmlns='x'/>")]
    for room, sender in ((ROOM, f"{HAG}/x"), (f"heath@{SERVICE}", f"{CRONE}/x"), (ROOM, f"heath@{SERVICE}/{CRONE}")):
        assert network.refused(network.deliver(message, sender, room)) == ("cancel", "item-not-found")
        for kind, query in queries:
            assert network.refused(network.iq(kind, query, sender, room)) == ("cancel", "item-not-found"), query


def test_rooms_in_each_other_do_not_echo(network: Network) -> None:
    for name, other in (("coven", "heath"), ("heath", "coven")):
        query = f"<query xmlns='{NS}#create'><occupants>{user(f'{other}@{SERVICE}')}</occupants></query>"
        network.done(query, to=f"{name}@{SERVICE}")
    network.received()
    assert network.deliver("<message type='groupchat'><body>x</body></message>") is None
    assert len(network.received()[CRONE]) == 1


def test_one_who_cannot_be_reached_keeps_nobody_else_from_hearing(network: Network, client: FlaskClient) -> None:
    network.create(user(JULIET) + user(HAG))
    heard: list[str] = []

    def half(domain: str, stanza: Element) -> None:
        if stanza.get("to") == HAG:
            raise GatewayError("outbox-full")
        heard.append(stanza.attrib["to"])

    def all_or_none(domain: str, stanzas: Sequence[Element], _: Sequence[str]) -> None:
        if any(stanza.get("to") == HAG for stanza in stanzas):
            raise GatewayError("outbox-full")
        for stanza in stanzas:
            half(domain, stanza)

    attach(network.gateway.parts.router, half, all_or_none)
    assert client.post("/api/rooms/coven/messages", json={"body": "x"}, headers=basic(JULIET)).status_code == 200
    assert heard == [CRONE]


# affiliations


def test_the_example_of_the_specification(network: Network) -> None:
    network.create(user("hag77@shakespeare.example") + user("hag88@shakespeare.example"))
    network.received()
    network.done(affiliations(user(HAG), user("hag77@shakespeare.example", "owner"), user("hag88@shakespeare.example", "none")))
    everything = (
        "<message id='i1'><x A><p/><v/><user affiliation='owner'>hag77@s</user><user affiliation='member'>hag66@s</user>"
        "<user affiliation='none'>hag88@s</user><user affiliation='member'>crone1@s</user></x><body/></message>"
    )
    assert network.received() == {
        CRONE: [everything],
        "hag77@shakespeare.example": [everything],
        HAG: ["<message id='i1'><x A><v/><user affiliation='member'>hag66@s</user></x><body/></message>"],
        "hag88@shakespeare.example": ["<message id='i1'><x A><user affiliation='none'>hag88@s</user></x><body/></message>"],
    }


def test_adding_over_http_reaches_the_network(network: Network, client: FlaskClient) -> None:
    client.put("/api/rooms/coven", json={"name": "n", "subject": "s"}, headers=basic(JULIET))
    for jid in (CRONE, HAG):
        assert client.post("/api/rooms/coven/users", json={"user": jid}, headers=basic(JULIET)).status_code == 204
    own, change = network.received()[CRONE]
    assert "<x A><v/><user affiliation='member'>crone1@s</user></x><body/>" in own
    assert "<x A><p/><v/><user affiliation='member'>hag66@s</user></x><body/>" in change
    network.done(affiliations(user(CRONE, "none")))
    assert "affiliation='none'>crone1@s" in network.received()[CRONE][0]
    assert listed(network.iq("get", f"<query xmlns='{NS}#info'/>", f"{HAG}/x")) == {JULIET: "owner", HAG: "member"}


@pytest.mark.parametrize(
    ("sender", "query", "condition"),
    [
        (CRONE, affiliations(), ("modify", "bad-request")),
        (CRONE, affiliations("<item role='participant'>a@b</item>"), ("modify", "bad-request")),
        (CRONE, affiliations(user(HAG, "admin")), ("modify", "bad-request")),
        (CRONE, affiliations(user("@b")), ("modify", "bad-request")),
        (CRONE, affiliations(user(JULIET)), ("modify", "bad-request")),
        (JULIET, affiliations(user(HAG)), ("cancel", "not-allowed")),
        (JULIET, f"<query xmlns='{NS}#configuration'><roomname>x</roomname></query>", ("cancel", "not-allowed")),
        (JULIET, f"<query xmlns='{NS}#destroy'/>", ("cancel", "not-allowed")),
        (CRONE, f"<query xmlns='{NS}#configuration'><colour>x</colour></query>", ("modify", "bad-request")),
        (CRONE, f"<query xmlns='{NS}#configuration'><version>x</version></query>", ("modify", "bad-request")),
        (CRONE, "<a xmlns='x'/><b xmlns='x'/>", ("modify", "bad-request")),
        (CRONE, "<query xmlns='jabber:iq:search'/>", ("cancel", "service-unavailable")),
    ],
)
def test_sets_that_are_refused(network: Network, sender: str, query: str, condition: tuple[str, str]) -> None:
    network.create(user(JULIET))
    network.received()
    assert network.refused(network.iq("set", query, f"{sender}/x")) == condition
    assert network.sent == []
    assert listed(network.iq("get", f"<query xmlns='{NS}#affiliations'/>")) == {CRONE: "owner", JULIET: "member"}


# configuration and information


def test_configuration_is_announced_and_not_archived(network: Network, client: FlaskClient) -> None:
    network.create(user(JULIET))
    network.received()
    network.done(f"<query xmlns='{NS}#configuration'><roomname>A Darker Cave</roomname></query>")
    network.done(f"<query xmlns='{NS}#configuration'><roomname>A Darker Cave</roomname></query>")
    notice = "<message id='i1'><x C><p/><v/><roomname>A Darker Cave</roomname></x><body/></message>"
    assert network.received() == {CRONE: [notice]}, "what changes nothing is not announced"
    assert client.get("/api/rooms/coven", headers=basic(JULIET)).get_json()["name"] == "A Darker Cave"
    assert len(client.get("/api/rooms/coven/messages", headers=basic(JULIET)).get_json()) == 1


@pytest.mark.parametrize("what", ["configuration", "affiliations", "info"])
def test_versions(network: Network, what: str) -> None:
    network.create(user(JULIET), "<roomname>n</roomname><subject>s</subject><description>d</description>")
    answer = network.iq("get", f"<query xmlns='{NS}#{what}'><version>old</version></query>")
    version = answer[0].findtext(f"{{{NS}#{what}}}version")
    assert version
    texts = {e.text for e in answer.iter()} - {version, None}
    assert texts == {"configuration": {"n", "s", "d"}, "affiliations": {CRONE, JULIET}, "info": {"n", "s", "d", CRONE, JULIET}}[what]
    assert len(network.iq("get", f"<query xmlns='{NS}#{what}'><version>{version}</version></query>")) == 0
    network.done(affiliations(user(HAG)))
    assert len(network.iq("get", f"<query xmlns='{NS}#{what}'><version>{version}</version></query>")) == 1


def test_destruction(network: Network, client: FlaskClient) -> None:
    network.create(user(HAG) + user(JULIET))
    network.deliver("<message type='groupchat'><body>x</body></message>")
    network.received()
    network.done(f"<query xmlns='{NS}#destroy'/>")
    gone = f"<message id='i1'><x A><user affiliation='none'>WHO</user></x><x xmlns='{NS}#destroy'/><body/></message>"
    assert network.received() == {CRONE: [gone.replace("WHO", "crone1@s")], HAG: [gone.replace("WHO", "hag66@s")]}
    assert client.get("/api/rooms/coven", headers=basic(JULIET)).status_code == 404
    network.create(user(JULIET))
    assert [i["type"] for i in client.get("/api/rooms/coven/messages", headers=basic(JULIET)).get_json()] == ["affiliation"]


# discovery


def test_the_service_can_be_discovered(network: Network) -> None:
    info = network.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", to=SERVICE)
    assert serialise(info).count("<identity category='conference' type='text' name='MUC Light'/>") == 1
    features = {e.get("var") for e in info.iter() if e.tag.endswith("}feature")}
    assert NS in features
    for feature, query in (("urn:xmpp:ping", "<ping xmlns='urn:xmpp:ping'/>"), ("jabber:iq:version", "<query xmlns='jabber:iq:version'/>")):
        assert feature in features
        assert network.iq("get", query, to=SERVICE).get("type") == "result"
    items = network.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", to=DOMAIN)
    assert SERVICE in {e.get("jid") for e in items.iter()}
    node = network.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", to=SERVICE)
    assert network.refused(node) == ("cancel", "item-not-found")


def test_occupied_rooms_can_be_discovered(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "<query xmlns='http://jabber.org/protocol/disco#items'/>"
    assert len(network.iq("get", query, to=SERVICE)[0]) == 0
    for name in ("heath", "coven", "forres"):
        network.done(f"<query xmlns='{NS}#create'/>", to=f"{name}@{SERVICE}")
    answer = network.iq("get", query, to=SERVICE)
    assert [(e.get("jid"), e.get("name")) for e in answer[0]] == [(f"{n}@{SERVICE}", "Untitled") for n in ("coven", "forres", "heath")]
    assert all(e.get("version") for e in answer[0])
    assert len(network.iq("get", query, f"{HAG}/x", SERVICE)[0]) == 0
    monkeypatch.setattr("xmpp_rest.service.muclight.entity.PAGE", 2)
    first = network.iq("get", query, to=SERVICE)
    assert serialise(first[0][2]) == (
        "<set xmlns='http://jabber.org/protocol/rsm'>"
        f"<first index='0'>coven@{SERVICE}</first><last>forres@{SERVICE}</last><count>3</count></set>"
    )
    after = f"<set xmlns='http://jabber.org/protocol/rsm'><after>forres@{SERVICE}</after></set>"
    second = network.iq("get", query.replace("/>", f">{after}</query>"), to=SERVICE)
    assert [e.get("jid") for e in second[0]] == [f"heath@{SERVICE}", None]


def test_a_room_can_be_discovered_by_those_in_it(network: Network) -> None:
    network.create()
    info = network.iq("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    assert "name='A Dark Cave'" in serialise(info)
    assert {"urn:xmpp:mam:2", NS} <= {e.get("var") for e in info.iter()}
    assert len(network.iq("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>")[0]) == 0


# the archive


def test_the_archive_is_for_those_in_the_room(network: Network) -> None:
    network.create(user(JULIET))
    network.deliver("<message type='groupchat' id='m1'><body>x</body></message>")
    network.sent.clear()
    assert network.iq("set", "<query xmlns='urn:xmpp:mam:2' queryid='q'/>")[0].get("complete") == "true"
    change, message = network.sent
    assert (change.get("from"), change.get("to")) == (ROOM, f"{CRONE}/desktop")
    forwarded = [next(e for e in wrapper.iter("message") if e is not wrapper) for wrapper in (change, message)]
    assert [(e.get("from"), e.get("to"), e.get("id")) for e in forwarded] == [(ROOM, None, "i1"), (f"{ROOM}/{CRONE}", None, "m1")]
    notice = plain(forwarded[0])
    assert "<v/><user affiliation='owner'>crone1@s</user><user affiliation='member'>juliet@capulet.example</user>" in notice
    assert "<p/>" not in notice


# blocking


def block(*items: str) -> str:
    return f"<query xmlns='{NS}#blocking'>{''.join(items)}</query>"


def test_who_blocks_is_not_added(network: Network, client: FlaskClient) -> None:
    network.create()
    network.received()
    network.done(block(f"<user action='deny'>{CRONE}</user>"), f"{HAG}/x", SERVICE)
    assert block(f"<user action='deny'>{CRONE}</user>") in serialise(network.iq("get", block(), f"{HAG}/x", SERVICE))
    network.done(affiliations(user(HAG)))
    assert network.received() == {}, "skipped without a word"
    network.done(affiliations(user(HAG), user(JULIET)))
    assert listed(network.iq("get", f"<query xmlns='{NS}#affiliations'/>")).keys() == {CRONE, JULIET}
    network.done(block(f"<room action='deny'>heath@{SERVICE}</room>", f"<user action='allow'>{CRONE}</user>"), f"{HAG}/x", SERVICE)
    network.done(affiliations(user(HAG)))
    assert HAG in listed(network.iq("get", f"<query xmlns='{NS}#affiliations'/>"))
    body = {"name": "n", "subject": "s", "participants": [HAG, CRONE]}
    assert client.put("/api/rooms/heath", json=body, headers=basic(JULIET)).status_code == 201
    participants = client.get("/api/rooms/heath", headers=basic(JULIET)).get_json()["participants"]
    assert {p["user"] for p in participants} == {JULIET, CRONE}


@pytest.mark.parametrize("items", ["", "<user>a@b</user>", "<user action='x'>a@b</user>", "<user action='deny'>@b</user>", "<other action='deny'>a@b</other>"])
def test_blocking_that_is_refused(network: Network, items: str) -> None:
    assert network.refused(network.iq("set", block(items), to=SERVICE)) == ("modify", "bad-request")


# from an account, and without rooms


def test_an_account_asks_over_rest(client: FlaskClient, network: Network) -> None:
    network.create(user(JULIET))
    iq = f"<iq type='get' id='r1' to='{ROOM}'><query xmlns='{NS}#affiliations'/></iq>"
    response = client.post("/rest", data=iq, headers=basic(JULIET) | {"Content-Type": "application/xmpp+xml"})
    assert listed(parse_text(response.text)) == {CRONE: "owner", JULIET: "member"}
    network.received()
    message = f"<message type='groupchat' to='{ROOM}' id='m7'><body>x</body></message>"
    assert client.post("/rest", data=message, headers=basic(JULIET) | {"Content-Type": "application/xmpp+xml"}).status_code == 202
    assert network.received()[CRONE] == [f"<message from='{ROOM}/{JULIET}' id='m7'><body>x</body><sid/></message>"]


def test_without_rooms(make_app: MakeApp) -> None:
    app: Flask = make_app(gateway_rooms_domain="")
    gateway: Gateway = app.extensions["gateway"]
    gateway.start()
    assert gateway.parts.muclight is None
    assert SERVICE not in gateway.parts.router.domains


@pytest.mark.parametrize("to", [f"{ROOM}/hecate", ROOM, f"nowhere@{SERVICE}/hecate"])
def test_a_room_is_not_entered_by_presence(network: Network, to: str) -> None:
    network.create()
    assert network.refused(network.deliver("<presence><x xmlns='http://jabber.org/protocol/muc'/></presence>", to=to)) == ("modify", "bad-request")
    assert network.deliver("<presence type='unavailable'><x xmlns='http://jabber.org/protocol/muc'/></presence>", to=to) is None


@pytest.mark.parametrize("by", [ROOM, ROOM.upper(), f"{ROOM}/{CRONE}"])
def test_a_message_is_not_said_late(network: Network, by: str) -> None:
    network.create()
    network.received()
    delay = f"<delay xmlns='urn:xmpp:delay' from='{by}' stamp='2002-09-10T23:08:25Z'/>"
    network.deliver(f"<message type='groupchat'><body>forged</body>{delay}</message>")
    (heard,) = [m for m in network.sent if m.findtext("body") == "forged"]
    assert heard.find("{urn:xmpp:delay}delay") is None
