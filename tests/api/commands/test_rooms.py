"""Commands about rooms answer as the peer's do (commands-api §12)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, SHARED, MakeApp, basic
from tests.service.muc.hall import JULIET, ROMEO, SERVICE, Hall
from xmpp_rest.service.muc.options import OPTIONS

ROOM = {"room": "verona", "service": SERVICE}
NONE = {"room": "mantua", "service": SERVICE}
NEW = ROOM | {"host": DOMAIN}
TRUE = ["allow_change_subj", "allow_query_users", "allow_visitor_nickchange", "allow_visitor_status", "allow_voice_requests", "anonymous", "enable_hats", "mam", "members_by_default", "moderated", "public", "public_list"]  # fmt: skip
FALSE = ["allow_subscription", "allow_user_invites", "captcha_protected", "logging", "members_only", "password_protected", "persistent"]


def test_a_room_is_made_and_unmade(run: Run) -> None:
    assert run("create_room", NEW) == (200, 0)
    assert run("create_room", NEW) == (400, "Room already exists")
    assert run("muc_online_rooms", {"service": SERVICE}) == (200, [f"verona@{SERVICE}"])
    assert run("get_room_affiliations", ROOM) == (200, [])
    assert run("destroy_room", ROOM) == (200, 0)
    assert run("destroy_room", ROOM) == (400, "Room doesn't exists")
    assert run("muc_online_rooms", {"service": SERVICE}) == (200, [])


@pytest.mark.parametrize("version", ["", "/v0", "/v1", "/v2", "/v3"])
def test_the_room_has_an_old_name_for_its_name(run: Run, version: str) -> None:
    assert run(f"create_room{version}", {"name": "verona", "service": SERVICE, "host": DOMAIN}) == (200, 0)
    assert run(f"get_room_occupants_number{version}", {"name": "verona", "service": SERVICE}).status == 200
    assert run(f"create_room{version}", NEW | {"name": "x"}) == (400, "Request have duplicate argument: room")


@SHARED
@pytest.mark.parametrize("name", ["", "a b", "a@b", "a/b", "x" * 1024, "\u0007"])
def test_bad_names(run: Run, name: str) -> None:
    assert run("create_room", NEW | {"room": name}) == (400, "Invalid value of room name")


def test_names_are_prepared(run: Run) -> None:
    run("create_room", NEW | {"room": "Verona"})
    assert run("create_room", NEW) == (400, "Room already exists")
    assert run("get_room_occupants_number", {"room": "VERONA", "service": SERVICE.upper()}) == (200, 0)


@SHARED
@pytest.mark.parametrize("service", ["conference.montague.example", DOMAIN, "", "a@b", f"x@{SERVICE}", f"{SERVICE}/x"])
@pytest.mark.parametrize(
    ("command", "args"),
    [
        ("create_room", {"room": "x", "host": DOMAIN}), ("create_room_with_opts", {"room": "x", "host": DOMAIN}), ("destroy_room", {"room": "x"}),
        ("change_room_option", {"room": "x", "option": "title", "value": ""}), ("get_room_options", {"room": "x"}), ("muc_online_rooms", {}),
        ("muc_online_rooms_count", {}), ("muc_online_rooms_by_regex", {"regex": ""}), ("rooms_unused_list", {"days": 0}), ("rooms_empty_list", {}),
        ("rooms_unused_destroy", {"days": 0}), ("rooms_empty_destroy", {}), ("get_room_affiliation", {"room": "x", "jid": "a@b"}),
        ("get_room_affiliations", {"room": "x"}), ("get_room_occupants", {"room": "x"}), ("get_room_occupants_number", {"room": "x"}),
        ("get_room_history", {"room": "x"}), ("get_subscribers", {"room": "x"}), ("muc_get_registered_nicks", {}),
        ("send_direct_invitation", {"room": "x", "password": "", "reason": ""}), ("muc_unregister_nick/v0", {"jid": "a@b"}),
        ("set_room_affiliation", {"room": "x", "user": "a", "host": DOMAIN, "affiliation": "none"}), ("muc_register_nick/v0", {"nick": "a", "jid": "a@b"}),
        ("muc_register_nick", {"nick": "a", "user": "a", "host": DOMAIN}), ("muc_unregister_nick", {"user": "a", "host": DOMAIN}),
        ("subscribe_room", {"room": "x", "user": "a", "host": DOMAIN, "nick": "a"}), ("unsubscribe_room", {"room": "x", "user": "a", "host": DOMAIN}),
    ],
)  # fmt: skip
def test_no_such_service(run: Run, command: str, args: dict[str, Any], service: str) -> None:
    passed = "" if command in ("muc_register_nick/v0", "muc_register_nick", "muc_unregister_nick/v0", "muc_unregister_nick") else "passed "
    assert run(command, args | {"service": service}) == (400, f"Unknown host {passed}in 'service'")


@pytest.mark.parametrize("version", ["", "/v0", "/v1", "/v3"])
@pytest.mark.parametrize(
    ("subscribers", "found"),
    [
        ("a@HOST:Anne:messages:subject,b@HOST:Bob:messages", {"a@HOST": "Anne", "b@HOST": "Bob"}),
        ("a@HOST=Anne=messages=subject;b@HOST=Bob=messages", {"a@HOST": "Anne", "b@HOST": "Bob"}),
        ("a@HOST=Doe, Anne=messages; b@HOST=Bob:by=messages", {"a@HOST": "Doe, Anne", "b@HOST": "Bob:by"}),
        ("a=1@HOST:Anne:messages;b@HOST=Bob", {"a=1@HOST": "Anne", "b@HOST": "Bob"}),
        ("a@HOST:Anne", {"a@HOST": "Anne"}),
        ("a@HOST=Anne;", {"a@HOST": "Anne"}),
    ],
)
def test_both_ways_to_write_subscribers(run: Run, version: str, subscribers: str, found: dict[str, str]) -> None:
    options = [{"name": "subscribers", "value": subscribers.replace("HOST", DOMAIN)}, {"name": "allow_subscription", "value": "true"}]
    assert run(f"create_room_with_opts{version}", {"room": "sub", "service": SERVICE, "host": DOMAIN, "options": options}) == (200, 0)
    for jid, nick in found.items():
        (row,) = run("get_user_subscriptions", {"user": jid.removesuffix("@HOST"), "host": DOMAIN}).body
        assert row["usernick"] == nick
    assert run("get_subscribers", {"room": "sub", "service": SERVICE}).body == sorted(jid.replace("HOST", DOMAIN) for jid in found)


@pytest.mark.parametrize("version", ["", "/v0", "/v1", "/v3"])
@pytest.mark.parametrize(("first", "second"), ["=;", ":,", ":;", "=,"])
def test_both_ways_to_write_affiliations(run: Run, version: str, first: str, second: str) -> None:
    text = f"owner{first}a@h.example{second}member{first}b=2@h.example"
    args = {"room": "aff", "service": SERVICE, "host": DOMAIN, "options": [{"name": "affiliations", "value": text}]}
    assert run(f"create_room_with_opts{version}", args) == (200, 0)
    rows = run("get_room_affiliations/v3", {"room": "aff", "service": SERVICE}).body
    assert {row["jid"]: row["affiliation"] for row in rows} == {"a@h.example": "owner", "b=2@h.example": "member"}


def test_a_gateway_without_rooms(make_app: MakeApp) -> None:
    client = make_app(gateway_conference_domain="").test_client()
    admin = basic(f"admin@{DOMAIN}")

    def run(command: str, **args: str) -> Any:
        return client.post(f"/api/{command}", json=args, headers=admin).get_json()

    assert run("muc_online_rooms", service=SERVICE) == "Unknown host passed in 'service'"
    assert run("muc_online_rooms", service="global") == []
    assert run("muc_online_rooms_count", service="global") == 0
    assert run("get_user_rooms", user="juliet", host=DOMAIN) == run("get_user_subscriptions", user="juliet", host=DOMAIN) == []
    assert run("unregister", user="juliet", host=DOMAIN) == ""


# options


def test_the_defaults(run: Run) -> None:
    run("create_room", NEW)
    options = run("get_room_options", ROOM).body
    assert {name for name, value in options.items() if value == "true"} == set(TRUE)
    assert {name for name, value in options.items() if value == "false"} == set(FALSE)
    assert (options["max_users"], options["voice_request_min_interval"]) == ("200", "1800")
    assert options["presence_broadcast"] == "[moderator,participant,visitor]"
    assert run("get_room_options", NONE) == (200, {})


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("title", "Fair Verona", "Fair Verona"), ("description", "", ""), ("subject", "Ü", "Ü"), ("lang", "it", "it"), ("password", "x", "x"),
        ("max_users", "10", "10"), ("max_users", "007", "7"), ("voice_request_min_interval", "0", "0"), ("persistent", "true", "true"),
        ("allowpm", "moderators", "moderators"), ("allow_private_messages_from_visitors", "nobody", "nobody"),
        ("presence_broadcast", "moderator,participant", "[moderator,participant]"), ("presence_broadcast", "visitor;moderator", "[moderator,visitor]"),
        ("presence_broadcast", "[participant]", "[participant]"), ("presence_broadcast", "", "[]"), ("public", "false", "false"),
    ],
)  # fmt: skip
def test_an_option_is_changed(run: Run, option: str, value: str, shown: str) -> None:
    run("create_room", NEW)
    assert run("change_room_option", ROOM | {"option": option, "value": value}) == (200, 0)
    assert run("get_room_options", ROOM).body[option] == shown


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_takes_what_it_shows(run: Run, option: str) -> None:
    run("create_room", NEW)
    value = run("get_room_options", ROOM).body[option]
    assert run("change_room_option", ROOM | {"option": option, "value": value}) == (200, 0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("nonsense", "x"), ("", ""), ("Title", "x"), ("persistent", "yes"), ("persistent", "True"), ("persistent", ""), ("max_users", "many"),
        ("max_users", "-1"), ("max_users", "9" * 50), ("allowpm", "nobody"), ("presence_broadcast", "king"),
        ("title", "x" * 70000), ("affiliations", "owner=a@b"), ("captcha_whitelist", "x"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(run: Run, option: str, value: str) -> None:
    run("create_room", NEW)
    before = run("get_room_options", ROOM).body
    status, text = run("change_room_option", ROOM | {"option": option, "value": value})
    assert (status, option[:50] in text) == (400, True)
    if option != "affiliations":
        assert run("create_room_with_opts", NEW | {"room": "other", "options": [{"name": option, "value": value}]}).status == 400
    assert run("get_room_options", ROOM).body == before


def test_an_option_of_no_room(run: Run) -> None:
    assert run("change_room_option", NONE | {"option": "nonsense", "value": "x"}) == (400, "Room not found")


def test_a_room_with_options(run: Run) -> None:
    options = {
        "title": "Verona", "persistent": "true", "affiliations": "owner=romeo@montague.example;member:juliet@verona.example/x, admin=nurse@verona.example",
        "subscribers": "romeo@montague.example=Romeo=messages=presence;juliet@verona.example=Juliet",
    }  # fmt: skip
    assert run("create_room_with_opts", NEW | {"options": options}) == (200, 0)
    assert run("get_room_options", ROOM).body["title"] == "Verona"
    assert {(row["jid"], row["affiliation"]) for row in run("get_room_affiliations", ROOM).body} == {
        ("romeo@montague.example", "owner"), ("juliet@verona.example", "member"), ("nurse@verona.example", "admin"),
    }  # fmt: skip
    assert run("get_subscribers", ROOM).body == ["juliet@verona.example", "romeo@montague.example"]
    assert run("create_room_with_opts", NEW | {"options": options}) == (400, "Room already exists")


@pytest.mark.parametrize(
    "options",
    [{"affiliations": "king=a@b"}, {"affiliations": "owner"}, {"affiliations": "owner=@"}, {"subscribers": "@=N"}, {"subscribers": "a@b=N=weather"},
     {"subscribers": "a@b"}],
)  # fmt: skip
def test_lists_that_cannot_be(run: Run, options: dict[str, str]) -> None:
    assert run("create_room_with_opts", NEW | {"options": options}).status == 400
    assert run("muc_online_rooms", {"service": SERVICE}) == (200, [])


# lists of rooms


def test_lists_of_rooms(run: Run, app: Flask) -> None:
    for name in ("verona", "mantua", "padua"):
        run("create_room", NEW | {"room": name})
    run("change_room_option", NONE | {"option": "public", "value": "false"})
    Hall(app).enter(ROMEO, room=f"padua@{SERVICE}")
    for service in (SERVICE, "global"):
        assert run("muc_online_rooms", {"service": service}).body == [f"{n}@{SERVICE}" for n in ("mantua", "padua", "verona")]
        assert run("muc_online_rooms_count", {"host": service}) == (200, 3)
    found = run("muc_online_rooms_by_regex", {"service": SERVICE, "regex": "ua$"}).body
    assert found == [
        {"jid": f"mantua@{SERVICE}", "public": "false", "participants": 0},
        {"jid": f"padua@{SERVICE}", "public": "true", "participants": 1},
    ]
    assert run("muc_online_rooms_by_regex", {"service": "global", "regex": "conference"}) == (200, [])
    assert len(run("muc_online_rooms_by_regex", {"service": SERVICE, "regex": ""}).body) == 3


@pytest.mark.parametrize("regex", ["(", "*", "[", "x{99999999999}", "x" * 2000])
def test_bad_expressions(run: Run, regex: str) -> None:
    assert run("muc_online_rooms_by_regex", {"service": SERVICE, "regex": regex}) == (500, "internal_error")


@pytest.mark.parametrize("regex", ["(a+)+b", "(?:a|a)*b", "(a?){30}b", ".*" * 30 + "b", "a?" * 30 + "b", "((a*))+b", r"(a|\)){1,}b"])
def test_expressions_that_would_take_ages(run: Run, regex: str) -> None:
    run("create_room", NEW | {"room": "a" * 40})
    assert run("muc_online_rooms_by_regex", {"service": SERVICE, "regex": regex}) == (500, "internal_error")


@pytest.mark.parametrize("regex", ["^a+$", "(a|b)a", "(?i)^A{3}", "(?:aa){2}", ".*a.*a", "[+*(]?a", r"(?P<x>a+)\+?$", "(a+)?"])
def test_expressions_that_are_quick(run: Run, regex: str) -> None:
    run("create_room", NEW | {"room": "a" * 40})
    assert len(run("muc_online_rooms_by_regex", {"service": SERVICE, "regex": regex}).body) == 1


# rooms that nobody needs


def test_unused_rooms(run: Run, app: Flask) -> None:
    hall = Hall(app)
    for name in ("verona", "mantua", "padua"):
        run("create_room", NEW | {"room": name})
    hall.enter(ROMEO, room=f"padua@{SERVICE}")
    unused = [f"mantua@{SERVICE}", f"verona@{SERVICE}"]
    assert run("rooms_unused_list", {"service": SERVICE, "days": 1}) == (200, [])
    assert run("rooms_unused_list", {"host": "global", "days": 0}) == (200, unused)
    assert run("rooms_unused_list", {"service": SERVICE, "days": -1}) == (400, "Invalid number of days")
    assert run("rooms_unused_list", {"service": SERVICE, "days": 10**30}) == (200, [])
    assert run("rooms_unused_destroy", {"service": SERVICE, "days": 0}) == (200, unused)
    assert run("muc_online_rooms", {"service": SERVICE}) == (200, [f"padua@{SERVICE}"])


def test_old_rooms_are_unused(run: Run, app: Flask) -> None:
    hall = Hall(app)
    run("create_room_with_opts", NEW | {"options": {"persistent": "true"}})
    record = hall.gateway.driver.load("verona", SERVICE, "muc")
    assert isinstance(record, dict)
    day = 86400
    hall.gateway.driver.store("verona", SERVICE, "muc", record | {"created": record["created"] - 40 * day, "used": record["used"] - 31 * day})
    assert run("rooms_unused_list", {"service": SERVICE, "days": 31}).body == [f"verona@{SERVICE}"]
    assert run("rooms_unused_list", {"service": SERVICE, "days": 32}).body == []
    hall.enter(ROMEO, room=f"verona@{SERVICE}")
    hall.leave(ROMEO, room=f"verona@{SERVICE}")
    assert run("rooms_unused_list", {"service": SERVICE, "days": 1}).body == []


@pytest.mark.parametrize(("command", "told"), [("rooms_unused_destroy", 1), ("rooms_unused_destroy_skip_notifications", 0)])
def test_who_is_told_of_the_end(run: Run, app: Flask, command: str, told: int) -> None:
    hall = Hall(app)
    run("create_room_with_opts", NEW | {"options": {"subscribers": "juliet@verona.example=Juliet=messages"}})
    assert run(command, {"service": SERVICE, "days": 0}).body == [f"verona@{SERVICE}"]
    assert len(hall.take("juliet@verona.example")) == told


def test_empty_rooms(run: Run, app: Flask) -> None:
    hall = Hall(app)
    for name in ("verona", "mantua", "padua"):
        run("create_room", NEW | {"room": name})
    run("change_room_option", NONE | {"option": "mam", "value": "false"})
    hall.enter(ROMEO, JULIET, room=f"padua@{SERVICE}")
    hall.say(ROMEO, "hark", room=f"padua@{SERVICE}")
    assert run("rooms_empty_list", {"service": SERVICE}) == (200, [f"verona@{SERVICE}"])
    assert run("rooms_empty_destroy/v1", {"service": SERVICE}) == (200, [f"verona@{SERVICE}"])
    run("create_room", NEW)
    assert run("rooms_empty_destroy", {"service": SERVICE}) == (200, "Destroyed rooms: 1")
    assert run("rooms_empty_destroy/v2", {"service": "global"}) == (200, "Destroyed rooms: 0")
    assert run("muc_online_rooms", {"service": SERVICE}).body == [f"mantua@{SERVICE}", f"padua@{SERVICE}"]


def test_rights(run: Run) -> None:
    assert run("muc_online_rooms", {"service": SERVICE}, basic(f"juliet@{DOMAIN}")).status == 403
    assert run("create_room", NEW | {"host": "montague.example"}).status == 403
    assert run("create_room", {"room": "x", "service": SERVICE}) == (400, "Request have missing argument: host")


def test_nobody_writes_logs(run: Run) -> None:
    run("create_room", NEW)
    assert run("change_room_option", ROOM | {"option": "logging", "value": "true"}) == (200, 1)
    assert run("get_room_options", ROOM).body["logging"] == "false"
    assert run("change_room_option", NONE | {"option": "logging", "value": "true"}) == (400, "Room not found")


def test_passwords_of_rooms_are_not_written_down(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "xmpp_rest.audit")
    run("create_room_with_opts", NEW | {"options": {"password": "hidden-rose"}})
    run("create_room_with_opts", NEW | {"options": [{"name": "password", "value": "hidden-rose"}]})
    run("change_room_option", ROOM | {"option": "password", "value": "hidden-rose"})
    run("send_direct_invitation", ROOM | {"password": "hidden-rose", "reason": "", "users": []})
    assert len([r for r in caplog.records if "room" in str(vars(r))]) >= 4
    assert "hidden-rose" not in caplog.text
