"""ejabberd's database, old and new: what the reader makes of rows as ejabberd 23.01, 24.12 and 25.03 write them."""

from __future__ import annotations

import sqlite3
from base64 import b64encode
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.importing.sql.filled import fill, of_kind, read
from xmpp_rest.importing import records as r
from xmpp_rest.importing.sources import BadSource, NoSource
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.privacy import PrivacyItem

HOST, ROOMS = "montague.example", "conference.montague.example"
KEY, SALT = b"k" * 20, b"\xff" * 16
SCRAM = {
    "password": b64encode(KEY).decode(),
    "serverkey": b64encode(KEY).decode(),
    "salt": b64encode(SALT).decode(),
    "iterationcount": 4096,
}
PLAIN = {"password": "pässword", "serverkey": "", "salt": "", "iterationcount": 0}
BAN = (
    "<banned xmlns='jabber:ejabberd:banned'><reason>Spam</reason><password><storedkey>{key}</storedkey><serverkey>{key}</serverkey><salt>{salt}</salt>"
    "<hash>sha256</hash><iterationcount>4096</iterationcount></password><lastdate>2026-11-29T12:46:02Z</lastdate><lastreason>left</lastreason>"
    "<bandate>2026-11-29T12:46:03.5Z</bandate></banned>"
)


def message(body: str, extra: str = "") -> str:
    return f"<message to='romeo@{HOST}' from='x@y/z' type='chat' xmlns='jabber:client'>{extra}<body>{body}</body></message>"


def archived(user: str, when: int, body: str, peer: str = "x@y", **more: Any) -> dict[str, Any]:
    return {"username": user, "timestamp": when, "bare_peer": peer, "xml": message(body), "kind": "chat", "nick": "", "id": when, **more}


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"ejabberd+sqlite:{tmp_path}/ejabberd.db"


def filled(source: str, **tables: list[dict[str, Any]]) -> tuple[dict[str, list[Any]], list[Any]]:
    """The entities of a database of the old schema with these rows beside the accounts `mercutio` and `romeo`."""
    tables.setdefault(
        "users",
        [{"username": "romeo", **SCRAM, "created_at": "2026-11-29 10:00:00"}, {"username": "mercutio", **PLAIN, "created_at": None}],
    )
    fill(Path(source.partition(":")[2]), tables)
    return read(source, {HOST: "gateway.example"})


def test_accounts_have_their_credentials(source: str) -> None:
    found, others = filled(source)
    assert found == {
        f"mercutio@{HOST}": [r.Password("pässword")],
        f"romeo@{HOST}": [r.Made(1795946400.0), r.Scram("SCRAM-SHA-1", 4096, SALT, KEY, KEY)],
    }
    assert not others


@pytest.mark.parametrize("rows", [((2, ""), (3, ""), (4, "")), ((0, ""), (0, "sha256:"), (None, "sha512:"))])
def test_an_account_may_have_several_mechanisms(source: str, rows: tuple[tuple[int | None, str], ...]) -> None:
    users = [{"username": "romeo", "type": kind, **SCRAM, "password": f"{prefix}{SCRAM['password']}"} for kind, prefix in rows]
    contact = {"username": "romeo", "jid": "a@b", "nick": "A", "subscription": "B", "ask": "N", "askmessage": ""}
    found, _ = filled(source, users=users, rosterusers=[contact])
    scrams = {r.Scram(f"SCRAM-SHA-{name}", 4096, SALT, KEY, KEY) for name in ("1", "256", "512")}
    *credentials, item = found[f"romeo@{HOST}"]
    assert set(credentials) == scrams
    assert item == r.RosterItem("a@b", "both", "A")


