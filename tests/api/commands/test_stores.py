"""vCards, private data and rosters are returned as they were set, and stored as Prosody stores them (commands-api §12, data-api §5)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = {"user": "juliet", "host": DOMAIN}
LOCAL = {"localuser": "juliet", "localhost": DOMAIN}
ROMEO = {"user": "romeo", "host": "montague.example"}
ITEM = {"nick": "Romeo", "groups": ["Friends", "Verona"], "subs": "both"}


# vCards


def test_vcard_fields_live_beside_each_other(run: Run) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("set_vcard", {"name": "FN", "content": "Juliet <&> Capulet"}),
        ("set_vcard2", {"name": "N", "subname": "FAMILY", "content": "Capulet"}),
        ("set_vcard2", {"name": "N", "subname": "GIVEN", "content": "Juliet"}),
        ("set_vcard2_multi", {"name": "ORG", "subname": "ORGUNIT", "contents": ["two", "one"]}),
        ("set_vcard2", {"name": "TEL", "subname": "HOME", "content": "555"}),
        ("set_vcard2", {"name": "TEL", "subname": "WORK", "content": "666"}),
        ("set_vcard2", {"name": "TEL", "subname": "HOME", "content": "777"}),
    ]
    for path, args in calls:
        assert run(path, JULIET | args) == (200, 0)
    assert run("get_vcard", JULIET | {"name": "FN"}) == (200, "Juliet <&> Capulet")
    assert run("get_vcard2", JULIET | {"name": "N", "subname": "FAMILY"}) == (200, "Capulet")
    assert run("get_vcard2/v0", JULIET | {"name": "N", "subname": "GIVEN"}) == (200, {"content": "Juliet"})
    assert run("get_vcard2_multi", JULIET | {"name": "ORG", "subname": "ORGUNIT"}) == (200, ["one", "two"])
    assert run("get_vcard2", JULIET | {"name": "TEL", "subname": "HOME"}) == (200, "777")
    assert run("get_vcard2", JULIET | {"name": "TEL", "subname": "WORK"}) == (200, "666")


def test_vcards_are_kept_as_prosody_keeps_them(run: Run, gateway: Gateway) -> None:
    run("set_vcard2", JULIET | {"name": "TEL", "subname": "HOME", "content": "555"})
    attr = {"xmlns": "vcard-temp"}
    number = {"name": "NUMBER", "attr": attr, "__array": ["555"]}
    tel = {"name": "TEL", "attr": attr, "__array": [{"name": "HOME", "attr": attr}, number]}
    assert gateway.driver.load("juliet", DOMAIN, "vcard") == {"name": "vCard", "attr": attr, "__array": [tel]}


def test_a_nickname_replaces_the_vcard(run: Run) -> None:
    run("set_vcard", JULIET | {"name": "FN", "content": "Juliet"})
    assert run("set_nickname", JULIET | {"nickname": "Jule"}) == (200, 0)
    assert run("get_vcard", JULIET | {"name": "NICKNAME"}) == (200, "Jule")
    assert run("get_vcard", JULIET | {"name": "FN"}) == (400, "error_no_value_found_in_vcard")


def test_setting_a_field_again_replaces_it(run: Run) -> None:
    for content in ("one", "two"):
        run("set_vcard", JULIET | {"name": "FN", "content": content})
        run("set_vcard2_multi", JULIET | {"name": "ORG", "subname": "ORGUNIT", "contents": [content]})
    assert run("get_vcard", JULIET | {"name": "FN"}).body == "two"
    assert run("get_vcard2_multi", JULIET | {"name": "ORG", "subname": "ORGUNIT"}).body == ["two"]


@pytest.mark.parametrize(
    ("path", "args", "answer"),
    [
        ("get_vcard", {"name": "fn"}, (400, "error_no_value_found_in_vcard")),
        ("get_vcard2", {"name": "FN", "subname": "X"}, (400, "error_no_value_found_in_vcard")),
        ("get_vcard2_multi", {"name": "N", "subname": "X"}, (400, "error_no_value_found_in_vcard")),
        ("set_vcard2_multi", {"name": "ORG", "subname": "ORGUNIT", "contents": []}, (500, "internal_error")),
    ],
)
def test_vcard_errors(run: Run, path: str, args: dict[str, Any], answer: Any) -> None:
    run("set_vcard", JULIET | {"name": "FN", "content": "Juliet"})
    assert run(path, JULIET | args) == answer


@pytest.mark.parametrize(
    "args",
    [{"name": "a b", "content": "x"}, {"name": "", "content": "x"}, {"name": "{urn:x}y", "content": "x"}, {"name": "FN", "content": "\u0001"}],
)
def test_what_xml_cannot_hold(run: Run, args: dict[str, str]) -> None:
    assert run("set_vcard", JULIET | args).status == 400
    assert run("get_vcard", JULIET | {"name": "FN"}) == (400, "error_no_vcard_found")


# private data

EMPTY = "<query xmlns='jabber:iq:private'><storage xmlns='storage:rosternotes'/></query>"
NOTES = {"element": "storage", "ns": "storage:rosternotes"}


def test_private_data(run: Run) -> None:
    def put(xml: str) -> Any:
        return run("private_set", JULIET | {"element": xml})

    assert run("private_get", JULIET | NOTES) == (200, EMPTY)
    assert put("<storage xmlns='storage:rosternotes'><note jid='a&amp;b'>1 &lt; 2</note></storage>") == (200, 0)
    assert put("<storage xmlns='storage:bookmarks'>other</storage>") == (200, 0)
    filled = EMPTY.replace("/></query>", "><note jid='a&amp;b'>1 &lt; 2</note></storage></query>")
    assert run("private_get", JULIET | NOTES) == (200, filled)
    assert put("<storage xmlns='storage:rosternotes'/>") == (200, 0)
    assert run("private_get/v0", JULIET | NOTES) == (200, {"res": EMPTY})
    assert "other" in run("private_get", JULIET | {"element": "storage", "ns": "storage:bookmarks"}).body


def test_private_data_is_kept_as_prosody_keeps_it(run: Run, gateway: Gateway) -> None:
    run("private_set", JULIET | {"element": "<storage xmlns='storage:bookmarks'>x</storage>"})
    table = gateway.driver.load("juliet", DOMAIN, "private")
    element = {"name": "storage", "attr": {"xmlns": "storage:bookmarks"}, "__array": ["x"]}
    assert table == {"storage:storage:bookmarks": element}


@pytest.mark.parametrize("xml", ["", "<a", "<a/><b/>", "text", "<a/>", "<!DOCTYPE a><a xmlns='b'/>", "<a xmlns='b'>&x;</a>"])
def test_what_does_not_parse(run: Run, xml: str) -> None:
    assert run("private_set", JULIET | {"element": xml}) == (200, 1)


@pytest.mark.parametrize("names", [{"element": "a b", "ns": "x"}, {"element": "a", "ns": ""}, {"element": "a", "ns": "\u0001"}])
def test_private_names_that_are_none(run: Run, names: dict[str, str]) -> None:
    assert run("private_get", JULIET | names).status == 400


# rosters


def test_a_contact_comes_and_goes(run: Run) -> None:
    row = {"jid": "romeo@montague.example", "nick": "Romeo", "subscription": "both", "pending": "undefined"}
    assert run("add_rosteritem", LOCAL | ROMEO | ITEM) == (200, 0)
    assert run("get_roster", JULIET) == (200, [row | {"groups": ["Friends", "Verona"]}])
    assert run("get_roster", {"user": "juliet", "server": DOMAIN}).status == 200
    assert run("get_roster_count", JULIET) == (200, 1)
    assert run("add_rosteritem", LOCAL | ROMEO | {"nick": "", "subs": "to"}) == (200, 0)
    assert run("get_roster", JULIET) == (200, [row | {"nick": "", "subscription": "to", "groups": []}])
    assert run("delete_rosteritem", LOCAL | ROMEO) == (200, 0)
    assert run("delete_rosteritem", LOCAL | ROMEO) == (200, 0)
    assert run("get_roster_count/v0", JULIET) == (200, {"value": 0})


@pytest.mark.parametrize(("group", "groups"), [("a;b", ["a", "b"]), ("", []), ("a,b", ["a,b"]), (";a;", ["a"])])
def test_groups_of_v0(run: Run, group: str, groups: list[str]) -> None:
    assert run("add_rosteritem/v0", LOCAL | ROMEO | {"nick": "", "subs": "both", "group": group}) == (200, 0)
    assert run("get_roster", JULIET).body[0]["groups"] == groups


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"localuser": "a b"}, "Invalid 'localuser'/'localserver'"),
        ({"localuser": ""}, "Invalid 'localuser'/'localserver'"),
        ({"user": "a b"}, "Invalid 'user'/'server'"),
        ({"host": ""}, "Invalid 'user'/'server'"),
        ({"host": "a b"}, "Invalid 'user'/'server'"),
        ({"subs": "friend"}, "Invalid subscription"),
        ({"subs": "remove"}, "Invalid subscription"),
    ],
)
def test_wrong_contacts(run: Run, wrong: dict[str, str], message: str) -> None:
    assert run("add_rosteritem", LOCAL | ROMEO | ITEM | wrong) == (400, message)


def test_a_domain_may_be_a_contact(run: Run) -> None:
    assert run("add_rosteritem", LOCAL | {"user": "", "host": "montague.example"} | ITEM) == (200, 0)
    assert run("get_roster", JULIET).body[0]["jid"] == "montague.example"


def test_rosters_are_kept_as_prosody_keeps_them(run: Run, gateway: Gateway) -> None:
    stanza = {"name": "presence", "attr": {"type": "subscribe"}}
    nurse = {"subscription": "none", "ask": "subscribe", "groups": {}}
    meta = {"version": 6, "pending": {"romeo@montague.example": stanza, f"nurse@{DOMAIN}": stanza}}
    gateway.driver.store("juliet", DOMAIN, "roster", {f"nurse@{DOMAIN}": nurse, "__hash": [False, meta]})
    assert run("add_rosteritem", LOCAL | ROMEO | ITEM) == (200, 0)
    kept = gateway.driver.load("juliet", DOMAIN, "roster")
    assert isinstance(kept, dict)
    assert kept["romeo@montague.example"] == {"name": "Romeo", "subscription": "both", "groups": {"Friends": True, "Verona": True}}
    assert kept["__hash"] == [False, {"version": 7, "pending": {f"nurse@{DOMAIN}": stanza}}]
    assert kept[f"nurse@{DOMAIN}"] == nurse


def test_everybody_knows_everybody(run: Run) -> None:
    assert run("push_alltoall", {"host": DOMAIN, "group": "All"}) == (200, 0)
    names = [(row["nick"], row["subscription"], row["groups"]) for row in run("get_roster", JULIET).body]
    assert names == [("admin", "both", ["All"]), ("nurse", "both", ["All"])]


def test_who_listens_hears_of_everybody(run: Run, gateway: Gateway) -> None:
    listening = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    run("push_alltoall", {"host": DOMAIN, "group": "All"})
    pushes = [event.stanza for event in iter(lambda: listening.next(0.05), None)]
    assert [(p.tag, p[0][0].get("jid")) for p in pushes] == [("iq", f"admin@{DOMAIN}"), ("iq", f"nurse@{DOMAIN}")]
    run("push_alltoall", {"host": DOMAIN, "group": "All"})
    assert listening.next(0.05) is None  # nothing changed


def test_each_roster_is_written_once(run: Run, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    update = gateway.driver.update_members

    def counted(user: str | None, host: str, store: str, keys: Any, change: Any) -> None:
        written.extend([str(user)] if store == "roster" else [])
        update(user, host, store, keys, change)

    monkeypatch.setattr(gateway.driver, "update_members", counted)
    assert run("push_alltoall", {"host": DOMAIN, "group": "All"}) == (200, 0)
    assert sorted(written) == ["admin", "juliet", "nurse"]


def test_a_group_that_cannot_be_sent(run: Run) -> None:
    assert run("push_alltoall", {"host": DOMAIN, "group": "\x07"}).status == 400
    assert run("get_roster", JULIET) == (200, [])


ALL = {"subs": "any", "asks": "any", "users": "any", "contacts": "any"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 2),
        ({"subs": "both"}, 1),
        ({"subs": "both:to"}, 2),
        ({"subs": "none"}, 0),
        ({"asks": "none"}, 2),
        ({"asks": "in:out"}, 0),
        ({"users": f"juliet@{DOMAIN}"}, 1),
        ({"users": f"*@{DOMAIN}"}, 2),
        ({"users": f"j?liet@{DOMAIN}:x"}, 1),
        ({"users": f"[a-m]*@{DOMAIN}"}, 1),
        ({"users": "juliet"}, 0),
        ({"contacts": "romeo@*"}, 2),
        ({"contacts": "tybalt@*:romeo@montague.example"}, 2),
    ],
)
def test_processing_rosters(run: Run, query: dict[str, str], found: int) -> None:
    run("add_rosteritem", LOCAL | ROMEO | ITEM)
    run("add_rosteritem", LOCAL | {"localuser": "nurse"} | ROMEO | ITEM | {"subs": "to"})
    listed = run("process_rosteritems", ALL | query | {"action": "list"})
    assert (listed.status, len(listed.body)) == (200, found)
    assert run("process_rosteritems", ALL | query | {"action": "delete"}) == listed
    assert len(run("process_rosteritems", ALL | {"action": "list"}).body) == 2 - found


def test_an_unknown_action(run: Run) -> None:
    assert run("process_rosteritems", ALL | {"action": "shred"}) == (500, "internal_error")
