"""Do shared roster groups work as the peer's do? (spec commands-api §12)"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN
from xmpp_rest.gateway import Gateway

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
    new = {"group": "new", "host": DOMAIN}
    assert run(path, new | TEXT | {"display": display}) == (200, code)
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
    for user in ("nurse", "JULIET", "nobody", "a b"):
        assert run("srg_user_add", member(user)) == (200, 0)
    assert run("srg_get_members", G1) == (200, [f"juliet@{DOMAIN}", f"nobody@{DOMAIN}", f"nurse@{DOMAIN}"])
    for user in ("nobody", "nobody"):
        assert run("srg_user_del", member(user)) == (200, 0)
    run("unregister", {"user": "juliet", "host": DOMAIN})
    assert run("srg_get_members", G1) == (200, [f"nurse@{DOMAIN}"])


def test_absent_groups(run: Run) -> None:
    assert run("srg_user_add", member("juliet")) == (200, 0)
    assert run("srg_user_del", member("juliet")) == (200, 0)
    assert run("srg_get_members", G1) == (200, [])
    assert run("srg_list", HOST) == (200, [])
    assert run("srg_user_add", member("juliet") | {"grouphost": "montague.example"}).status == 404


@pytest.mark.parametrize("name", ["", "__hash", "__array"])
def test_words_of_the_storage_are_no_names(run: Run, name: str) -> None:
    assert run("srg_add", {"group": name, "host": DOMAIN}) == (400, "Invalid group name")


def test_members_see_each_other(run: Run, g1: None, gateway: Gateway) -> None:
    for user in ("nurse", "juliet"):
        run("srg_user_add", member(user))
    juliet = {"user": "juliet", "host": DOMAIN}
    row = {"jid": f"nurse@{DOMAIN}", "nick": "nurse", "subscription": "both", "pending": "undefined", "groups": ["One"]}
    assert run("get_roster", juliet) == (200, [row])
    item = {"localuser": "juliet", "localhost": DOMAIN, "user": "nurse", "host": DOMAIN, "nick": "Angelica", "groups": ["Home"], "subs": "to"}
    run("add_rosteritem", item)
    assert run("get_roster", juliet) == (200, [row | {"nick": "Angelica", "groups": ["Home", "One"]}])
    assert run("get_roster", {"user": "admin", "host": DOMAIN}) == (200, [])
    run("srg_set_info", G1 | {"key": "all_users", "value": "true"})
    assert run("get_roster_count", {"user": "admin", "host": DOMAIN}) == (200, 2)