def test_the_password_of_a_banned_account_is_in_private_storage(source: str) -> None:
    ban = BAN.format(key=b64encode(b"t" * 32).decode(), salt=b64encode(SALT).decode())
    rows = [("jabber:ejabberd:banned", ban), ("storage:bookmarks", "<storage xmlns='storage:bookmarks'/>")]
    found, _ = filled(source, private_storage=[{"username": "romeo", "namespace": namespace, "data": data} for namespace, data in rows])
    _, disabled, scram, private = found[f"romeo@{HOST}"]
    assert disabled == r.Disabled("Spam", 1795956363.5, 1795956362.0, "left")
    assert scram == r.Scram("SCRAM-SHA-256", 4096, SALT, b"t" * 32, b"t" * 32)
    assert serialise(private.element) == "<storage xmlns='storage:bookmarks'/>"


@pytest.mark.parametrize(
    ("ban", "part"),
    [
        ("<banned", r.LeftOut),
        ("<banned xmlns='jabber:ejabberd:banned'><password>plain</password></banned>", r.Password),
        ("<banned xmlns='jabber:ejabberd:banned'><hash>x</hash></banned>", r.Scram),  # as of 25
    ],
)
def test_a_ban_is_never_lost(source: str, ban: str, part: type) -> None:
    found, _ = filled(source, private_storage=[{"username": "romeo", "namespace": "jabber:ejabberd:banned", "data": ban}])
    _, disabled, other = found[f"romeo@{HOST}"]
    assert disabled == r.Disabled()
    assert isinstance(other, part)


def test_a_password_that_is_not_base64_is_left_out(source: str) -> None:
    found, _ = filled(source, users=[{"username": "romeo", **SCRAM, "salt": "%"}])
    assert [part.kind for part in found[f"romeo@{HOST}"]] == [r.ACCOUNTS]


def contact(jid: str, subscription: str, ask: str, askmessage: str = "", approved: object = None) -> dict[str, Any]:
    names = ("username", "jid", "nick", "subscription", "ask", "askmessage", "approved")
    return dict(zip(names, ("romeo", jid, "", subscription, ask, askmessage, approved), strict=True))


def test_a_roster_has_groups_and_requests(source: str) -> None:
    rows = [contact("a@b", "T", "B", "let me"), contact("c@d", "N", "I"), contact("e@f", "N", "O", approved="t"), contact("g@h", "?", "U")]
    groups = [{"username": "romeo", "jid": "a@b", "grp": grp} for grp in ("G1", "", "G2")]
    found, _ = filled(source, rosterusers=rows, rostergroups=groups)
    items = list(of_kind(found[f"romeo@{HOST}"], r.RosterItem))
    assert serialise(items[0].request) == "<presence type='subscribe' from='a@b'><status>let me</status></presence>"
    assert [item._replace(request=None) for item in items] == [
        r.RosterItem("a@b", "to", "", ("G1", "G2"), ask_out=True, ask_in=True),
        r.RosterItem("c@d", "none", ask_in=True, listed=False),
        r.RosterItem("e@f", "none", ask_out=True, approved=True),
        r.RosterItem("g@h", "none"),
    ]


def rule(number: int, kind: str, value: str, action: str = "d", **matches: int) -> dict[str, Any]:
    every = {f"match_{name}": 0 for name in ("all", "iq", "message", "presence_in", "presence_out")}
    return {
        "id": number,
        "t": kind,
        "value": value,
        "action": action,
        "ord": 3,
        **every,
        **{f"match_{name}": flag for name, flag in matches.items()},
    }


