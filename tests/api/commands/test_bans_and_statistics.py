"""Bans, statistics and last activity work as the peer's do (commands-api §10, §12)."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.arguments import take
from xmpp_rest.api.commands.errors import CommandFailure
from xmpp_rest.api.commands.services import Services
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway

JULIET = {"user": "juliet", "host": DOMAIN}
NOBODY = {"user": "nobody", "host": DOMAIN}
MALFORMED = {"user": "a b", "host": DOMAIN}
HOST = {"host": DOMAIN}
NOW = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


# bans


def test_a_ban_and_its_end(run: Run) -> None:
    juliet = basic(f"juliet@{DOMAIN}")
    assert run("ban_account", JULIET | {"reason": "Spam"}) == (200, 0)
    assert run("registered_users", HOST, juliet).status == 401
    assert run("check_password", JULIET | {"password": PASSWORD}) == (200, 1)
    assert run("check_account", JULIET) == (200, 0)
    assert run("ban_account", JULIET | {"reason": "Again"}) == (200, 1)
    details = run("get_ban_details", JULIET).body
    assert (details["reason"], details["lastreason"]) == ("Spam", "NOT FOUND")
    assert re.fullmatch(NOW, details["bandate"])
    assert (run("list_banned", HOST), run("count_banned", HOST)) == ((200, [f"juliet@{DOMAIN}"]), (200, 1))
    assert run("unban_account", JULIET) == (200, 0)
    assert run("registered_users", HOST, juliet).status == 403
    assert run("unban_account", JULIET) == (200, 1)
    assert run("get_ban_details", JULIET) == (200, {})
    assert run("count_banned/v0", HOST) == (200, {"banned": 0})


def test_a_ban_holds_at_the_other_apis(run: Run, client: FlaskClient) -> None:
    message = {"kind": "message", "to": f"nurse@{DOMAIN}", "body": "Romeo?"}
    assert client.post("/rest", json=message, headers=basic(f"juliet@{DOMAIN}")).status_code == 202
    run("ban_account", JULIET | {"reason": ""})
    assert client.post("/rest", json=message, headers=basic(f"juliet@{DOMAIN}")).status_code in (401, 403)


def test_a_ban_outlives_a_new_password(run: Run) -> None:
    run("ban_account", JULIET | {"reason": ""})
    assert run("change_password", JULIET | {"newpass": "new"}) == (200, 0)
    assert run("registered_users", HOST, basic(f"juliet@{DOMAIN}", "new")).status == 401


@pytest.mark.parametrize("who", [NOBODY, MALFORMED])
def test_bans_of_nobody(run: Run, who: dict[str, str]) -> None:
    for path in ("ban_account/v0", "ban_account/v2"):
        assert run(path, who | {"reason": "Spam"}) == (200, 1)
    assert run("unban_account", who) == (200, 1)
    assert run("get_ban_details", who) == (200, {})
    assert run("check_account", who) == (200, 1)


@pytest.mark.parametrize("reason", ["Spam", "x" * 2000, "\u0007"])
def test_a_ban_before_v2_takes_the_password(run: Run, gateway: Gateway, reason: str) -> None:
    assert run("ban_account/v1", JULIET | {"reason": reason}) == (200, 0)
    assert run("registered_users", HOST, basic(f"juliet@{DOMAIN}")).status == 401
    assert run("count_banned", HOST) == (200, 0)
    run("change_password", JULIET | {"newpass": PASSWORD})
    assert run("registered_users", HOST, basic(f"juliet@{DOMAIN}")).status == 403


def test_ban_details_hold_the_last_activity(run: Run) -> None:
    run("set_last", JULIET | {"timestamp": 1500045311, "status": "GoSleeping"})
    run("ban_account", JULIET | {"reason": "x"})
    details = run("get_ban_details", JULIET).body
    assert (details["lastdate"], details["lastreason"]) == ("2017-07-14T15:15:11Z", "GoSleeping")


# last activity


def test_last_activity_of_a_new_account(run: Run) -> None:
    run("register", {"user": "romeo", "host": DOMAIN, "password": "x"})
    got = run("get_last", {"user": "romeo", "host": DOMAIN}).body
    assert got["status"] == "Registered but didn't login"
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", got["timestamp"])


def test_last_activity_of_nobody(run: Run) -> None:
    got = run("get_last", NOBODY).body
    assert got["status"] == "NOT FOUND"
    assert re.fullmatch(NOW, got["timestamp"])


@pytest.mark.parametrize("timestamp", [10**30, -(10**30), 253402300800])
def test_times_that_no_calendar_has(run: Run, timestamp: int) -> None:
    assert run("set_last", JULIET | {"timestamp": timestamp, "status": ""}) == (400, "Invalid timestamp")


def test_last_activity_of_a_malformed_name(run: Run) -> None:
    assert run("set_last", MALFORMED | {"timestamp": 1, "status": ""}).status == 400
    assert run("get_last", MALFORMED).status == 400


def test_unregister_takes_everything_along(run: Run, gateway: Gateway) -> None:
    run("set_last", JULIET | {"timestamp": 1, "status": ""})
    run("set_vcard", JULIET | {"name": "FN", "content": "Juliet"})
    run("private_set", JULIET | {"element": "<a xmlns='urn:b'>c</a>"})
    run("unregister", JULIET)
    assert list(gateway.driver.stores("juliet", DOMAIN)) == []


# figures and the server


@pytest.mark.parametrize(
    ("path", "args", "answer"),
    [
        ("stats", {"name": "registeredusers"}, 3),
        ("stats/v0", {"name": "registeredusers"}, {"stat": 3}),
        ("stats", {"name": "onlineusers"}, 0),
        ("stats", {"name": "onlineusersnode"}, 0),
        ("stats_host", {"name": "registeredusers"} | HOST, 3),
        ("stats_host", {"name": "onlineusers"} | HOST, 0),
        ("registered_vhosts", {}, [DOMAIN]),
    ],
)
def test_figures(run: Run, path: str, args: dict[str, Any], answer: Any) -> None:
    assert run(path, args) == (200, answer)


def test_figures_are_counted(run: Run) -> None:
    run("unregister", NOBODY)
    assert run("stats", {"name": "registeredusers"}).body == 3
    run("unregister", JULIET)
    assert run("stats", {"name": "registeredusers"}).body == 2


def test_figures_of_the_process(run: Run) -> None:
    assert 0 <= run("stats", {"name": "uptimeseconds"}).body < 600
    assert run("stats", {"name": "processes"}).body >= 1


@pytest.mark.parametrize(("path", "args"), [("stats", {}), ("stats_host", HOST)])
@pytest.mark.parametrize("name", ["bogus", "", "uptimeseconds "])
def test_unknown_figures(run: Run, path: str, args: dict[str, str], name: str) -> None:
    assert run(path, args | {"name": name}) == (500, "internal_error")


def test_status(run: Run) -> None:
    text = rf"The node xmpp-rest@{DOMAIN} is started\. Status: started\nxmpp-rest [0-9.]+ as ejabberd [0-9.]+ is running in that node"
    assert re.fullmatch(text, run("status").body)


def test_log_level(run: Run) -> None:
    loggers = [logging.getLogger(name) for name in ("xmpp_rest", "drivers")]
    before = [logger.level for logger in loggers]
    try:
        for level in ("none", "emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"):
            assert run("set_loglevel", {"loglevel": level}) == (200, 0)
            assert run("get_loglevel") == (200, level)
        assert run("get_loglevel/v0") == (200, {"levelatom": "debug"})
        assert run("set_loglevel", {"loglevel": "5"}) == (400, "Invalid log level")
    finally:
        for logger, number in zip(loggers, before, strict=True):
            logger.setLevel(number)


@pytest.mark.parametrize(
    ("record", "args", "answer"),
    [
        ({"password": "abcdefg"}, {"passwordhash": "7AC66C0F148DE9519B8BD264312C4D64", "hashmethod": "md5"}, (200, 0)),
        ({"password": "abcdefg"}, {"passwordhash": "7ac66c0f148de9519b8bd264312c4d64", "hashmethod": "md5"}, (200, 1)),
        ({"password": "abcdefg"}, {"passwordhash": "ü", "hashmethod": "sha256"}, (200, 1)),
        ({"password": "abcdefg"}, {"passwordhash": "x", "hashmethod": "rot13"}, (400, "unkown_hash_method")),
        (None, {"passwordhash": "x", "hashmethod": "sha"}, (400, "passwords_scrammed_command_cannot_work")),
        (None, {"passwordhash": "x", "hashmethod": "rot13"}, (400, "passwords_scrammed_command_cannot_work")),
    ],
)
def test_check_password_hash(run: Run, gateway: Gateway, record: Any, args: dict[str, str], answer: Any) -> None:
    if record:
        gateway.driver.store("juliet", DOMAIN, "accounts", record)
    assert run("check_password_hash", JULIET | args) == answer


def test_check_password_hash_of_nobody(run: Run) -> None:
    assert run("check_password_hash", NOBODY | {"passwordhash": "x", "hashmethod": "sha"}) == (200, 1)


# the throttle


@pytest.mark.parametrize(
    ("address", "lifted"),
    [
        ("127.0.0.1", 1), ("127.0.0.1/32", 1), ("127.9.9.9/8", 1), ("0.0.0.0/0", 1), ("::ffff:127.0.0.1/128", 1), ("::ffff:127.0.0.1", 1),
        ("203.0.113.7", 0), ("127.0.0.2/32", 0), ("::1", 0), ("::1/64", 0), ("nowhere", -1), ("", -1), (" 127.0.0.1", -1),
        ("127.0.0.1/33", -1), ("127.0.0.1/x", -1), ("127.0.0.1/", -1), ("127.0.0.1/255.0.0.0", -1), ("::1/129", -1), ("127.0.0.1/8/8", -1),
    ],
)  # fmt: skip
def test_unban_ip(run: Run, address: str, lifted: int) -> None:
    assert run("status", {}, basic(f"juliet@{DOMAIN}", "wrong")).status == 401
    assert run("unban_ip", {"address": address}) == (200, lifted)


def test_a_lifted_address_may_try_again(make_app: MakeApp) -> None:
    client = make_app(auth_failures="1").test_client()
    wrong, right = basic(f"nobody@{DOMAIN}", "wrong"), basic(f"admin@{DOMAIN}")
    statuses = [client.get("/api/status", headers=wrong).status_code for _ in range(2)]
    assert client.get("/api/unban_ip?address=127.0.0.1", headers=right).get_json() == 1
    assert [*statuses, client.get("/api/status", headers=wrong).status_code] == [401, 429, 401]


# callers whom the rights do not ask about their host

HOST_COMMANDS = {
    "registered_users": {}, "stats_host": {"name": "registeredusers"}, "list_banned": {}, "push_alltoall": {"group": "x"}, "srg_list": {},
    "srg_add": {"group": "x"}, "register": {"user": "romeo", "password": "x"}, "get_roster": {"user": "juliet"},
}  # fmt: skip


@pytest.mark.parametrize("name", HOST_COMMANDS)
def test_a_host_that_is_not_served(gateway: Gateway, name: str) -> None:
    offered = registry()
    offer = offered.find(name, 3)
    values = take(offer.definition, [*HOST_COMMANDS[name].items(), ("host", "montague.example")])
    with pytest.raises((GatewayError, CommandFailure), match="not hosted"):
        offer.run(Services(gateway, offered.names), *values.values())
