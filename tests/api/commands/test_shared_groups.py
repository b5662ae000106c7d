"""Shared roster groups work as the peer's do (commands-api §12)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway

HOST = {"host": DOMAIN}
G1 = {"group": "g1", "host": DOMAIN}
TEXT = {"label": "One", "description": "The first"}


def member(user: str, group: str = "g1") -> dict[str, str]:
    return {"user": user, "host": DOMAIN, "group": group, "grouphost": DOMAIN}


def info(run: Run, group: str = "g1") -> dict[str, str]:
    return {row["key"]: row["value"] for row in run("srg_get_info", {"group": group, "host": DOMAIN}).body}


@pytest.fixture
def g1(run: Run) -> None:
    assert run("srg_create", G1 | TEXT | {"display": ["g1"]}) == (200, 0)


def test_a_group_comes_and_goes(run: Run, g1: None) -> None:
    assert run("srg_list", HOST) == (200, ["g1"])
    assert info(run) == {"label": "One", "description": "The first", "displayed_groups": "g1"}
    for _ in range(2):
        assert run("srg_delete", G1) == (200, 0)
    assert run("srg_list", HOST) == (200, [])
    assert info(run) == {}


@pytest.mark.parametrize(
    ("path", "display", "shown", "code"),
    [
        ("srg_create/v0", "g1\\ng2", "g1, g2", 0),
        ("srg_create/v0", "", "", 0),
        ("srg_create/v0", "g1\ng2", None, 1),  # a real line feed does not split
        ("srg_create", ["g2", "g1", "g2"], "g2, g1", 0),
        ("srg_create", ["new"], "new", 0),  # itself
        ("srg_create", ["g1", "g9"], None, 1),
    ],
)
def test_what_a_new_group_shows(run: Run, g1: None, path: str, display: Any, shown: str | None, code: int) -> None:
    run("srg_add", {"group": "g2", "host": DOMAIN})
    assert run(path, {"group": "new", "host": DOMAIN} | TEXT | {"display": display}) == (200, code)
    assert info(run, "new").get("displayed_groups") == shown
    assert ("new" in run("srg_list", HOST).body) == (code == 0)


def test_creating_again_overwrites_the_settings(run: Run, g1: None) -> None:
    run("srg_user_add", member("juliet"))
    assert run("srg_create", G1 | {"name": "Eins", "description": "", "display": []}) == (200, 0)
    assert info(run) == {"label": "Eins", "description": "", "displayed_groups": ""}
    assert run("srg_get_members", G1) == (200, [f"juliet@{DOMAIN}"])


def test_displayed_groups(run: Run, g1: None) -> None:
    run("srg_add", {"group": "g2", "host": DOMAIN})
    assert run("srg_add_displayed", G1 | {"add": "g2"}) == (200, 0)
    assert run("srg_add_displayed", G1 | {"add": "g2"}) == (200, 0)
    assert run("srg_add_displayed", G1 | {"add": "g3"}) == (200, 1)
    assert run("srg_get_displayed", G1) == (200, ["g1", "g2"])
    assert run("srg_del_displayed", G1 | {"del": "g1"}) == (200, 0)
    assert run("srg_del_displayed", G1 | {"del": "g1"}) == (200, 1)
    assert run("srg_delete", {"group": "g2", "host": DOMAIN}) == (200, 0)
    assert run("srg_get_displayed", G1) == (200, [])


@pytest.mark.parametrize(
    ("key", "value", "code", "after"),
    [
        ("label", "Neu", 0, {"label": "Neu"}),
        ("description", "", 0, {"description": ""}),
        ("all_users", "true", 0, {"all_users": "true"}),
        ("online_users", "true", 0, {"online_users": "true"}),
        ("all_users", "yes", 0, {}),
        ("colour", "red", 0, {}),
    ],
)
def test_settings(run: Run, g1: None, key: str, value: str, code: int, after: dict[str, str]) -> None:
    assert run("srg_set_info", G1 | {"key": key, "value": value}) == (200, code)
    assert info(run) == {"label": "One", "description": "The first", "displayed_groups": "g1"} | after


def test_a_flag_is_taken_away(run: Run, g1: None) -> None:
    for value in ("true", "false"):
        run("srg_set_info", G1 | {"key": "all_users", "value": value})
    assert "all_users" not in info(run)


def test_members(run: Run, g1: None) -> None:
    for user in ("nurse", "JULIET", "nobody"):
        assert run("srg_user_add", member(user)) == (200, 0)
    assert run("srg_get_members", G1) == (200, [f"juliet@{DOMAIN}", f"nobody@{DOMAIN}", f"nurse@{DOMAIN}"])
    for user in ("a b", "", "@recent@", "@ALL@"):
        assert run("srg_user_add", member(user)).status == 400
    for user in ("nobody", "nobody", "a b"):
        assert run("srg_user_del", member(user)) == (200, 0)
    run("unregister", {"user": "juliet", "host": DOMAIN})
    assert run("srg_get_members", G1) == (200, [f"nurse@{DOMAIN}"])


def test_absent_groups(run: Run) -> None:
    for command, more in (("srg_set_info", {"key": "label", "value": "x"}), ("srg_set_info", {"key": "colour", "value": "x"}), ("srg_add_displayed", {"add": "g1"})):
        assert run(command, G1 | more) == (200, 1)
    for user in ("@all@", "@online@"):
        assert run("srg_user_add", member(user)) == (200, 1)
        assert run("srg_user_del", member(user)) == (200, 1)
    assert run("srg_list", HOST) == (200, [])
    assert run("srg_user_add", member("juliet", "__hash")) == (400, "Invalid group name")
    assert run("srg_user_add", member("juliet") | {"grouphost": "montague.example"}).status == 404


def test_members_may_come_before_their_group(run: Run, gateway: Gateway) -> None:
    for user in ("juliet", "nurse"):
        assert run("srg_user_add", member(user)) == (200, 0)
    assert run("srg_get_members", G1) == (200, [f"juliet@{DOMAIN}", f"nurse@{DOMAIN}"])
    assert run("srg_list", HOST) == (200, [])
    assert info(run) == {}
    assert run("srg_create", {"group": "g2", "host": DOMAIN} | TEXT | {"display": ["g1"]}) == (200, 1)
    assert run("srg_set_info", G1 | {"key": "label", "value": "x"}) == (200, 1)
    assert run("srg_user_del", member("nurse")) == (200, 0)
    assert run("srg_create", G1 | TEXT | {"display": ["g1"]}) == (200, 0)
    assert run("srg_get_members", G1) == (200, [f"juliet@{DOMAIN}"])
    assert run("srg_delete", G1) == (200, 0)
    assert run("srg_get_members", G1) == (200, [])
    for command in ("srg_user_add", "srg_user_del"):
        assert run(command, member("juliet")) == (200, 0)
    assert gateway.driver.load(None, DOMAIN, "shared_roster_groups") in ({}, None)


def roster(run: Run, user: str) -> dict[str, tuple[str, str, list[str]]]:
    rows = run("get_roster", {"user": user, "host": DOMAIN}).body
    return {row["jid"].partition("@")[0]: (row["nick"], row["subscription"], row["groups"]) for row in rows}


@pytest.mark.parametrize("version", ["", "/v0", "/v1"])
def test_everybody_is_a_member(run: Run, g1: None, version: str) -> None:
    run("srg_user_add", member("nurse"))
    assert run(f"srg_user_add{version}", member("@all@")) == (200, 0)
    assert info(run)["all_users"] == "true"
    assert run("srg_get_members", G1) == (200, [f"nurse@{DOMAIN}"])
    assert roster(run, "juliet") == {user: ("", "both", ["One"]) for user in ("admin", "nurse")}
    assert roster(run, "nobody") == {}
    assert run(f"srg_user_del{version}", member("@all@")) == (200, 0)
    assert "all_users" not in info(run)
    assert run("srg_get_members", G1) == (200, [f"nurse@{DOMAIN}"])
    assert roster(run, "juliet") == {}


def test_who_is_online_is_a_member(run: Run, g1: None, client: FlaskClient) -> None:
    assert run("srg_user_add", member("@online@")) == (200, 0)
    assert info(run)["online_users"] == "true"
    assert roster(run, "juliet") == {}
    for kind in (None, "unavailable"):
        presence = {"kind": "presence", "from": f"nurse@{DOMAIN}/phone"} | ({"type": kind} if kind else {})
        client.post("/rest", json=presence, headers=basic("nurse"))
        assert list(roster(run, "juliet")) == ([] if kind else ["nurse"])
        assert roster(run, "nurse") == {}
    assert run("srg_user_del", member("@online@")) == (200, 0)
    assert "online_users" not in info(run)


def test_what_shared_contacts_are_called(run: Run, g1: None) -> None:
    for user in ("nurse", "juliet"):
        run("srg_user_add", member(user))
    nurse = {"user": "nurse", "host": DOMAIN}
    assert roster(run, "juliet") == {"nurse": ("", "both", ["One"])}
    run("set_vcard", nurse | {"name": "FN", "content": "Angelica the Nurse"})
    assert roster(run, "juliet") == {"nurse": ("Angelica the Nurse", "both", ["One"])}
    run("set_vcard", nurse | {"name": "NICKNAME", "content": "Angelica"})
    assert roster(run, "juliet") == {"nurse": ("Angelica", "both", ["One"])}
    run("set_vcard", nurse | {"name": "NICKNAME", "content": ""})
    assert roster(run, "juliet") == {"nurse": ("Angelica the Nurse", "both", ["One"])}


@pytest.mark.parametrize("name", ["", "__hash", "__array"])
def test_words_of_the_storage_are_no_names(run: Run, name: str) -> None:
    assert run("srg_add", {"group": name, "host": DOMAIN}) == (400, "Invalid group name")


def test_members_see_each_other(run: Run, g1: None, gateway: Gateway) -> None:
    for user in ("nurse", "juliet"):
        run("srg_user_add", member(user))
    juliet = {"user": "juliet", "host": DOMAIN}
    row = {"jid": f"nurse@{DOMAIN}", "nick": "", "subscription": "both", "pending": "undefined", "groups": ["One"]}
    assert run("get_roster", juliet) == (200, [row])
    item = {"localuser": "juliet", "localhost": DOMAIN, "user": "nurse", "host": DOMAIN, "nick": "Angelica", "groups": ["Home"], "subs": "to"}
    run("add_rosteritem", item)
    assert run("get_roster", juliet) == (200, [row | {"nick": "Angelica", "groups": ["Home", "One"]}])
    assert run("get_roster", {"user": "admin", "host": DOMAIN}) == (200, [])
    run("srg_set_info", G1 | {"key": "all_users", "value": "true"})
    assert run("get_roster_count", {"user": "admin", "host": DOMAIN}) == (200, 2)