def test_privacy_lists_and_blocked_addresses_are_told_apart(source: str) -> None:
    names = [("romeo", "Blocked contacts", 1), ("romeo", "work", 2), ("mercutio", "Blocked contacts", 3), ("mercutio", "odd", 4)]
    lists = [dict(zip(("username", "name", "id"), each, strict=True)) for each in names]
    rules = [
        rule(1, "j", "s@x", all=1),
        rule(2, "g", "Home", message=1, iq=1),
        rule(2, "s", "both", "a"),
        rule(3, "n", "", all=1),
        rule(4, "?", ""),
    ]
    defaults = [{"username": user, "name": "Blocked contacts"} for user in ("romeo", "mercutio")]
    found, _ = filled(source, privacy_list=lists, privacy_list_data=rules, privacy_default_list=defaults)
    kinds = (r.BlockedAddress, r.PrivacyList, r.LeftOut)
    group, both = PrivacyItem(3, False, "group", "Home", frozenset(("message", "iq"))), PrivacyItem(3, True, "subscription", "both")
    assert list(of_kind(found[f"romeo@{HOST}"], *kinds)) == [r.BlockedAddress("s@x"), r.PrivacyList("work", (group, both))]
    everybody, left_out = of_kind(found[f"mercutio@{HOST}"], *kinds)
    assert everybody == r.PrivacyList("Blocked contacts", (PrivacyItem(3, False),), default=True)
    assert "'odd'" in left_out.reason


def test_cards_private_elements_and_activity_are_read_or_named(source: str) -> None:
    users = ["romeo", "mercutio"]
    cards = [
        {"username": user, "vcard": text}
        for user, text in zip(users, ("<vCard xmlns='vcard-temp'><FN>R</FN></vCard>", "<vCard xmlns='vcard-temp'><></vCard>"), strict=True)
    ]
    last = [{"username": user, "seconds": text, "state": "gone"} for user, text in zip(users, ("1700000000", "0"), strict=True)]
    found, _ = filled(source, vcard=cards, last=last, private_storage=[{"username": "mercutio", "namespace": "x", "data": "no element"}])
    _, _, card, activity = found[f"romeo@{HOST}"]
    assert serialise(card.element) == "<vCard xmlns='vcard-temp'><FN>R</FN></vCard>"
    assert activity == r.LastSeen(1700000000.0, "gone")
    assert [part.kind for part in of_kind(found[f"mercutio@{HOST}"], r.LeftOut)] == ["vCards", "private elements"]


def test_an_archive_has_the_ids_that_clients_know(source: str) -> None:
    when = 1796013928435309
    rows = [
        archived("romeo", when, "one"),
        archived("romeo", when, "two", id=when + 1),
        archived("romeo", when, "two", id=when + 2),
        archived("romeo", 1, "", xml="\1packed"),
    ]
    mark = "<archived by='x' id='1' xmlns='urn:xmpp:mam:tmp'/>"
    rows.append(archived("romeo", when + 9, "", xml=message("three", mark)))
    found, _ = filled(source, archive=rows)
    left_out, *items = of_kind(found[f"romeo@{HOST}"], r.Archived, r.LeftOut)
    assert "compress_xml" in left_out.reason
    assert [(item.id, item.when, item.with_, item.stanza.findtext("body")) for item in items] == [
        (str(when), when / 1e6, "x@y", "one"), (f"{when}-2", when / 1e6, "x@y", "two"), (str(when + 9), (when + 9) / 1e6, "x@y", "three"),
    ]  # fmt: skip
    assert [child.tag for child in items[-1].stanza] == ["body"]


def test_offline_messages_have_their_time(source: str) -> None:
    delay = "<delay from='m' stamp='2026-11-29T10:00:00.5Z' xmlns='urn:xmpp:delay'>Offline Storage</delay>"
    spool = [
        {"username": "romeo", "xml": message(body, extra), "seq": n, "created_at": "2026-11-29 11:00:00"}
        for n, (body, extra) in enumerate((("one", delay), ("two", "")))
    ]
    found, _ = filled(source, spool=spool)
    kept = list(of_kind(found[f"romeo@{HOST}"], r.OfflineMessage))
    assert [(part.when, part.stanza.findtext("body"), len(part.stanza)) for part in kept] == [
        (1795946400.5, "one", 1),
        (1795950000.0, "two", 1),
    ]


