"""vCards that Prosody stores as published items are read, and changes are not lost (XEP-0292; decision 0025)."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from flask.testing import FlaskClient

from drivers import Driver
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.drivers import prosody13
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of

JULIET, NURSE, ROMEO = f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "romeo@montague.example"
CARD_STORE = "pep_urn:xmpp:vcard4"
META, DATA, NICK = "urn:xmpp:avatar:metadata", "urn:xmpp:avatar:data", "http://jabber.org/protocol/nick"
XML = {"Content-Type": "application/xmpp+xml", "Accept": "application/xmpp+xml"}
PNG = base64.b64encode(b"\x89PNG picture").decode()
GOLD = hashlib.sha1(b"\x89PNG picture").hexdigest()

# as 0.12 and 13 write it: children have no namespace of their own, and there may be no publisher
PROSODY = b"""item({
\t{
\t\t{
\t\t\t"Juliet Four";
\t\t\t["name"] = "text";
\t\t\t["attr"] = {};
\t\t};
\t\t["name"] = "fn";
\t\t["attr"] = {};
\t};
\t{
\t\t{
\t\t\t["attr"] = {};
\t\t\t["name"] = "surname";
\t\t};
\t\t{
\t\t\t"Juliet";
\t\t\t["name"] = "given";
\t\t\t["attr"] = {};
\t\t};
\t\t["attr"] = {};
\t\t["name"] = "n";
\t};
\t{
\t\t{
\t\t\t"juliet@capulet.example";
\t\t\t["name"] = "text";
\t\t\t["attr"] = {};
\t\t};
\t\t{
\t\t\t{
\t\t\t\t{
\t\t\t\t\t"work";
\t\t\t\t\t["name"] = "text";
\t\t\t\t\t["attr"] = {};
\t\t\t\t};
\t\t\t\t["name"] = "type";
\t\t\t\t["attr"] = {};
\t\t\t};
\t\t\t["name"] = "parameters";
\t\t\t["attr"] = {};
\t\t};
\t\t["attr"] = {};
\t\t["name"] = "email";
\t};
\t["when"] = 1795972162;
\t["attr"] = {
\t\t["xmlns"] = "urn:ietf:params:xml:ns:vcard-4.0";
\t\t["stamp"] = "2026-11-29T17:09:22Z";
\t};
\t["key"] = "current";
\t["name"] = "vcard";
});
"""
FULL = """<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>Juliet Capulet</text></fn>
<n><surname>Capulet</surname><given>Juliet</given><additional/></n><nickname><text>Jule</text></nickname><gender><sex>F</sex></gender>
<email><parameters><type><text>home</text></type></parameters><text>j@x.example</text></email>
<tel><parameters><type><text>cell</text></type><pref><integer>1</integer></pref></parameters><uri>tel:555</uri></tel>
<tel><text>556</text></tel><org><text>Capulets</text><text>Heirs</text></org><url><uri>https://x.example/</uri></url>
<bday><date>1285-08-01</date></bday><adr><street>Via Cappello</street><locality>Verona</locality></adr>
<impp><uri>xmpp:juliet@capulet.example</uri></impp><impp><uri>sip:juliet@x.example</uri></impp>
<photo><uri>data:image/png;base64,AAAA</uri></photo></vcard>"""
URLS = ["sqlite:p.sqlite", "flatfile:files"]


@pytest.fixture(params=URLS)
def app(request: pytest.FixtureRequest, make_app: MakeApp) -> Flask:
    return register_users(make_app(storage_url=request.param))


@pytest.fixture
def driver(gateway: Gateway) -> Driver:
    return gateway.driver


def publish(driver: Driver, node: str, payload: str, key: str = "current", model: str = "open") -> None:
    driver.archive_append("juliet", DOMAIN, f"pep_{node}", payload, when=1_795_972_162, key=key)
    entry = {"name": node, "config": {"access_model": model}, "subscribers": {}, "affiliations": {}}
    driver.store("juliet", DOMAIN, "pep", {**(dict(driver.load("juliet", DOMAIN, "pep") or {})), node: entry})


def publish_avatar(driver: Driver) -> None:
    publish(driver, DATA, f"<data xmlns='{DATA}'>{PNG}</data>", GOLD)
    publish(driver, META, f"<metadata xmlns='{META}'><info id='{GOLD}' type='image/png' bytes='12'/></metadata>", GOLD)


def call(client: FlaskClient, called: str, status: int = 200, **arguments: object) -> object:
    response = client.post(f"/api/{called}", json={"user": "juliet", "host": DOMAIN, **arguments}, headers=basic(f"admin@{DOMAIN}"))
    assert response.status_code == status, response.data
    return response.get_json()


def card(gateway: Gateway, reader: str = JULIET) -> Element:
    stanza = parse_text(f"<iq type='get' id='v' from='{reader}' to='{JULIET}'><vCard xmlns='vcard-temp'/></iq>")
    answer = gateway.parts.router.deliver(stanza, parse_jid(reader), parse_jid(JULIET))
    assert answer is not None
    return answer[0]


def put_card(client: FlaskClient, inner: str) -> Element:
    data = f"<iq type='set'><vCard xmlns='vcard-temp'>{inner}</vCard></iq>"
    return parse_text(client.post("/rest", data=data, headers=basic(JULIET) | XML).get_data(as_text=True))


def texts(element: Element) -> list[tuple[str, str]]:
    """(path, text) of all that says something, and of empty elements."""
    found = []
    for field in element:
        name = field.tag.rpartition("}")[2]
        inner = [(f"{name}/{path}", text) for path, text in texts(field)]
        found += inner or [(name, (field.text or "").strip())]
    return found


def published(driver: Driver) -> Element:
    (item,) = driver.archive_find("juliet", DOMAIN, CARD_STORE)
    assert item.id == "current"
    return parse_text(item.stanza)


def test_all_that_both_can_say(client: FlaskClient, gateway: Gateway, driver: Driver) -> None:
    publish(driver, "urn:xmpp:vcard4", FULL)
    expected = [
        ("FN", "Juliet Capulet"), ("N/FAMILY", "Capulet"), ("N/GIVEN", "Juliet"), ("NICKNAME", "Jule"),
        ("EMAIL/USERID", "j@x.example"), ("EMAIL/INTERNET", ""), ("EMAIL/HOME", ""),
        ("TEL/CELL", ""), ("TEL/PREF", ""), ("TEL/NUMBER", "555"), ("TEL/NUMBER", "556"),
        ("ORG/ORGNAME", "Capulets"), ("ORG/ORGUNIT", "Heirs"), ("URL", "https://x.example/"), ("BDAY", "1285-08-01"),
        ("ADR/STREET", "Via Cappello"), ("ADR/LOCALITY", "Verona"), ("JABBERID", JULIET),
        ("PHOTO/TYPE", "image/png"), ("PHOTO/BINVAL", "AAAA"),
    ]  # fmt: skip
    assert texts(card(gateway)) == expected
    assert call(client, "get_vcard", name="NICKNAME") == "Jule"
    assert call(client, "get_vcard2", name="ORG", subname="ORGNAME") == "Capulets"
    assert call(client, "get_vcard2_multi", name="TEL", subname="CELL") == ["555"]
    assert gateway.parts.vcards.nick(parse_jid(JULIET)) == "Jule"


SET = [
    ({"name": "FN", "content": "Juliet Five"}, "fn", "Juliet Five"),
    ({"name": "N", "subname": "FAMILY", "content": "Montague"}, "n", "Montague"),
    ({"name": "EMAIL", "subname": "USERID", "content": "j@y.example"}, "email", "j@y.example"),
    ({"name": "TEL", "subname": "CELL", "content": "777"}, "tel", "tel:777"),
    ({"name": "ORG", "subname": "ORGUNIT", "contents": ["A", "B"]}, "org", "B"),
    ({"name": "PHOTO", "subname": "BINVAL", "content": "BBBB"}, "photo", "data:image/png;base64,BBBB"),
    ({"name": "DESC", "content": "Fair sun"}, "DESC", "Fair sun"),  # what vCard4 has no word for is kept as it is
    ({"name": "X", "subname": "Y", "content": "z"}, "X", "z"),
    ({"name": "EMAIL", "content": "odd"}, "EMAIL", "odd"),
]


@pytest.mark.parametrize(("arguments", "name", "text"), SET)
def test_what_is_set_is_in_the_item(
    client: FlaskClient, gateway: Gateway, driver: Driver, arguments: dict[str, Any], name: str, text: str
) -> None:
    publish(driver, "urn:xmpp:vcard4", FULL)
    before = dict(texts(card(gateway)))
    kind = "2_multi" if "contents" in arguments else "2" if "subname" in arguments else ""
    assert call(client, f"set_vcard{kind}", **arguments) == 0
    asked = {key: value for key, value in arguments.items() if not key.startswith("content")}
    value = arguments.get("contents") or arguments["content"]
    assert call(client, f"get_vcard{kind}", **asked) == value
    item = published(driver)
    said = ["".join(field.itertext()) for field in item if field.tag.rpartition("}")[2] == name]
    assert any(text in one for one in said), said
    kept = {path: text for path, text in before.items() if path.split("/")[0] != arguments["name"]}
    assert kept.items() <= dict(texts(card(gateway))).items()
    assert {"F", "sip:juliet@x.example"} <= {"".join(field.itertext()) for field in item}  # which no vcard-temp can say
    assert driver.load("juliet", DOMAIN, "vcard") is None


def test_a_whole_card_by_iq(client: FlaskClient, gateway: Gateway, driver: Driver) -> None:
    publish(driver, "urn:xmpp:vcard4", FULL)
    inner = "<FN>J.</FN><MAILER>pine</MAILER><PHOTO><TYPE>image/png</TYPE><BINVAL>\nAA\nAA\n</BINVAL></PHOTO>"
    assert put_card(client, inner).get("type") == "result"
    shown = [("FN", "J."), ("MAILER", "pine"), ("PHOTO/TYPE", "image/png"), ("PHOTO/BINVAL", "AAAA")]
    assert sorted(texts(card(gateway))) == sorted(shown)
    assert call(client, "set_nickname", nickname="Jule") == 0
    assert texts(card(gateway)) == [("NICKNAME", "Jule")]


def test_a_card_beside_what_is_published(client: FlaskClient, gateway: Gateway, driver: Driver) -> None:
    """As older gateways left it: what showed here goes where Prosody looks."""
    publish(driver, "urn:xmpp:vcard4", FULL)
    gateway.driver.store("juliet", DOMAIN, "vcard", {"name": "vCard", "attr": {"xmlns": "vcard-temp"}, "__array": [
        {"name": "FN", "attr": {"xmlns": "vcard-temp"}, "__array": ["Old"]},
        {"name": "ROLE", "attr": {"xmlns": "vcard-temp"}, "__array": ["Heiress"]},
    ]})  # fmt: skip
    assert texts(card(gateway)) == [("FN", "Old"), ("ROLE", "Heiress")]
    assert call(client, "set_vcard", name="FN", content="New") == 0
    assert driver.load("juliet", DOMAIN, "vcard") is None
    assert dict(texts(card(gateway))) == {"ROLE": "Heiress", "FN": "New"}


def test_data_does_not_write_where_nobody_looks(client: FlaskClient, driver: Driver) -> None:
    own = basic(JULIET)
    table = {"name": "vCard", "attr": {"xmlns": "vcard-temp"}, "__array": []}
    assert client.put("/data/vcard", json=table, headers=own).status_code == 201
    assert client.delete("/data/vcard", headers=own).status_code == 204
    publish(driver, "urn:xmpp:vcard4", FULL)
    for method in (client.put, client.post):
        refused = method("/data/vcard", json=table, headers=own)
        assert (refused.status_code, "set_vcard" in refused.get_json()["detail"]) == (409, True)
    assert client.get("/data/vcard", headers=own).status_code == 404
    assert client.put("/data/vcard", json=table, headers=basic(NURSE)).status_code == 201


def test_an_avatar_is_the_photo(client: FlaskClient, gateway: Gateway, driver: Driver) -> None:
    publish_avatar(driver)
    photo = [("PHOTO/TYPE", "image/png"), ("PHOTO/BINVAL", PNG)]
    assert texts(card(gateway)) == photo
    for _ in range(2):  # first in the store vcard, then beside a published card
        assert call(client, "set_vcard", name="FN", content="J") == 0
        text = call(client, "set_vcard2", 409, name="PHOTO", subname="BINVAL", content="BBBB")
        assert "avatar" in str(text)
        refused = put_card(client, "<PHOTO><BINVAL>BBBB</BINVAL></PHOTO>")
        assert (refused.get("type"), condition_of(refused).condition) == ("error", "conflict")
        assert put_card(client, f"<FN>J</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>{PNG}</BINVAL></PHOTO>").get("type") == "result"
        assert ("FN", "J") in texts(card(gateway))
        driver.store("juliet", DOMAIN, "vcard", None)
        publish(driver, "urn:xmpp:vcard4", "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>J</text></fn></vcard>")
    assert texts(card(gateway)) == [("FN", "J"), *photo]


def test_a_nick_alone(gateway: Gateway, driver: Driver) -> None:
    assert texts(card(gateway)) == []
    publish(driver, NICK, f"<nick xmlns='{NICK}'>Jule</nick>")
    assert texts(card(gateway)) == [("NICKNAME", "Jule")]


@pytest.mark.parametrize(
    ("model", "affiliations", "stranger", "friend"),
    [("open", {}, True, True), ("presence", {}, False, True), ("whitelist", {}, False, False),
     ("whitelist", {ROMEO: "member"}, True, False), ("open", {ROMEO: "outcast"}, False, True)],
)  # fmt: skip
def test_a_card_is_for_whom_it_is_for(
    client: FlaskClient, gateway: Gateway, driver: Driver, model: str, affiliations: dict[str, str], stranger: bool, friend: bool
) -> None:
    publish(driver, "urn:xmpp:vcard4", FULL)
    entry = {"name": "x", "config": {"access_model": model}, "subscribers": {}, "affiliations": affiliations}
    driver.store("juliet", DOMAIN, "pep", {"urn:xmpp:vcard4": entry})
    contact = {"localuser": "juliet", "localhost": DOMAIN, "user": "paris", "host": "verona.example", "nick": "", "groups": [], "subs": "from"}
    client.post("/api/add_rosteritem", json=contact, headers=basic(f"admin@{DOMAIN}"))
    seen = [len(card(gateway, reader)) > 0 for reader in (f"{ROMEO}/x", "paris@verona.example/x", f"{JULIET}/x")]
    assert seen == [stranger, friend, True]
    assert call(client, "get_vcard", name="NICKNAME") == "Jule"


def test_a_node_without_settings_is_for_contacts(gateway: Gateway, driver: Driver) -> None:
    publish(driver, "urn:xmpp:vcard4", FULL)
    for table in ({"urn:xmpp:vcard4": True}, None):
        driver.store("juliet", DOMAIN, "pep", table)
        assert (len(card(gateway, ROMEO)), len(card(gateway)) > 0) == (0, True)


@pytest.mark.parametrize("payload", ["<x xmlns='y'/>", "<vcard/>", "<vCard xmlns='vcard-temp'><FN>x</FN></vCard>"])
def test_what_is_no_card_counts_as_none(client: FlaskClient, gateway: Gateway, driver: Driver, payload: str) -> None:
    publish(driver, "urn:xmpp:vcard4", payload)
    assert texts(card(gateway)) == []
    assert call(client, "set_vcard", name="FN", content="J") == 0
    assert texts(card(gateway)) == [("FN", "J")]


@pytest.mark.parametrize("indexed", [False, True])
def test_prosodys_own_files(make_app: MakeApp, tmp_path: Path, indexed: bool) -> None:
    app = register_users(make_app(storage_url="flatfile:files"))
    client = app.test_client()
    path = tmp_path / "data0/files/capulet%2eexample/pep_urn%3axmpp%3avcard4/juliet.list"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PROSODY)
    if indexed:
        prosody13.build_index(path)
    expected = [("FN", "Juliet Four"), ("N/GIVEN", "Juliet"), ("EMAIL/USERID", JULIET), ("EMAIL/INTERNET", ""), ("EMAIL/WORK", "")]
    assert texts(card(app.extensions["gateway"])) == expected
    assert call(client, "set_vcard", name="FN", content="Juliet Five") == 0
    assert texts(card(app.extensions["gateway"]))[-1] == ("FN", "Juliet Five")
    (item,) = prosody13.items(path)
    for line in (b'"Juliet Five";', b'"work";', b'["key"] = "current";', b'["name"] = "vcard";', b'["xmlns"] = "urn:ietf:params:xml:ns:vcard-4.0";'):
        assert line in item
    assert b"Four" not in path.read_bytes()


def test_prosodys_own_rows(make_app: MakeApp, tmp_path: Path) -> None:
    client = register_users(make_app(storage_url="sqlite:p.sqlite")).test_client()
    row = (DOMAIN, "juliet", CARD_STORE, "current", 1795972162.5, f"{JULIET}/x", "xml", FULL)
    with closing(sqlite3.connect(tmp_path / "data0/p.sqlite")) as db, db:
        names = 'host, user, store, key, "when", "with", type, value'
        db.execute(f"INSERT INTO prosodyarchive ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    assert call(client, "get_vcard", name="FN") == "Juliet Capulet"
    assert call(client, "set_vcard", name="FN", content="J") == 0
    with closing(sqlite3.connect(tmp_path / "data0/p.sqlite")) as db:
        rows = db.execute('SELECT key, "with", type FROM prosodyarchive WHERE store = ?', [CARD_STORE]).fetchall()
    assert rows == [("current", f"{JULIET}/x", "xml")]
    assert call(client, "get_vcard", name="FN") == "J"
