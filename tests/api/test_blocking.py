"""Block lists hold in both directions, and are those of a Prosody on the same storage (XEP-0191)."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.stanzas import JULIET, NURSE, ROMEO, XML, condition, post, receive
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.contacts import block_lists as blocklists
from xmpp_rest.service.streams.stream import Stream

NS = "urn:xmpp:blocking"
ADMIN = basic(f"admin@{DOMAIN}")
DENIED = [ROMEO, f"{ROMEO}/orchard", "montague.example"]  # each blocks ROMEO/orchard


def ask(client: FlaskClient, kind: str, name: str, *jids: str, user: str = JULIET) -> Element:
    items = "".join(f"<item jid='{jid}'/>" for jid in jids)
    answer = post(client, f"<iq type='{kind}'><{name} xmlns='{NS}'>{items}</{name}></iq>", user)
    assert answer is not None
    return answer


def block(client: FlaskClient, *jids: str, user: str = JULIET) -> None:
    assert ask(client, "set", "block", *jids, user=user).get("type") == "result"


def unblock(client: FlaskClient, *jids: str) -> None:
    assert ask(client, "set", "unblock", *jids).get("type") == "result"


def blocked(client: FlaskClient) -> list[str | None]:
    answer = ask(client, "get", "blocklist")
    assert [child.tag for child in answer] == [f"{{{NS}}}blocklist"]
    return [item.get("jid") for item in answer[0]]


def befriend(client: FlaskClient, jid: str, subs: str = "both") -> None:
    user, _, host = jid.partition("@")
    contact = {"localuser": "juliet", "localhost": DOMAIN, "user": user, "host": host, "nick": "", "groups": [], "subs": subs}
    assert client.post("/api/add_rosteritem", json=contact, headers=ADMIN).status_code == 200


def kept(gateway: Gateway) -> tuple[int, int]:
    """Messages in the archive, and waiting."""
    return gateway.driver.archive_count("juliet", DOMAIN, "archive"), gateway.driver.archive_count("juliet", DOMAIN, "offline")


def heard(listening: Stream) -> list[Element]:
    return [event.stanza for event in iter(lambda: listening.next(0.05), None)]


# the list


def test_the_list(client: FlaskClient) -> None:
    assert blocked(client) == []
    block(client, ROMEO)
    block(client, "Tybalt@Capulet.Example/Street", "MONTAGUE.example", ROMEO)
    assert blocked(client) == ["montague.example", ROMEO, "tybalt@capulet.example/Street"]
    unblock(client, ROMEO, "stranger@verona.example")
    assert blocked(client) == ["montague.example", "tybalt@capulet.example/Street"]
    unblock(client)
    assert blocked(client) == []
    unblock(client)


@pytest.mark.parametrize(
    ("kind", "name", "jids", "expected"),
    [
        ("set", "block", (), "bad-request"),
        ("set", "block", ("",), "jid-malformed"),
        ("set", "block", (ROMEO, "@montague.example"), "jid-malformed"),
        ("set", "block", ("a b.example",), "jid-malformed"),
        ("set", "block", ("__hash",), "jid-malformed"),
        ("set", "unblock", ("ro meo@montague.example",), "jid-malformed"),
        ("get", "block", (ROMEO,), "service-unavailable"),
        ("set", "blocklist", (), "service-unavailable"),
    ],
)
def test_malformed_requests_change_nothing(client: FlaskClient, kind: str, name: str, jids: tuple[str, ...], expected: str) -> None:
    block(client, "paris@verona.example")
    answer = ask(client, kind, name, *jids)
    assert (answer.get("type"), condition(answer)) == ("error", expected)
    assert blocked(client) == ["paris@verona.example"]


def test_an_item_without_a_jid(client: FlaskClient) -> None:
    answer = post(client, f"<iq type='set'><block xmlns='{NS}'><item/></block></iq>")
    assert condition(answer) == "jid-malformed"


def test_nobody_else_asks(gateway: Gateway, client: FlaskClient) -> None:
    block(client, "paris@verona.example")
    for kind, inner in (("get", "<blocklist xmlns='{}'/>"), ("set", "<unblock xmlns='{}'/>"), ("set", "<block xmlns='{}'><item jid='a.b'/></block>")):
        for sender in (f"{ROMEO}/orchard", NURSE):
            answer = receive(gateway, f"<iq type='{kind}' id='b' from='{sender}' to='{JULIET}'>{inner.format(NS)}</iq>")
            assert condition(answer) == "service-unavailable"
    assert blocked(client) == ["paris@verona.example"]


def test_a_list_is_bounded(client: FlaskClient, monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> None:
    gateway.driver.store("juliet", DOMAIN, "blocklist", {f"u{n}@x.example": 1 for n in range(5)})  # by another program
    monkeypatch.setattr(blocklists, "MAX_ITEMS", 4)
    answer = ask(client, "set", "block", ROMEO)
    assert (condition(answer), "4 addresses" in condition_of(answer).text) == ("resource-constraint", True)
    block(client, "u1@x.example")
    assert len(blocked(client)) == 5
    unblock(client, "u1@x.example", "u2@x.example")
    block(client, ROMEO)
    assert len(blocked(client)) == 4


def test_open_streams_are_told(client: FlaskClient, gateway: Gateway) -> None:
    streams = [gateway.parts.streams.open(parse_jid(JULIET)) for _ in range(2)]
    block(client, ROMEO.upper())
    unblock(client, ROMEO)
    unblock(client)
    for stream in streams:
        told = heard(stream)
        assert [(iq.get("type"), iq.get("to"), iq[0].tag) for iq in told] == [("set", JULIET, f"{{{NS}}}{n}") for n in ("block", "unblock", "unblock")]
        assert [[item.get("jid") for item in iq[0]] for iq in told] == [[ROMEO], [ROMEO], []]


def test_discovery_names_it(client: FlaskClient) -> None:
    for to in (DOMAIN, JULIET):
        answer = post(client, f"<iq type='get' to='{to}'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>")
        assert answer is not None
        assert NS in {feature.get("var") for feature in answer[0]}


# what comes in


@pytest.mark.parametrize("denied", DENIED)
def test_a_blocked_sender_is_kept_out(client: FlaskClient, gateway: Gateway, denied: str) -> None:
    block(client, denied)
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    for to in (JULIET, f"{JULIET}/balcony"):
        for kind in ("chat", "normal"):
            message = f"<message type='{kind}' from='{ROMEO}/orchard' to='{to}'><body>Ay me</body></message>"
            answer = receive(gateway, message)
            assert (answer is not None and answer.get("to"), condition(answer)) == (f"{ROMEO}/orchard", "service-unavailable")
        for payload in ("<vCard xmlns='vcard-temp'/>", "<ping xmlns='urn:xmpp:ping'/>"):
            iq = f"<iq type='get' id='v' from='{ROMEO}/orchard' to='{to}'>{payload}</iq>"
            assert condition(receive(gateway, iq)) == "service-unavailable"
        for kind in ("", "type='unavailable'", "type='subscribe'", "type='probe'", "type='unsubscribed'"):
            assert receive(gateway, f"<presence {kind} from='{ROMEO}/orchard' to='{to}'/>") is None
    assert (kept(gateway), heard(listening), gateway.parts.contacts.all(parse_jid(JULIET))) == ((0, 0), [], [])
    counted = client.post("/api/get_offline_count", json={"user": "juliet", "host": DOMAIN}, headers=ADMIN)
    assert counted.get_json() in (0, {"value": 0})


@pytest.mark.parametrize("denied", [f"{ROMEO}/street", "juliet@montague.example", "example", "montague.example/orchard", "montague.example.org"])
def test_nobody_else_is_kept_out(client: FlaskClient, gateway: Gateway, denied: str) -> None:
    block(client, denied)
    assert receive(gateway, f"<message from='{ROMEO}/orchard' to='{JULIET}'><body>Ay me</body></message>") is None
    assert receive(gateway, f"<message from='{ROMEO}/orchard' to='{NURSE}'><body>Ay me</body></message>") is None
    assert kept(gateway) == (1, 1)


def test_a_hosted_sender_is_kept_out(client: FlaskClient, gateway: Gateway) -> None:
    block(client, NURSE)
    assert condition(post(client, f"<message to='{JULIET}'><body>Madam!</body></message>", NURSE)) == "service-unavailable"
    client.post("/api/messages", json={"to": JULIET, "body": "Madam!"}, headers=basic(NURSE))
    assert (kept(gateway), gateway.driver.archive_count("nurse", DOMAIN, "archive")) == ((0, 0), 1)
    unblock(client)
    assert post(client, f"<message to='{JULIET}'><body>Madam!</body></message>", NURSE) is None
    assert kept(gateway) == (1, 1)


def test_an_error_or_answer_is_not_answered(client: FlaskClient, gateway: Gateway) -> None:
    block(client, ROMEO)
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    for stanza in (f"<message type='error'>{error}</message>", f"<iq type='error' id='x'>{error}</iq>", "<iq type='result' id='x'/>"):
        assert receive(gateway, stanza.replace(" type", f" from='{ROMEO}' to='{JULIET}' type", 1)) is None
    assert heard(listening) == []


def test_what_a_room_says_is_dropped_without_a_word(client: FlaskClient, gateway: Gateway) -> None:
    block(client, "rooms.example")
    said = f"<message type='groupchat' from='hall@rooms.example/romeo' to='{JULIET}'><body>Ay me</body></message>"
    assert receive(gateway, said) is None
    assert kept(gateway) == (0, 0)


@pytest.mark.parametrize(("inviter", "shown"), [(f"{ROMEO}/orchard", 0), ("paris@verona.example", 1)])
def test_invitations_that_a_room_passes_on(client: FlaskClient, gateway: Gateway, inviter: str, shown: int) -> None:
    block(client, ROMEO)
    listening = gateway.parts.streams.open(parse_jid(JULIET))
    x = f"<x xmlns='http://jabber.org/protocol/muc#user'><invite from='{inviter}'/></x>"
    assert receive(gateway, f"<message from='hall@rooms.example' to='{JULIET}'>{x}</message>") is None
    assert len(heard(listening)) == shown


def test_what_one_says_to_oneself_passes(client: FlaskClient, gateway: Gateway) -> None:
    block(client, DOMAIN, JULIET)
    assert post(client, f"<message to='{JULIET}'><body>Ay me</body></message>") is None
    assert blocked(client) == [DOMAIN, JULIET]
    assert condition(post(client, f"<message to='{JULIET}'><body>Madam!</body></message>", NURSE)) == "service-unavailable"


# what goes out


@pytest.mark.parametrize("denied", DENIED)
def test_what_goes_to_the_blocked_is_refused(client: FlaskClient, gateway: Gateway, sent: list[Element], denied: str) -> None:
    block(client, denied)
    for stanza in ("<message to='{}'><body>Ay me</body></message>", "<presence to='{}'/>", "<iq type='get' to='{}'><ping xmlns='urn:xmpp:ping'/></iq>"):
        answer = post(client, stanza.format(f"{ROMEO}/orchard"))
        assert answer is not None
        error = answer.find("error")
        assert error is not None
        assert (error.get("type"), condition(answer)) == ("cancel", "not-acceptable")
        assert error.find("{urn:xmpp:blocking:errors}blocked") is not None
    assert (sent, kept(gateway)) == ([], (0, 0))
    assert post(client, "<message to='paris@verona.example'><body>Ay me</body></message>") is None
    assert len(sent) == 1


def test_an_error_to_the_blocked(client: FlaskClient, sent: list[Element]) -> None:
    block(client, ROMEO)
    error = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    response = client.post("/rest", data=f"<message type='error' to='{ROMEO}'>{error}</message>", headers=basic(JULIET) | XML)
    assert (response.status_code, "has blocked" in response.get_data(as_text=True), sent) == (403, True, [])


def test_a_batch_to_the_blocked(client: FlaskClient, sent: list[Element]) -> None:
    block(client, ROMEO)
    lines = [{"kind": "message", "to": to, "body": "Ay me"} for to in (ROMEO, "paris@verona.example", ROMEO)]
    headers = basic(JULIET) | {"Content-Type": "application/x-ndjson"}
    response = client.post("/rest", data="\n".join(map(json.dumps, lines)), headers=headers)
    assert response.get_data(as_text=True).count("not-acceptable") == 2
    assert [stanza.get("to") for stanza in sent] == ["paris@verona.example"]


def test_the_other_interfaces(client: FlaskClient, sent: list[Element]) -> None:
    block(client, ROMEO)
    client.post("/api/contacts", json={"jid": ROMEO}, headers=basic(JULIET))
    assert client.put(f"/api/contacts/{ROMEO}", json={"action": "invite"}, headers=basic(JULIET)).status_code == 403
    assert client.post("/api/messages", json={"to": ROMEO, "body": "Ay me"}, headers=basic(JULIET)).status_code == 200
    command = {"type": "chat", "from": JULIET, "to": ROMEO, "subject": "", "body": "Ay me"}
    client.post("/api/send_message", json=command, headers=ADMIN)
    assert sent == []


def test_contacts_are_told_that_one_is_gone_and_here_again(client: FlaskClient, gateway: Gateway, sent: list[Element]) -> None:
    for jid, subs in ((ROMEO, "both"), ("mercutio@montague.example", "to"), ("paris@verona.example", "from")):
        befriend(client, jid, subs)
    assert post(client, "<presence/>") is None
    sent.clear()

    def told() -> list[tuple[str, str | None]]:
        found = [(stanza.attrib["to"], stanza.get("type")) for stanza in sent]
        sent.clear()
        return found

    block(client, "montague.example", "verona.example/x", "paris@verona.example/hall")
    assert told() == [(ROMEO, "unavailable"), ("paris@verona.example/hall", "unavailable")]
    block(client, ROMEO)
    assert post(client, "<presence><show>away</show></presence>") is None
    assert told() == [("paris@verona.example", None)]
    receive(gateway, f"<presence type='probe' from='{ROMEO}' to='{JULIET}'/>")
    unblock(client, "montague.example")
    assert told() == []
    unblock(client)
    assert told() == [(ROMEO, None), ("paris@verona.example/hall", None)]
    assert post(client, "<presence type='unavailable'/>") is None
    sent.clear()
    block(client, ROMEO)
    unblock(client)
    assert told() == []


def test_a_request_that_waits_goes_with_the_block(client: FlaskClient, gateway: Gateway) -> None:
    receive(gateway, f"<presence type='subscribe' from='{ROMEO}' to='{JULIET}'/>")
    receive(gateway, f"<presence type='subscribe' from='paris@verona.example' to='{JULIET}'/>")
    block(client, ROMEO)
    assert [str(contact.jid) for contact in gateway.parts.contacts.all(parse_jid(JULIET))] == ["paris@verona.example"]


def test_an_account_that_is_gone(client: FlaskClient, gateway: Gateway) -> None:
    block(client, ROMEO)
    gateway.parts.accounts.unregister(parse_jid(JULIET))
    assert gateway.driver.load("juliet", DOMAIN, "blocklist") is None
    iq = parse_text(f"<iq type='set' id='b' from='{JULIET}' to='{JULIET}'><block xmlns='{NS}'><item jid='{ROMEO}'/></block></iq>")
    assert condition(gateway.parts.router.send(iq)) == "service-unavailable"
    assert gateway.driver.load("juliet", DOMAIN, "blocklist") is None


# beside others


def test_privacy_lists_count_as_well(client: FlaskClient, gateway: Gateway) -> None:
    block(client, ROMEO)
    item = "<item type='jid' value='paris@verona.example' action='deny' order='1'/>"
    for inner in (f"<list name='a'>{item}<item action='allow' order='2'/></list>", "<default name='a'/>"):
        post(client, f"<iq type='set'><query xmlns='jabber:iq:privacy'>{inner}</query></iq>")
    for sender in (ROMEO, "paris@verona.example"):
        assert condition(receive(gateway, f"<message from='{sender}' to='{JULIET}'><body>x</body></message>")) == "service-unavailable"
    assert receive(gateway, f"<message from='benvolio@montague.example' to='{JULIET}'><body>x</body></message>") is None
    unblock(client)
    assert condition(receive(gateway, f"<message from='paris@verona.example' to='{JULIET}'><body>x</body></message>")) == "service-unavailable"


@pytest.mark.parametrize("denied", [NURSE, "rooms.capulet.example"])
def test_nobody_is_added_to_rooms_by_the_blocked(make_app: MakeApp, denied: str) -> None:
    app = make_app(gateway_rooms_domain="rooms.capulet.example")
    register_users(app)
    client = app.test_client()
    block(client, denied)
    room = client.post("/api/rooms", json={"name": "hall", "subject": ""}, headers=basic(NURSE)).get_json()["id"]
    path = f"/api/rooms/{room}/users"
    client.post(path, json={"user": JULIET}, headers=basic(NURSE))
    assert client.get("/api/rooms", headers=basic(JULIET)).get_json() == []
    unblock(client)
    client.post(path, json={"user": JULIET}, headers=basic(NURSE))
    assert [found["id"] for found in client.get("/api/rooms", headers=basic(JULIET)).get_json()] == [room]


def test_a_list_put_at_data_counts_at_once(client: FlaskClient, gateway: Gateway) -> None:
    message = f"<message from='{ROMEO}/orchard' to='{JULIET}'><body>Ay me</body></message>"
    assert receive(gateway, message) is None
    own = basic(JULIET)
    assert client.put("/data/blocklist", json={ROMEO: 1_700_000_000, "__hash": [False, {"created": 1}]}, headers=own).status_code == 201
    assert condition(receive(gateway, message)) == "service-unavailable"
    assert blocked(client) == [ROMEO]
    block(client, "paris@verona.example")
    listed = client.get("/data/blocklist", headers=own).get_json()
    assert (listed[ROMEO], set(listed)) == (1_700_000_000, {ROMEO, "paris@verona.example", "__hash"})
    assert client.delete("/data/blocklist", headers=own).status_code == 204
    assert receive(gateway, message) is None


PROSODY_012 = b"""return {
\t["romeo@montague.example"] = 1795955210;
\t["montague.example/garden"] = true;
\t[false] = {
\t\t["created"] = 1795955000;
\t\t["modified"] = 1795955210;
\t};
};
"""
PROSODY_13 = b"""return {
\t[false] = {
\t\t["created"] = 1795955000;
\t\t["migrated"] = "privacy";
\t\t["modified"] = 1795955210;
\t};
\t["montague.example/garden"] = true;
\t["romeo@montague.example"] = 1795955210;
};"""


@pytest.mark.parametrize("written", [PROSODY_012, PROSODY_13])
def test_a_list_in_prosodys_files(make_app: MakeApp, tmp_path: Path, written: bytes) -> None:
    client, gateway = _with_juliet(make_app(storage_url="flatfile:files"))
    path = tmp_path / "data0/files/capulet%2eexample/blocklist/juliet.dat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written)
    _obeyed_and_kept(client, gateway)
    text = path.read_text()
    assert all(line in text for line in ('["romeo@montague.example"] = 1795955210;', '["created"] = 1795955000;', "[false] = {"))
    assert '["paris@verona.example"] = 1' in text
    assert ('["migrated"] = "privacy";' in text) == (b"migrated" in written)


def test_a_list_in_prosodys_rows(make_app: MakeApp, tmp_path: Path) -> None:
    client, gateway = _with_juliet(make_app(storage_url="sqlite:p.sqlite"))
    about = json.dumps({"__hash": [False, {"created": 1795955000}]})
    rows = [(ROMEO, "number", "1795955210"), ("montague.example/garden", "boolean", "true"), ("", "json", about)]
    with closing(sqlite3.connect(tmp_path / "data0/p.sqlite")) as db, db:
        row = "INSERT INTO prosody (host, user, store, key, type, value) VALUES (?, 'juliet', 'blocklist', ?, ?, ?)"
        db.executemany(row, [(DOMAIN, *rest) for rest in rows])
    _obeyed_and_kept(client, gateway)
    with closing(sqlite3.connect(tmp_path / "data0/p.sqlite")) as db:
        found = dict(db.execute("SELECT key, type FROM prosody WHERE store = 'blocklist'"))
    assert found == {ROMEO: "number", "montague.example/garden": "boolean", "paris@verona.example": "number", "": "json"}


def _with_juliet(app: Flask) -> tuple[FlaskClient, Gateway]:
    gateway: Gateway = app.extensions["gateway"]
    gateway.parts.accounts.register(parse_jid(JULIET), PASSWORD)
    return app.test_client(), gateway


def _obeyed_and_kept(client: FlaskClient, gateway: Gateway) -> None:
    """What is in the storage counts, and stays when another address is blocked."""
    assert blocked(client) == ["montague.example/garden", ROMEO]
    assert condition(receive(gateway, f"<message from='{ROMEO}/x' to='{JULIET}'><body>x</body></message>")) == "service-unavailable"
    block(client, "paris@verona.example")
    assert blocked(client) == ["montague.example/garden", "paris@verona.example", ROMEO]


@pytest.mark.parametrize("table", [[], [ROMEO], {"a b": 1, ROMEO: False, "__hash": [1, ROMEO]}, {"__array": [ROMEO]}])
def test_what_nobody_understands_blocks_nobody(client: FlaskClient, gateway: Gateway, table: object) -> None:
    gateway.driver.store("juliet", DOMAIN, "blocklist", table)  # type: ignore[arg-type]
    assert blocked(client) == []
    assert receive(gateway, f"<message from='{ROMEO}' to='{JULIET}'><body>x</body></message>") is None
    block(client, "paris@verona.example")
    assert blocked(client) == ["paris@verona.example"]


def test_what_another_program_changes_is_noticed(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", _clock(now))
    message = f"<message from='{ROMEO}' to='{JULIET}'><body>x</body></message>"
    for table, expected in (({ROMEO: 1}, "service-unavailable"), (None, ""), ({"Romeo@Montague.Example": True}, "service-unavailable")):
        gateway.driver.store("juliet", DOMAIN, "blocklist", table)
        now[0] += 2
        assert condition(receive(gateway, message)) == expected


def _clock(now: list[float]) -> Callable[[], float]:
    return lambda: now[0]