def test_archive_preferences_are_terms(source: str) -> None:
    rows = [
        dict(username=user, **{"def": word}, always=always, never='[{<<>>,<<"d">>,<<"r">>}]')
        for user, word, always in (("romeo", "roster", '[{<<"a">>,<<"b">>,<<>>}]'), ("mercutio", "roster", "["), ("mercutio", "odd", "[]"))
    ]
    found, _ = filled(source, archive_prefs=rows)
    assert list(of_kind(found[f"romeo@{HOST}"], r.ArchivePreferences)) == [r.ArchivePreferences("roster", ("a@b",), ("d/r",))]
    assert [part.kind for part in of_kind(found[f"mercutio@{HOST}"], r.LeftOut)] == ["archive preferences"] * 2


def test_published_items_are_read_with_their_nodes(source: str) -> None:
    nodes = [{"host": f"romeo@{HOST}", "node": "n1", "nodeid": 1}, {"host": f"pubsub.{HOST}", "node": "n2", "nodeid": 2}]
    options = [
        {"nodeid": 1, "name": name, "val": val}
        for name, val in (
            ("access_model", "roster"),
            ("max_items", "3"),
            ("title", '<<"T">>'),
            ("persist_items", "true"),
            ("type", "<<>>"),
            ("itemreply", "none"),
            ("description", "["),
        )
    ]
    states = [
        {"nodeid": 1, "jid": jid, "affiliation": a, "subscriptions": s}
        for jid, a, s in ((f"romeo@{HOST}", "o", ""), ("a@b", "p", "s:1"), ("c@d", "n", "p:1"))
    ]
    items = [
        {"nodeid": 1, "itemid": i, "publisher": "romeo@m/x", "modification": m, "payload": p}
        for i, m, p in (
            ("2", "001796:013928:536515", "<b/>"),
            ("1", "001796:013927:000000", "<a xmlns='u'/>"),
            ("3", "never", "<c/>"),
            ("4", "x", "<"),
        )
    ]
    found, others = filled(source, pubsub_node=nodes, pubsub_node_option=options, pubsub_state=states, pubsub_item=items)
    node, *published = of_kind(found[f"romeo@{HOST}"], r.PepNode, r.PepItem, r.LeftOut)
    assert node == r.PepNode(
        "n1", {"access_model": "whitelist", "max_items": 3, "title": "T", "persist_items": True}, {"a@b": "publisher"}, ("a@b",)
    )
    assert [(item.id, item.when) for item in published[:3]] == [("1", 1796013927.0), ("2", 1796013928.536515), ("3", None)]
    assert isinstance(published[3], r.LeftOut)
    assert [other.kind for other in others] == ["pubsub_node (1 rows)"]


OPTIONS = (
    '[{title,<<208,159>>},{description,<<"D \\"x\\"">>},{max_users,none},{moderated,false},{presence_broadcast,[moderator]},{allow_private_messages,false},{logging,true},{hats_users,[]},'
    '{captcha_whitelist,[]},{password,[1]},{affiliations,[{{<<"al">>,<<"m">>,<<>>},{owner,<<"made it">>}},{{<<>>,<<"evil">>,<<>>},outcast},{{<<"n">>,<<"m">>,<<>>},none},odd]},'
    '{subject,[{text,<<"en">>,<<"S">>}]},{subject_author,{<<"Nick">>,{jid,<<"al">>,<<"m">>,<<>>,<<"al">>,<<"m">>,<<>>}}},'
    '{subscribers,[{{jid,<<"n">>,<<"m">>,<<>>,<<"n">>,<<"m">>,<<>>},<<"N">>,[<<"urn:xmpp:mucsub:nodes:messages">>]}]}]'
)


