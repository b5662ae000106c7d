"""GET /api/messages returns the right page of the archive, item by item (client-api §2.2, §5, §6)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.client.calls import JULIET, NURSE, ROMEO, call, history, send
from tests.conftest import DOMAIN, SHARED
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text

BASE = 1_700_000_000.0  # Unix time, seconds
SMACK = "http://www.jivesoftware.com/xmlns/xmpp/properties"


def archive(gateway: Gateway, *texts: str, partner: str = ROMEO, step: float = 1.0) -> None:
    """Put stanzas into Juliet's archive, `step` seconds apart from BASE on."""
    for n, text in enumerate(texts):
        gateway.driver.archive_append("juliet", DOMAIN, "archive", text, when=BASE + n * step, with_=partner)


def message(body: str, rest: str = "", *, to: str = JULIET, from_: str = ROMEO, type_: str = "chat", id_: str = "m") -> str:
    return f"<message from='{from_}' to='{to}' type='{type_}' id='{id_}'><body>{body}</body>{rest}</message>"


def receive(gateway: Gateway, text: str) -> Any:
    """What comes in from the network."""
    stanza = parse_text(text)
    return gateway.parts.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))


def bodies(items: list[dict[str, Any]]) -> list[str]:
    return [item["body"] for item in items]


# what is kept


@pytest.mark.parametrize(
    "text",
    [
        message("hi"),
        message("hi", type_="normal"),
        message("hi", type_="nonsense"),
        message("hi").replace(" type='chat'", ""),
        message("", "<active xmlns='http://jabber.org/protocol/chatstates'/>"),
        message("hi", "<no-copy xmlns='urn:xmpp:hints'/>"),
        message("hi", "<no-store/>"),
        message("hi", "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>"),
    ],
)
def test_what_was_said_is_kept(client: FlaskClient, gateway: Gateway, text: str) -> None:
    assert receive(gateway, text) is None
    assert len(history(client)) == 1


@pytest.mark.parametrize(
    "text",
    [
        message("hi", type_="groupchat"),
        message("hi", type_="headline"),
        message("hi", type_="error"),
        f"<message from='{ROMEO}' to='{JULIET}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>",
        f"<message from='{ROMEO}' to='{JULIET}' type='chat'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
        f"<message from='{ROMEO}' to='{JULIET}'><subject>no body</subject></message>",
        f"<message from='{ROMEO}' to='{JULIET}'/>",
        message("hi", "<no-store xmlns='urn:xmpp:hints'/>"),
        message("hi", "<no-permanent-store xmlns='urn:xmpp:hints'/>"),
        f"<message from='{ROMEO}' to='{JULIET}'><body xmlns='other'>hi</body></message>",
        f"<presence from='{ROMEO}' to='{JULIET}'/>",
    ],
)
def test_what_was_not_said_is_not_kept(client: FlaskClient, gateway: Gateway, text: str) -> None:
    assert receive(gateway, text) is None
    assert history(client) == []


def test_what_asks_to_be_stored_is_kept_but_not_shown(client: FlaskClient, gateway: Gateway) -> None:
    marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/><store xmlns='urn:xmpp:hints'/>"
    receive(gateway, f"<message from='{ROMEO}' to='{JULIET}'>{marker}</message>")
    assert history(client) == []
    assert gateway.driver.archive_count("juliet", DOMAIN, "archive") == 1


@pytest.mark.parametrize("by", [JULIET, JULIET.upper(), f"{JULIET}/"])
def test_nobody_else_says_what_the_id_in_the_archive_is(client: FlaskClient, gateway: Gateway, by: str) -> None:
    other = "<stanza-id xmlns='urn:xmpp:sid:0' by='verona.example' id='theirs'/>"
    receive(gateway, message("hi", f"<stanza-id xmlns='urn:xmpp:sid:0' by='{by}' id='forged'/>{other}"))
    (kept,) = gateway.driver.archive_find("juliet", DOMAIN, "archive")
    assert ("forged" in kept.stanza, "theirs" in kept.stanza) == (False, True)


# how an item looks


def test_addresses_are_bare_and_ids_the_stanzas(client: FlaskClient, gateway: Gateway) -> None:
    before = int(time.time() * 1000)
    receive(gateway, message("hi", from_=f"{ROMEO}/orchard", to=f"{JULIET}/balcony", id_="m7"))
    (item,) = history(client)
    stamp = item.pop("timestamp")
    assert item == {"from": ROMEO, "to": JULIET, "id": "m7", "body": "hi"}
    assert before <= stamp <= time.time() * 1000


