"""Room subscriptions (ejabberd's mucsub), service discovery, registration and room archives."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.conftest import DOMAIN
from tests.service.muc.hall import JULIET, NURSE, ROMEO, ROOM, SERVICE, TYBALT, Hall, bodies, error
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import serialise

NODES = "urn:xmpp:mucsub:nodes:"
EVENT = "{http://jabber.org/protocol/pubsub#event}"
NS = "{urn:xmpp:mucsub:0}"
INFO, ITEMS = "<query xmlns='http://jabber.org/protocol/disco#info'/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>"


@pytest.fixture
def hall(app: Flask) -> Hall:
    """Romeo owns a room that allows subscriptions."""
    hall = Hall(app)
    hall.rooms.create("balcony", {"allow_subscription": "true"}, [["romeo@montague.example", "owner"]], [])
    hall.enter(ROMEO)
    return hall


def subscribe(who: Hall, sender: str, *words: str, nick: str = "Angelica", more: str = "") -> object:
    events = "".join(f"<event node='{NODES}{word}'/>" for word in words)
    return who.iq(sender, f"<subscribe xmlns='urn:xmpp:mucsub:0' nick='{nick}'{more}>{events}</subscribe>")


def heard(hall: Hall, who: str) -> list[tuple[str, str]]:
    """Nodes of the notifications that came, and what kind of element each holds."""
    found = []
    for message in hall.take(who):
        items = message.find(f"{EVENT}event/{EVENT}items")
        assert items is not None
        assert (message.get("from"), message.get("to")) == (ROOM, who)
        found.append((items.get("node", "").removeprefix(NODES), items[0][0].tag))
    return found


def test_subscribing_and_ending_it(hall: Hall) -> None:
    answer = subscribe(hall, NURSE, "messages", "nonsense")
    assert answer.get("type") == "result"  # type: ignore[attr-defined]
    assert [e.get("node") for e in answer[0]] == [f"{NODES}messages"]  # type: ignore[index]
    assert hall.rooms.subscriptions("nurse@verona.example") == [["balcony", "Angelica", [f"{NODES}messages"]]]
    mine = hall.iq(NURSE, "<subscriptions xmlns='urn:xmpp:mucsub:0'/>", "get", to=SERVICE)
    assert [s.get("jid") for s in mine[0]] == [ROOM]
    listed = hall.iq(ROMEO, "<subscriptions xmlns='urn:xmpp:mucsub:0'/>", "get")
    assert [(s.get("jid"), s.get("nick")) for s in listed[0]] == [("nurse@verona.example", "Angelica")]
    assert error(hall.iq(TYBALT, "<subscriptions xmlns='urn:xmpp:mucsub:0'/>", "get")) == ("auth", "forbidden")
    assert hall.iq(NURSE, "<unsubscribe xmlns='urn:xmpp:mucsub:0'/>").get("type") == "result"
    assert hall.rooms.subscribers("balcony") == []


NURSE_ACCOUNT = "nurse@verona.example"


@pytest.mark.parametrize(
    ("words", "act", "found"),
    [
        (("messages",), "say", [("messages", "message")]),
        (("presence",), "say", []),
        (("subject",), "subject", [("subject", "message")]),
        (("messages",), "subject", [("messages", "message")]),
        (("presence",), "enter", [("presence", "presence")]),
        (("participants",), "enter", [("participants", "presence")]),
        (("participants",), "leave", [("participants", "presence")]),
        (("affiliations",), "affiliate", [("affiliations", "message")]),
        (("config",), "configure", [("config", "message")]),
        (("subscribers",), "subscribe", [("subscribers", "message")]),
        (("system",), "destroy", [("system", "presence")]),
        ((), "say", []),
    ],
)
def test_what_a_subscriber_hears(hall: Hall, words: tuple[str, ...], act: str, found: list[tuple[str, str]]) -> None:
    hall.enter(TYBALT)
    subscribe(hall, NURSE, *words)
    hall.inbox.clear()
    {
        "say": lambda: hall.say(ROMEO, "hark"),
        "subject": lambda: hall.say(ROMEO, "", "<subject>light</subject>"),
        "enter": lambda: hall.presence(JULIET),
        "leave": lambda: hall.leave(TYBALT),
        "affiliate": lambda: hall.rooms.affiliate("balcony", "paris@verona.example", "member", ""),
        "configure": lambda: hall.rooms.set_option("balcony", "title", "x"),
        "subscribe": lambda: hall.rooms.subscribe("balcony", "paris@verona.example", "Paris", []),
        "destroy": lambda: hall.rooms.destroy("balcony", "", False),
    }[act]()
    assert heard(hall, NURSE_ACCOUNT) == found


def test_a_notification_holds_the_message(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages")
    hall.say(ROMEO, "hark")
    (got,) = hall.take(NURSE_ACCOUNT)
    _, inner = got.iter("message")
    assert (inner.get("from"), inner.get("to"), inner.get("type"), inner.findtext("body")) == (f"{ROOM}/Romeo", NURSE_ACCOUNT, "groupchat", "hark")
    assert "<message xmlns='jabber:client'" in serialise(got)
    assert got.find("{urn:xmpp:hints}store") is not None


def test_whoever_is_in_the_room_hears_it_once(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages", nick="Nurse")
    hall.enter(NURSE)
    hall.say(ROMEO, "hark")
    assert bodies(hall.take(NURSE)) == ["hark"]
    assert hall.take(NURSE_ACCOUNT) == []


def test_a_subscriber_speaks_without_coming_in(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages")
    assert hall.say(NURSE, "anon, good nurse") is None
    (got,) = hall.take(ROMEO)
    assert (got.get("from"), got.findtext("body")) == (f"{ROOM}/Angelica", "anon, good nurse")


def test_an_account_hears_in_its_archive(hall: Hall) -> None:
    hall.rooms.subscribe("balcony", f"juliet@{DOMAIN}", "Juliet", [f"{NODES}messages"])
    hall.say(ROMEO, "it is the east")
    (kept,) = hall.gateway.driver.archive_find("juliet", DOMAIN, "archive")
    assert "it is the east" in kept.stanza


@pytest.mark.parametrize(
    ("options", "nick", "refusal"),
    [
        ({"allow_subscription": "false"}, "Angelica", ("cancel", "not-allowed")),
        ({}, "Romeo", ("cancel", "conflict")),
        ({}, "", ("modify", "not-acceptable")),
        ({"members_only": "true"}, "Angelica", ("auth", "forbidden")),
        ({"password": "x", "password_protected": "true"}, "Angelica", ("auth", "not-authorized")),
    ],
)
def test_subscriptions_that_are_refused(hall: Hall, options: dict[str, str], nick: str, refusal: tuple[str, str]) -> None:
    for option, value in options.items():
        hall.rooms.set_option("balcony", option, value)
    assert error(subscribe(hall, NURSE, "messages", nick=nick)) == refusal  # type: ignore[arg-type]


def test_subscribing_others(hall: Hall) -> None:
    hall.enter(TYBALT)
    assert error(subscribe(hall, TYBALT, more=" jid='nurse@verona.example'")) == ("auth", "forbidden")  # type: ignore[arg-type]
    assert error(subscribe(hall, ROMEO, more=" jid='@'")) == ("modify", "jid-malformed")  # type: ignore[arg-type]
    subscribe(hall, ROMEO, more=" jid='nurse@verona.example'")
    assert hall.rooms.subscribers("balcony") == [NURSE_ACCOUNT]


def test_the_room_lasts_as_long_as_its_subscribers(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages")
    hall.leave(ROMEO)
    assert hall.rooms.names() == ["balcony"]
    hall.rooms.unsubscribe("balcony", "tybalt@verona.example")
    assert hall.rooms.names() == ["balcony"]
    hall.rooms.unsubscribe("balcony", NURSE_ACCOUNT)
    assert hall.rooms.names() == []


# discovery


def features(answer: object) -> set[str]:
    return {f.get("var") for f in answer.iter("{http://jabber.org/protocol/disco#info}feature")}  # type: ignore[attr-defined]


def test_the_service_and_its_rooms(hall: Hall) -> None:
    info = hall.iq(TYBALT, INFO, "get", to=SERVICE)
    assert {"http://jabber.org/protocol/muc", "jabber:iq:register", "urn:xmpp:mucsub:0"} <= features(info)
    hall.rooms.create("tomb", {"public": "false"}, [], [])
    items = hall.iq(TYBALT, ITEMS, "get", to=SERVICE)
    assert [(i.get("jid"), i.get("name")) for i in items[0]] == [(ROOM, "balcony (1)")]
    for query in (INFO, ITEMS):
        assert error(hall.iq(TYBALT, query.replace("/>", " node='x'/>"), "get", to=SERVICE)) == ("cancel", "item-not-found")


def test_many_rooms_come_page_by_page(hall: Hall) -> None:
    for n in range(250):
        hall.rooms.create(f"cell{n:03}", {}, [], [])
    first = hall.iq(TYBALT, ITEMS, "get", to=SERVICE)[0]
    assert len(first) == 201
    last = first.findtext("{http://jabber.org/protocol/rsm}set/{http://jabber.org/protocol/rsm}last")
    query = ITEMS.replace("/>", f"><set xmlns='http://jabber.org/protocol/rsm'><after>{last}</after></set></query>")
    assert len(hall.iq(TYBALT, query, "get", to=SERVICE)[0]) == 52


def test_a_room(hall: Hall) -> None:
    info = hall.iq(TYBALT, INFO, "get")
    assert {"muc_public", "muc_open", "muc_moderated", "muc_semianonymous", "muc_unsecured", "muc_temporary", "urn:xmpp:mam:2"} <= features(info)
    assert "<field var='muc#roominfo_occupants'><value>1</value></field>" in serialise(info)
    assert [i.get("jid") for i in hall.iq(TYBALT, ITEMS, "get")[0]] == [f"{ROOM}/Romeo"]
    hall.rooms.set_option("balcony", "public_list", "false")
    assert [i.get("jid") for i in hall.iq(TYBALT, ITEMS, "get")[0]] == []
    assert len(hall.iq(ROMEO, ITEMS, "get")[0]) == 1
    assert error(hall.iq(TYBALT, INFO, "get", to=f"nowhere@{SERVICE}")) == ("cancel", "item-not-found")


@pytest.mark.parametrize(
    ("payload", "kind", "to", "refusal"),
    [
        ("<query xmlns='jabber:iq:roster'/>", "get", ROOM, ("cancel", "feature-not-implemented")),
        ("<query xmlns='jabber:iq:roster'/>", "get", f"nowhere@{SERVICE}", ("cancel", "item-not-found")),
        ("<query xmlns='http://jabber.org/protocol/muc#admin'/>", "set", ROOM, ("modify", "bad-request")),
        ("", "get", ROOM, ("modify", "bad-request")),
        ("<a xmlns='b'/><c xmlns='d'/>", "get", SERVICE, ("modify", "bad-request")),
        ("<query xmlns='http://jabber.org/protocol/disco#info'/>", "set", ROOM, ("cancel", "feature-not-implemented")),
        ("<query xmlns='urn:xmpp:mam:2'/>", "set", f"nowhere@{SERVICE}", ("cancel", "item-not-found")),
    ],
)
def test_queries_that_nobody_answers(hall: Hall, payload: str, kind: str, to: str, refusal: tuple[str, str]) -> None:
    assert error(hall.iq(TYBALT, payload, kind, to=to)) == refusal


@pytest.mark.parametrize("payload", ["<ping xmlns='urn:xmpp:ping'/>", "<query xmlns='jabber:iq:version'/>", "<query xmlns='jabber:iq:last'/>"])
def test_what_every_entity_answers(hall: Hall, payload: str) -> None:
    assert hall.iq(TYBALT, payload, "get", to=SERVICE).get("type") == "result"


# registration


def register(hall: Hall, who: str, inner: str) -> object:
    return hall.iq(who, f"<query xmlns='jabber:iq:register'>{inner}</query>", to=SERVICE)


def test_a_nick_is_reserved(hall: Hall) -> None:
    form = "<x xmlns='jabber:x:data' type='submit'><field var='nick'><value>Prince of Cats</value></field></x>"
    assert register(hall, TYBALT, form).get("type") == "result"  # type: ignore[attr-defined]
    assert error(register(hall, JULIET, "<nick>Prince of Cats</nick>")) == ("cancel", "conflict")  # type: ignore[arg-type]
    assert error(register(hall, JULIET, "<nick/>")) == ("modify", "not-acceptable")  # type: ignore[arg-type]
    shown = hall.iq(TYBALT, "<query xmlns='jabber:iq:register'/>", "get", to=SERVICE)
    assert shown[0].findtext("{jabber:iq:register}nick") == "Prince of Cats"
    mine = hall.iq(TYBALT, INFO.replace("/>", " node='x-roomuser-item'/>"), "get")
    assert mine[0][0].get("name") == "Prince of Cats"
    register(hall, TYBALT, "<remove/>")
    assert hall.rooms.reserved_nicks() == []


# archives


@pytest.mark.parametrize(
    ("options", "affiliation", "allowed"),
    [({}, "none", True), ({"members_only": "true"}, "none", False), ({"members_only": "true"}, "member", True), ({}, "outcast", False)],
)
def test_who_reads_the_archive(hall: Hall, options: dict[str, str], affiliation: str, allowed: bool) -> None:
    hall.say(ROMEO, "hark")
    for option, value in options.items():
        hall.rooms.set_option("balcony", option, value)
    hall.rooms.affiliate("balcony", TYBALT, affiliation, "")
    hall.inbox.clear()
    assert (hall.iq(TYBALT, "<query xmlns='urn:xmpp:mam:2'/>").get("type") == "result") == allowed
    assert len(hall.take(TYBALT)) == allowed


def test_a_room_without_archive(hall: Hall) -> None:
    hall.rooms.set_option("balcony", "mam", "false")
    hall.rooms.set_option("balcony", "persistent", "true")
    for n in range(25):
        hall.say(ROMEO, f"line {n}")
    hall.inbox.clear()
    assert hall.iq(ROMEO, "<query xmlns='urn:xmpp:mam:2'/>").get("type") == "result"
    assert hall.take(ROMEO) == []
    hall.leave(ROMEO)
    hall.presence(JULIET)
    assert bodies(hall.take(JULIET)) == [f"line {n}" for n in range(5, 25)]
    hall.rooms.destroy("balcony", "", False)
    assert list(hall.gateway.driver.users(SERVICE)) == []


# bans


@pytest.mark.parametrize("banned", ["nurse@verona.example", "verona.example"])
def test_a_ban_ends_the_subscription(hall: Hall, banned: str) -> None:
    subscribe(hall, NURSE, "messages", "subscribers")
    hall.rooms.affiliate("balcony", banned, "outcast", "")
    assert hall.rooms.subscribers("balcony") == []
    hall.inbox.clear()
    hall.say(ROMEO, "it is the east")
    assert hall.take(NURSE_ACCOUNT) == []
    assert error(hall.say(NURSE, "anon")) == ("modify", "not-acceptable")
    hall.rooms.affiliate("balcony", banned, "none", "")
    assert hall.rooms.subscribers("balcony") == []


def test_an_affiliation_of_somebody_else_ends_no_subscription(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages")
    hall.rooms.affiliate("balcony", "tybalt@verona.example", "outcast", "")
    hall.rooms.affiliate("balcony", "nurse@verona.example", "member", "")
    assert hall.rooms.subscribers("balcony") == [NURSE_ACCOUNT]


def test_who_leaves_a_room_for_members_hears_no_more(hall: Hall) -> None:
    hall.rooms.set_option("balcony", "members_only", "true")
    hall.rooms.affiliate("balcony", NURSE_ACCOUNT, "member", "")
    subscribe(hall, NURSE, "messages")
    hall.rooms.affiliate("balcony", NURSE_ACCOUNT, "none", "")
    assert hall.rooms.subscribers("balcony") == []


def test_a_room_that_becomes_one_for_members_is_not_heard_by_others(hall: Hall) -> None:
    subscribe(hall, NURSE, "messages")
    subscribe(hall, TYBALT, "messages", nick="Tybalt")
    hall.rooms.affiliate("balcony", TYBALT, "member", "")
    hall.rooms.set_option("balcony", "members_only", "true")
    assert hall.rooms.subscribers("balcony") == ["tybalt@verona.example"]


def test_the_banned_are_subscribed_by_nobody(hall: Hall) -> None:
    hall.rooms.affiliate("balcony", NURSE_ACCOUNT, "outcast", "")
    assert error(subscribe(hall, NURSE, "messages")) == ("auth", "forbidden")  # type: ignore[arg-type]
    with pytest.raises(GatewayError, match="banned"):
        hall.rooms.subscribe("balcony", NURSE_ACCOUNT, "Angelica", [])
    with pytest.raises(GatewayError, match="banned"):
        hall.rooms.create("new", {}, [["verona.example", "outcast"]], [[NURSE_ACCOUNT, "Angelica", []]])
    assert hall.rooms.names() == ["balcony"]