def test_rooms_have_options_affiliations_subscribers_and_messages(source: str) -> None:
    rooms = [
        {"name": "garden", "host": ROOMS, "opts": OPTIONS},
        {"name": "balcony", "host": ROOMS, "opts": "["},
        {"name": "attic", "host": ROOMS, "opts": '[{subject,<<"old">>}]'},
    ]
    subscribers = [
        {"room": "garden", "host": ROOMS, "jid": jid, "nick": "A", "nodes": nodes} for jid, nodes in (("a@m", '[<<"n">>]'), ("b@m", "x"))
    ]
    archive = [
        archived(f"garden@{ROOMS}", 5, "hi", nick="Al", xml=message("hi", "<x xmlns='http://jabber.org/protocol/muc#user'/>")),
        archived(f"gone@{ROOMS}", 6, "x"),
    ]
    found, others = filled(source, muc_room=rooms, muc_room_subscribers=subscribers, archive=archive)
    parts = found[f"garden@{ROOMS}"]
    options = {part.name: part.value for part in of_kind(parts, r.RoomOption)}
    wanted = {
        "title": "П",
        "description": 'D "x"',
        "max_users": "100000",
        "moderated": "false",
        "presence_broadcast": "[moderator]",
        "allowpm": "none",
        "mam": "false",
        "public": "true",
    }
    assert {name: options.get(name) for name in wanted} == wanted
    assert "logging" not in options
    assert list(of_kind(parts, r.RoomAffiliation)) == [r.RoomAffiliation("al@m", "owner", "made it"), r.RoomAffiliation("evil", "outcast")]
    assert list(of_kind(parts, r.RoomSubscriber)) == [
        r.RoomSubscriber("n@m", "N", ("urn:xmpp:mucsub:nodes:messages",)),
        r.RoomSubscriber("a@m", "A", ("n",)),
    ]
    assert list(of_kind(parts, r.RoomSubject)) == [r.RoomSubject("S", "Nick")]
    (item,) = of_kind(parts, r.Archived)
    assert serialise(item.stanza) == f"<message from='garden@{ROOMS}/Al' type='groupchat'><body>hi</body></message>"
    assert [part.kind for part in of_kind(parts, r.LeftOut)] == ["room options", "room options", "affiliations", "subscribers"]
    assert [type(part) for part in found[f"balcony@{ROOMS}"]] == [r.LeftOut]
    assert list(of_kind(found[f"attic@{ROOMS}"], r.RoomSubject)) == [r.RoomSubject("old")]
    assert [other.reason for other in others] == ["1 messages are of rooms that do not exist any more"]


def test_what_belongs_to_a_domain_is_read(source: str) -> None:
    nicks = [{"jid": "a@m", "host": ROOMS, "nick": "A"}, {"jid": "b@m", "host": f"garden@{ROOMS}", "nick": "B"}]
    groups = [
        {"name": "g1", "opts": '[{name,<<"L">>},{displayed_groups,[<<"g1">>]},{description,<<"D">>},{all_users,true}]'},
        {"name": "g2", "opts": "[x]"},
    ]
    _, others = filled(
        source, muc_registered=nicks, sr_group=groups, sr_user=[{"jid": "a@m", "grp": "g1"}], motd=[{"username": "", "xml": "<x/>"}]
    )
    nick, alone, group, odd, motd = others
    assert (alone.kind, odd.kind, motd.kind) == ("reserved nicks", "shared roster groups", "motd (1 rows)")
    assert nick == r.ReservedNick(ROOMS, "a@m", "A")
    assert group == r.SharedGroup("g1", HOST, "L", "D", ("g1",), frozenset(("all_users",)), ("a@m",))


def test_rows_of_nobody_are_counted(source: str) -> None:
    rows = [contact("a@b", "B", "N") | {"username": "ldap"}, contact("c@d", "B", "N") | {"username": "ldap"}]
    _, (other,) = filled(source, rosterusers=rows, archive=[archived("romeo", 1, "x")])
    assert other == r.Unreadable("the database", "roster items", "2 rows of the table rosterusers belong to nobody in the table users")