def test_a_stanza_without_id_shows_the_archives(client: FlaskClient, gateway: Gateway) -> None:
    receive(gateway, message("hi").replace(" id='m'", ""))
    (item,) = history(client)
    (kept,) = gateway.driver.archive_find("juliet", DOMAIN, "archive")
    assert item["id"] == kept.id


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        ("<thread>lunch-7</thread>", {"thread": "lunch-7"}),
        ("<thread parent='week-29'> lunch-7\n</thread>", {"thread": "lunch-7", "parent": "week-29"}),
        ("<thread parent=''>lunch-7</thread>", {"thread": "lunch-7", "parent": ""}),
        ("<thread parent='week-29'/>", {}),
        ("<thread parent='week-29'>  </thread>", {}),
        ("<thread xmlns='other'>lunch-7</thread>", {}),
        (f"<properties xmlns='{SMACK}'/>", {"properties": {}}),
        ("<properties/>", {}),
        ("<properties xmlns='other'><property><name>a</name><value>b</value></property></properties>", {}),
        (
            f"<properties xmlns='{SMACK}'> <property><name>amount</name><value type='integer'>40</value></property>\n"
            "<property><name>amount</name><value type='integer'>41</value></property>"
            "<property><value>nameless</value></property><property><name/><value>nameless</value></property>"
            "<property><name>flag</name></property><property><name>void</name><value/></property>"
            "<property xmlns='other'><name>no</name></property></properties>",
            {"properties": {"amount": "41", "flag": "", "void": ""}},
        ),
    ],
)
def test_optional_keys(client: FlaskClient, gateway: Gateway, rest: str, shown: dict[str, Any]) -> None:
    receive(gateway, message("hi", rest))
    (item,) = history(client)
    assert {key: item[key] for key in item.keys() - {"from", "to", "id", "body", "timestamp"}} == shown


def test_the_first_body_counts(client: FlaskClient, gateway: Gateway) -> None:
    receive(gateway, message("one", "<body xml:lang='it'>uno</body>"))
    assert bodies(history(client)) == ["one"]


def test_xml_beside_the_json(client: FlaskClient, gateway: Gateway) -> None:
    receive(gateway, message("hi", "<x xmlns='some:thing'/>", id_="m7"))
    response = call(client, "GET", "/api/messages", headers={"Prefer": "respond-async, xml"})
    assert response.headers["Preference-Applied"] == "xml"
    assert parse_text(response.get_json()[0]["xml"]).find("{some:thing}x") is not None
    assert "xml" not in history(client)[0]


def test_what_no_body_has_is_left_out_and_does_not_shorten_the_page(client: FlaskClient, gateway: Gateway) -> None:
    bare = f"<message from='{ROMEO}' to='{JULIET}' type='chat'/>"
    texts = [t for n in range(120) for t in (message(str(n)), bare, bare)]
    archive(gateway, *texts)
    assert bodies(history(client)) == [str(n) for n in range(70, 120)]


def test_what_is_no_message_does_not_break_the_page(client: FlaskClient, gateway: Gateway) -> None:
    archive(gateway, message("1"), "<iq type='get'><body/></iq>", message("2", type_="groupchat"), message("3"))
    assert bodies(history(client)) == ["1", "3"]


# with whom


def test_with_one_and_with_everybody(client: FlaskClient, gateway: Gateway) -> None:
    send(client, NURSE, "to nurse")
    send(client, JULIET, "from nurse", as_=NURSE)
    receive(gateway, message("from romeo", from_=f"{ROMEO}/orchard"))
    assert bodies(history(client)) == ["to nurse", "from nurse", "from romeo"]
    assert bodies(history(client, f"/api/messages/{NURSE}")) == ["to nurse", "from nurse"]
    assert bodies(history(client, f"/api/messages/{ROMEO}")) == ["from romeo"]
    assert bodies(history(client, "/api/messages/ROMEO@Montague.example")) == ["from romeo"]
    assert history(client, "/api/messages/paris@verona.example") == []
    assert history(client, "/api/messages/montague.example") == []


def test_with_one_resource(client: FlaskClient, gateway: Gateway) -> None:
    for n in range(150):
        receive(gateway, message(f"o{n}", from_=f"{ROMEO}/orchard"))
        receive(gateway, message(f"t{n}", from_=f"{ROMEO}/tomb"))
    send(client, f"{ROMEO}/orchard", "wherefore")
    assert bodies(history(client, f"/api/messages/{ROMEO}%2Forchard?limit=3")) == ["o148", "o149", "wherefore"]
    assert bodies(history(client, f"/api/messages/{ROMEO}%2Ftomb?limit=3")) == ["t147", "t148", "t149"]
    assert len(history(client, f"/api/messages/{ROMEO}%2Ftomb?limit=200")) == 150
    assert history(client, f"/api/messages/{ROMEO}%2Fchapel") == []


@pytest.mark.parametrize("partner", ["@invalid", "a@b@c", "a b@c", "%00@x", "%FF@x", "x" * 1024 + "@y", "a@b%2F" + "x" * 1024])
def test_with_nobody_that_can_be(client: FlaskClient, partner: str) -> None:
    response = call(client, "GET", f"/api/messages/{partner}")
    assert (response.status_code, response.json) == (400, "Invalid interlocutor JID")


def test_nobody_reads_what_others_say(client: FlaskClient, gateway: Gateway) -> None:
    receive(gateway, message("psst"))
    assert history(client, as_=NURSE) == []
    assert history(client, f"/api/messages/{JULIET}", as_=NURSE) == []


