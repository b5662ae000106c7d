"""MongooseIM's database: rows as its schema and its modules have them, with terms that the tests write."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from tests.importing.erlang.terms import cdata, element, encode_term
from tests.importing.sql.filled import fill, of_kind, read
from xmpp_rest.importing import records as r
from xmpp_rest.importing.mongooseim.addresses import expanded
from xmpp_rest.importing.mongooseim.messages import identity
from xmpp_rest.importing.sources import BadSource
from xmpp_rest.importing.sql.accounts import SourceAccount
from xmpp_rest.protocol.element import serialise

HOST, LIGHT, ROOMS = "montague.example", "muclight.montague.example", "muc.montague.example"
KEY, SALT = b64encode(b"k" * 20).decode(), b64encode(b"\xff" * 16).decode()
WHEN = 1796013928435309  # microseconds
ID = (WHEN << 8) + 3
NAMED = "COBN2GRKSR83"
"""What clients know it as: `integer_to_binary(Id, 32)`."""
USERS: list[dict[str, Any]] = [
    {"username": "romeo", "server": HOST, "password": "", "pass_details": f"==MULTI_SCRAM==,10000,===SHA1==={SALT}|{KEY}|{KEY},==SHA224=={SALT}|{KEY}|{KEY}", "created_at": "2026-11-29 10:00:00"},
    {"username": "mercutio", "server": HOST, "password": "pässword", "pass_details": None, "created_at": None},
]  # fmt: skip
ARCHIVES = [
    {"id": 1, "server": HOST, "user_name": "romeo"},
    {"id": 2, "server": LIGHT, "user_name": "garden"},
    {"id": 3, "server": ROOMS, "user_name": "hall"},
]


def message(body: str, *, old: bool = False, compressed: bool = False, **attributes: str) -> bytes:
    term = element("message", {"type": "chat", **attributes}, element("body", {}, cdata(body, old=old), old=old), old=old)
    return encode_term(term, compressed=compressed)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return f"mongooseim+sqlite:{tmp_path}/mongooseim.db"


def filled(source: str, **tables: list[dict[str, Any]]) -> tuple[dict[str, list[Any]], list[Any]]:
    fill(Path(source.partition(":")[2]), {"users": USERS, "mam_server_user": ARCHIVES, **tables})
    return read(source, {HOST: "gateway.example"})


def test_accounts_have_their_credentials(source: str) -> None:
    old = {"username": "tybalt", "server": HOST, "password": "", "pass_details": f"==SCRAM==,{KEY},{KEY},{SALT},4096", "created_at": None}
    odd = {"username": "nurse", "server": HOST, "password": "", "pass_details": "==OTHER==", "created_at": None}
    found, others = filled(source, users=[*USERS, old, odd], blocklist=[{"luser": "tybalt", "lserver": HOST, "reason": "duels"}])
    made, *scrams = found[f"romeo@{HOST}"]
    assert made == r.Made(1795946400.0)
    assert scrams == [r.Scram(name, 10000, b"\xff" * 16, b"k" * 20, b"k" * 20) for name in ("SCRAM-SHA-1", "SCRAM-SHA-224")]
    assert found[f"mercutio@{HOST}"] == [r.Password("pässword")]
    assert found[f"tybalt@{HOST}"] == [r.Disabled("duels"), r.Scram("SCRAM-SHA-1", 4096, b"\xff" * 16, b"k" * 20, b"k" * 20)]
    assert [part.kind for part in found[f"nurse@{HOST}"]] == [r.ACCOUNTS]
    assert not others


def test_what_is_alike_in_ejabberd_is_read_by_server(source: str) -> None:
    of = {"server": HOST, "username": "romeo"}
    found, _ = filled(
        source,
        rosterusers=[{**of, "jid": "a@b", "nick": "A", "subscription": "B", "ask": "N", "askmessage": ""}, {**of, "server": "other", "jid": "c@d", "nick": "", "subscription": "B", "ask": "N", "askmessage": ""}],
        rostergroups=[{**of, "jid": "a@b", "grp": "G"}],
        last=[{**of, "seconds": 1700000000, "state": "gone"}],
        privacy_list=[{**of, "name": "work", "id": 1}],
        privacy_list_data=[{"id": 1, "t": "j", "value": "x@y", "action": "b", "ord": 1, "match_all": True}],
        private_storage=[{**of, "namespace": "u", "data": "<a xmlns='u'/>"}],
        vcard=[{**of, "vcard": "<vCard xmlns='vcard-temp'/>"}],
    )  # fmt: skip
    kinds = (r.RosterItem, r.LastSeen, r.PrivacyList, r.Private, r.Card)
    assert {type(part) for part in found[f"romeo@{HOST}"]} >= set(kinds)
    assert list(of_kind(found[f"romeo@{HOST}"], r.RosterItem)) == [r.RosterItem("a@b", "both", "A", ("G",))]
    assert [item.allow for item in next(of_kind(found[f"romeo@{HOST}"], r.PrivacyList)).items] == [False]


@pytest.mark.parametrize(
    "column",
    [
        message("hi"),
        message("hi", compressed=True),
        message("hi", old=True),
        "\\x" + message("hi").hex(),
        b"<message type='chat'><body>hi</body></message>",
    ],
    ids=["term", "compressed", "old", "hexadecimal", "xml"],
)
def test_an_archive_is_read_in_each_format(source: str, column: Any) -> None:
    row = {"id": ID, "user_id": 1, "from_jid": "mercutio/phone", "remote_bare_jid": "mercutio", "direction": "I", "message": column}
    found, _ = filled(source, mam_message=[row])
    (item,) = of_kind(found[f"romeo@{HOST}"], r.Archived)
    assert (item.id, item.when, item.with_) == (NAMED, WHEN / 1e6, f"mercutio@{HOST}")
    assert serialise(item.stanza) == f"<message type='chat' from='mercutio@{HOST}/phone' to='romeo@{HOST}'><body>hi</body></message>"


def test_an_archive_with_full_addresses_is_read(source: str) -> None:
    base = {"user_id": 1, "message": message("hi")}
    rows = [
        {"id": 256, "from_jid": f"romeo@{HOST}/x", "remote_bare_jid": "a@other.example", "direction": "O", **base},
        {"id": 512, "from_jid": "news.example", "remote_bare_jid": "news.example", "direction": "I", **base},
        {"id": 768, "from_jid": b"mercutio/x", "remote_bare_jid": b"mercutio", "direction": "I", **base},
        {"id": 1024, "from_jid": "x", "remote_bare_jid": "x", "direction": "I", "user_id": 1, "message": b"\x83no"},
        {"id": 1280, "from_jid": "x", "remote_bare_jid": "x", "direction": "I", "user_id": 9, "message": b""},
    ]
    found, others = filled(source, mam_message=rows)
    *items, left_out = of_kind(found[f"romeo@{HOST}"], r.Archived, r.LeftOut)
    assert [(item.with_, item.stanza.get("from"), item.stanza.get("to")) for item in items] == [
        ("a@other.example", f"romeo@{HOST}/x", "a@other.example"),
        ("news.example", "news.example", f"romeo@{HOST}"),
        (f"mercutio@{HOST}", f"mercutio@{HOST}/x", f"romeo@{HOST}"),
    ]
    assert isinstance(left_out, r.LeftOut)
    assert [other.reason for other in others] == ["1 messages are of accounts that do not exist any more"]


@pytest.mark.parametrize(
    ("short", "whole"),
    [("", "alice@room"), ("/computer", "alice@room/computer"), ("bob", "bob@room"), ("bob/mobile", "bob@room/mobile"), ("street:bob", "bob@street"),
     ("street@bob/mobile", "bob@street/mobile"), (":", "room"), (":/x", "room/x"), ("street:", "street"), ("street@/x", "street/x"), ("bob/a@b:c", "bob@room/a@b:c")],
)  # fmt: skip
def test_short_addresses_are_expanded(short: str, whole: str) -> None:
    assert expanded(SourceAccount("room", "alice"), short, full=False) == whole


def test_an_id_holds_its_time() -> None:
    assert identity(ID) == (NAMED, WHEN / 1e6)
    assert int(NAMED, 32) == ID
    assert identity(0) == ("0", 0.0)


def test_offline_messages_and_preferences(source: str) -> None:
    of = {"server": HOST, "username": "romeo", "from_jid": "a@b/c", "packet": "<message to='x'><body>hi</body></message>"}
    offline = [{"id": n, "timestamp": WHEN, "expire": expire, **of} for n, expire in ((1, None), (2, 5))]
    config = [{"user_id": 1, "remote_jid": jid, "behaviour": word} for jid, word in (("", "R"), ("mercutio", "A"), ("street:bob", "N"))]
    found, _ = filled(source, offline_message=offline, mam_config=config)
    kept, expired, preferences = of_kind(found[f"romeo@{HOST}"], r.OfflineMessage, r.LeftOut, r.ArchivePreferences)
    assert (kept.when, kept.stanza.get("from")) == (WHEN / 1e6, "a@b/c")
    assert expired == r.LeftOut("offline messages", "the message has expired")
    assert preferences == r.ArchivePreferences("roster", (f"mercutio@{HOST}",), ("bob@street",))


def test_light_rooms_have_occupants_configuration_and_messages(source: str) -> None:
    change = element("x", {"xmlns": "urn:xmpp:muclight:0#affiliations"}, element("user", {"affiliation": "owner"}, cdata(f"romeo@{HOST}")))
    messages = [
        {"id": ID, "room_id": 2, "nick_name": "", "message": encode_term(element("message", {"type": "groupchat", "to": "x"}, change))},
        {"id": ID + 256, "room_id": 2, "nick_name": f"romeo@{HOST}", "message": message("hi")},
        {"id": ID + 512, "room_id": 2, "nick_name": f"romeo@{HOST}", "message": b"?"},
        {"id": ID, "room_id": 9, "nick_name": "", "message": b""},
    ]
    occupants = [{"room_id": 7, "luser": user, "lserver": HOST, "aff": aff} for user, aff in (("romeo", 1), ("mercutio", 2), ("odd", 3))]
    config = [{"room_id": 7, "opt": opt, "val": val} for opt, val in (("roomname", "Garden"), ("subject", "S"), ("colour", "green"))]
    blocks = [
        {"luser": "romeo", "lserver": HOST, "what": what, "who": who}
        for what, who in ((1, f"hall@{LIGHT}"), (2, f"tybalt@{HOST}"), (3, "x"))
    ]
    room = {"id": 7, "luser": "garden", "lserver": LIGHT, "version": "v"}
    found, others = filled(
        source,
        muc_light_rooms=[room],
        muc_light_occupants=occupants,
        muc_light_config=config,
        muc_light_blocking=blocks,
        mam_muc_message=messages,
    )
    parts = found[f"garden@{LIGHT}"]
    assert list(of_kind(parts, r.RoomOption)) == [r.RoomOption("roomname", "Garden"), r.RoomOption("subject", "S")]
    assert list(of_kind(parts, r.RoomAffiliation)) == [
        r.RoomAffiliation(f"mercutio@{HOST}", "member"),
        r.RoomAffiliation(f"romeo@{HOST}", "owner"),
    ]
    first, second = of_kind(parts, r.Archived)
    assert serialise(first.stanza) == (
        f"<message type='groupchat' from='garden@{LIGHT}'><x xmlns='urn:xmpp:muclight:0#affiliations'><user affiliation='owner'>romeo@gateway.example</user></x></message>"
    )
    assert (second.with_, second.stanza.get("from")) == (f"romeo@{HOST}", f"garden@{LIGHT}/romeo@gateway.example")
    assert [part.kind for part in of_kind(parts, r.LeftOut)] == ["room options", "archived messages"]
    assert others[0] == r.LightBlockList(LIGHT, f"romeo@{HOST}", (("room", f"hall@{LIGHT}"), ("user", f"tybalt@{HOST}")))
    assert [other.reason for other in others[1:]] == ["1 messages are of rooms that do not exist any more"]


@pytest.mark.parametrize("parsed", [False, True])
def test_rooms_of_xep_0045_are_read(source: str, parsed: bool) -> None:
    given = {
        "title": "Hall",
        "persistent": True,
        "members_only": True,
        "max_users": 20,
        "allow_private_messages": False,
        "allow_multiple_sessions": True,
        "subject": "S",
        "subject_author": "R",
        "password": "",
    }
    rooms = [
        {"id": 7, "muc_host": ROOMS, "room_name": "hall", "options": json.dumps(given)},
        {"id": 8, "muc_host": ROOMS, "room_name": "odd", "options": "["},
    ]
    affiliations = [
        {"room_id": 7, "luser": user, "lserver": HOST, "resource": "", "aff": aff} for user, aff in (("", 4), ("romeo", 1), ("x", 5))
    ]
    archive = [{"id": ID, "room_id": 3, "nick_name": "Romeo", "message": message("hi", to="x")}]
    nicks = [{"muc_host": ROOMS, "luser": "romeo", "lserver": HOST, "nick": "Romeo"}]
    found, others = filled(
        source, muc_rooms=rooms, muc_room_aff=affiliations, mam_muc_message=archive, muc_registered=nicks, inbox=[{"luser": "romeo"}]
    )
    parts = found[f"hall@{ROOMS}"]
    assert {part.name: part.value for part in of_kind(parts, r.RoomOption)} == {
        "title": "Hall",
        "members_only": "true",
        "max_users": "20",
        "allowpm": "none",
        "password": "",
    }
    assert list(of_kind(parts, r.RoomAffiliation)) == [r.RoomAffiliation(HOST, "outcast"), r.RoomAffiliation(f"romeo@{HOST}", "owner")]
    assert list(of_kind(parts, r.RoomSubject)) == [r.RoomSubject("S", "R")]
    (item,) = of_kind(parts, r.Archived)
    assert serialise(item.stanza) == f"<message type='groupchat' from='hall@{ROOMS}/Romeo'><body>hi</body></message>"
    assert [part.reason for part in of_kind(parts, r.LeftOut)] == ["rooms here have no option allow_multiple_sessions"]
    assert [type(part) for part in found[f"odd@{ROOMS}"]] == [r.LeftOut]
    assert others[0] == r.ReservedNick(ROOMS, f"romeo@{HOST}", "Romeo")
    assert others[1].kind == "inbox (1 rows)"


def test_a_file_that_is_no_database_of_mongooseim_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "other.db", {"users": [{"username": "x", "password": "y"}]})
    with pytest.raises(BadSource, match="not a database of MongooseIM"):
        read(f"mongooseim+sqlite:{tmp_path}/other.db", {})


def test_a_dump_of_mysql_is_read(tmp_path: Path) -> None:
    details = USERS[0]["pass_details"]
    (tmp_path / "dump.sql").write_text(
        f"INSERT INTO `users` (`username`, `server`, `password`, `pass_details`) VALUES ('romeo','{HOST}','','{details}');\n"
        f"INSERT INTO `mam_server_user` (`id`, `server`, `user_name`) VALUES (1,'{HOST}','romeo');\n"
        "INSERT INTO `mam_message` (`id`, `user_id`, `from_jid`, `remote_bare_jid`, `direction`, `message`) VALUES "
        f"({ID},1,0x{b'bob'.hex()},0x{b'bob'.hex()},'I',0x{message('hi').hex()});\n"
    )
    found, _ = read(f"mongooseim+dump:{tmp_path}/dump.sql", {})
    (item,) = of_kind(found[f"romeo@{HOST}"], r.Archived)
    assert (item.id, item.with_, item.stanza.findtext("body")) == (NAMED, f"bob@{HOST}", "hi")