def test_the_new_schema_names_the_domain(source: str) -> None:
    users = [{"username": "romeo", "server_host": host, **PLAIN} for host in (HOST, "verona.example")]
    contacts = [contact(jid, "B", "N") | {"server_host": host} for jid, host in (("a@b", HOST), ("c@d", "verona.example"))]
    nodes = [{"host": f"romeo@{HOST}", "node": "n1", "nodeid": 1}]
    groups = [{"name": "g1", "server_host": "verona.example", "opts": "[]"}]
    found, others = filled(source, users=users, rosterusers=contacts, pubsub_node=nodes, sr_group=groups)
    assert found == {
        f"romeo@{HOST}": [r.Password("pässword"), r.RosterItem("a@b", "both"), r.PepNode("n1", {}, {}, ())],
        "romeo@verona.example": [r.Password("pässword"), r.RosterItem("c@d", "both")],
    }
    assert others == [r.SharedGroup("g1", "verona.example")]


@pytest.mark.parametrize("domains", [{}, {"a.example": "x", "b.example": "y"}, {ROOMS: "x"}])
def test_the_domain_of_the_old_schema_must_be_said(source: str, domains: dict[str, str]) -> None:
    fill(
        Path(source.partition(":")[2]),
        {"users": [{"username": "romeo", **PLAIN}], "muc_room": [{"name": "a", "host": ROOMS, "opts": "[]"}]},
    )
    with pytest.raises(BadSource, match="--domain OLD=NEW"):
        read(source, domains)
    found, _ = read(source, {HOST: "x", ROOMS: "y"})
    assert f"romeo@{HOST}" in found


def test_a_file_that_is_no_database_of_ejabberd_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoSource):
        read(f"ejabberd+sqlite:{tmp_path}/none", {})
    (tmp_path / "text").write_text("no database, but a text that is long enough to have a page of its own" * 100)
    with pytest.raises(BadSource, match="cannot be read"):
        read(f"ejabberd+sqlite:{tmp_path}/text", {})
    fill(tmp_path / "other.db", {"users": [{"id": 1}]})
    with pytest.raises(BadSource, match="not a database of ejabberd"):
        read(f"ejabberd+sqlite:{tmp_path}/other.db", {})


def test_odd_values_cost_themselves_alone(source: str) -> None:
    ban = "<banned xmlns='jabber:ejabberd:banned'><bandate>yesterday</bandate></banned>"
    fill(Path(source.partition(":")[2]), {
        "users": [{"username": "romeo", **SCRAM, "created_at": "never"}],
        "private_storage": [{"username": "romeo", "namespace": "jabber:ejabberd:banned", "data": ban}],
        "vcard": [{"username": "romeo", "vcard": "<other/>"}],
        "archive_prefs": [{"username": "romeo", "def": "roster", "always": "[x]", "never": "[]"}],
        "archive": [archived("romeo", 1, "", xml=message("x").encode().replace(b">x<", b">\xff<")), archived("romeo", 2, "", timestamp="odd")],
        "muc_room": [{"name": "garden", "host": ROOMS, "opts": "[{subject,5}]"}],
    })  # fmt: skip
    with closing(sqlite3.connect(source.partition(":")[2])) as connection, connection:
        connection.execute("UPDATE archive SET xml = CAST(xml AS TEXT)")  # text that is not UTF-8
    found, _ = read(source, {HOST: "x"})
    disabled, scram, *others = found[f"romeo@{HOST}"]
    assert disabled == r.Disabled()
    assert isinstance(scram, r.Scram)
    assert [part.kind for part in of_kind(others, r.LeftOut)] == ["vCards", "archived messages", "archive preferences"]
    (item,) = of_kind(others, r.Archived)
    assert item.stanza.findtext("body") == "\ufffd"
    assert [part.kind for part in of_kind(found[f"garden@{ROOMS}"], r.LeftOut)] == ["room options"]


def test_a_database_that_is_damaged_is_said(source: str) -> None:
    path = Path(source.partition(":")[2])
    fill(path, {"users": [{"username": f"user{n}", **PLAIN} for n in range(2000)]})
    data = bytearray(path.read_bytes())
    data[8192:] = b"\1" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(BadSource, match="cannot be read"):
        read(source, {HOST: "x"})