# paging


def test_the_newest_are_shown_the_oldest_first(client: FlaskClient, gateway: Gateway) -> None:
    archive(gateway, *(message(str(n)) for n in range(120)))
    assert bodies(history(client)) == [str(n) for n in range(70, 120)]
    assert bodies(history(client, "/api/messages?limit=2")) == ["118", "119"]
    assert len(history(client, "/api/messages?limit=100")) == 100
    assert len(history(client, "/api/messages?limit=1000")) == 120
    assert history(client, "/api/messages?limit=0") == []


@pytest.mark.parametrize("limit", ["501", "99999999999999999999", "0" * 50 + "600", "9" * 5000])
def test_a_page_is_bounded(client: FlaskClient, gateway: Gateway, limit: str) -> None:
    for n in range(505):
        gateway.driver.archive_append("juliet", DOMAIN, "archive", message(str(n)), when=BASE + n, with_=ROMEO)
    assert len(history(client, f"/api/messages?limit={limit}")) == 500


@pytest.mark.parametrize("step", [1.0, 0.001, 0.004, 60.0])
@pytest.mark.parametrize("path", ["/api/messages", f"/api/messages/{ROMEO}"])
def test_paging_back_meets_every_message_once(client: FlaskClient, gateway: Gateway, path: str, step: float) -> None:
    archive(gateway, *(message(str(n)) for n in range(25)), step=step)
    seen: list[str] = []
    page = history(client, f"{path}?limit=7")
    while page:
        seen = bodies(page) + seen
        page = history(client, f"{path}?limit=7&before={page[0]['timestamp']}")
    assert seen == [str(n) for n in range(25)]


def test_before_is_strict_in_milliseconds(client: FlaskClient, gateway: Gateway) -> None:
    clock = (BASE + 0.9999, BASE + 1, BASE + 1.000001, BASE + 1.0005, BASE + 1.000999, BASE + 1.001)
    for n, when in enumerate(clock):
        gateway.driver.archive_append("juliet", DOMAIN, "archive", message(str(n)), when=when, with_=ROMEO)
    shown = [int(item["timestamp"] - BASE * 1000) for item in history(client)]
    assert shown == [999, 1000, 1000, 1000, 1000, 1001]
    for before, expected in ((999, 0), (1000, 1), (1001, 5), (1002, 6)):
        assert len(history(client, f"/api/messages?before={int(BASE * 1000) + before}")) == expected


@pytest.mark.parametrize(("before", "count"), [("0", 0), ("-1", 0), ("-" + "9" * 5000, 0), ("9" * 5000, 3), ("99999999999999", 3), ("1", 0)])
def test_before_beyond_all_messages(client: FlaskClient, gateway: Gateway, before: str, count: int) -> None:
    archive(gateway, *(message(str(n)) for n in range(3)))
    assert len(history(client, f"/api/messages?before={before}")) == count


def test_stamps_rise(client: FlaskClient) -> None:
    for _ in range(20):
        send(client, NURSE, "hi")
    clock = [item.when for item in client.application.extensions["gateway"].driver.archive_find("juliet", DOMAIN, "archive")]
    assert clock == sorted(set(clock))


INVALID_LIMIT, INVALID_BEFORE, INVALID_QUERY = "Invalid limit", "Invalid value of 'before'", "Invalid query string"


@SHARED
@pytest.mark.parametrize(
    ("query", "text"),
    [
        *((f"limit={value}", INVALID_LIMIT) for value in ("x", "1.5", "", "-1", "+1", "%201", "1e2", "٣", "0x10", "--1", "-", "1_0")),
        ("limit", INVALID_LIMIT),
        *((f"before={value}", INVALID_BEFORE) for value in ("x", "1.5", "", "+1", "2020-01-01", "-")),
        ("before", INVALID_BEFORE),
        *((query, INVALID_QUERY) for query in ["kuropatwa", "kuropatwa=1&limit=x", "Limit=1", "limit=1&with=x"]),
        ("limit=5&limit=x", INVALID_LIMIT),
    ],
)
@pytest.mark.parametrize("path", ["/api/messages", f"/api/messages/{NURSE}"])
def test_what_is_wrong_is_named(client: FlaskClient, path: str, query: str, text: str) -> None:
    response = call(client, "GET", f"{path}?{query}")
    assert (response.status_code, response.json) == (400, text)


def test_the_last_of_a_name_wins(client: FlaskClient, gateway: Gateway) -> None:
    archive(gateway, *(message(str(n)) for n in range(3)))
    assert len(history(client, "/api/messages?limit=x&limit=1")) == 1


def test_what_becomes_of_the_partner_does_not_matter(client: FlaskClient, gateway: Gateway) -> None:
    send(client, NURSE, "hi")
    gateway.parts.accounts.unregister(parse_jid(NURSE))
    assert bodies(history(client, f"/api/messages/{NURSE}")) == ["hi"]
