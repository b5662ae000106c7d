"""Sessions: who is online, and how a session ends (commands-api §12, sessions)."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, basic
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.registry import StreamEnded

JULIET = {"user": "juliet", "host": DOMAIN}
PHONE = f"juliet@{DOMAIN}/phone"
HOST = {"host": DOMAIN}


def say(client: FlaskClient, resource: str = "phone", **presence: Any) -> None:
    body = {"kind": "presence", "from": f"juliet@{DOMAIN}/{resource}"} | presence
    assert client.post("/rest", json=body, headers=basic("juliet")).status_code == 202


def test_a_resource_that_says_it_is_available(run: Run, client: FlaskClient) -> None:
    say(client, show="away", status="brb", priority=3)
    (row,) = run("connected_users_info").body
    assert row | {"uptime": 0, "node": ""} == {
        "jid": PHONE, "connection": "http_bind", "ip": "0.0.0.0", "port": 0, "priority": 3, "node": "", "uptime": 0, "status": "away",
        "resource": "phone", "statustext": "brb",
    }  # fmt: skip
    assert run("user_sessions_info", JULIET).body == [{k: v for k, v in row.items() if k != "jid"}]
    assert run("get_presence", JULIET).body == {"jid": PHONE, "show": "away", "status": "brb"}
    assert run("status_list", {"status": "all"}).body == [{"jid": PHONE, "priority": 3, "status": "brb"}]
    old = {"user": "juliet", "host": DOMAIN, "resource": "phone", "priority": 3, "status": "brb"}
    assert run("status_list_host/v2", HOST | {"status": "away"}).body == [old]
    assert run("get_last", JULIET).body["status"] == "ONLINE"
    say(client, type="unavailable")
    assert run("connected_users") == (200, [])
    assert run("get_presence", JULIET).body == {"jid": f"juliet@{DOMAIN}", "show": "unavailable", "status": ""}


FIGURES = [
    ("connected_users", {}, [PHONE]), ("connected_users_number", {}, 1), ("connected_users_vhost", HOST, [PHONE]),
    ("user_resources", JULIET, ["phone"]), ("num_resources", JULIET, 1), ("resource_num", JULIET | {"num": 1}, "phone"),
    ("status_num", {"status": "all"}, 1), ("status_num", {"status": "available"}, 1), ("status_num", {"status": "dnd"}, 0),
    ("status_num_host", HOST | {"status": "available"}, 1), ("stats", {"name": "onlineusers"}, 1), ("stats_host", HOST | {"name": "onlineusers"}, 1),
    ("num_resources", {"user": "nurse", "host": DOMAIN}, 0), ("num_resources", {"user": "a b", "host": DOMAIN}, 0),
]  # fmt: skip


@pytest.mark.parametrize(("path", "args", "answer"), FIGURES, ids=lambda v: v if isinstance(v, str) else "")
def test_figures(run: Run, client: FlaskClient, path: str, args: dict[str, Any], answer: Any) -> None:
    say(client)
    assert run(path, args) == (200, answer)


@pytest.mark.parametrize("num", [0, 2, -1])
def test_a_resource_number_that_there_is_not(run: Run, client: FlaskClient, num: int) -> None:
    say(client)
    assert run("resource_num", JULIET | {"num": num}) == (500, "internal_error")


def test_a_stream_is_a_session_and_can_be_kicked(run: Run, gateway: Gateway) -> None:
    gateway.start()
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"), peer=("192.0.2.1", 4711))
    (row,) = run("connected_users_info").body
    assert (row["ip"], row["port"], row["priority"], row["status"]) == ("192.0.2.1", 4711, -1, "unavailable")
    assert row["jid"].startswith(f"juliet@{DOMAIN}/stream-")
    assert run("get_presence", JULIET).body["show"] == "unavailable"
    assert run("kick_session", JULIET | {"resource": "elsewhere", "reason": "x"}) == (200, 0)
    assert run("num_resources", JULIET).body == 1
    assert run("kick_session", JULIET | {"resource": row["resource"], "reason": "Enough"}) == (200, 0)
    assert run("num_resources", JULIET).body == 0
    with pytest.raises(StreamEnded, match="conflict: Enough"):
        stream.next(30)


@pytest.mark.parametrize(("path", "answer"), [("kick_user/v0", {"num_resources": 2}), ("kick_user/v1", 2), ("kick_user", "Kicked sessions: 2")])
def test_kicking_a_user(run: Run, client: FlaskClient, gateway: Gateway, path: str, answer: Any) -> None:
    say(client)
    gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    assert run(path, JULIET) == (200, answer)
    assert run("connected_users_number") == (200, 0)


def test_kicking_everybody(run: Run, client: FlaskClient) -> None:
    say(client)
    say(client, "tablet")
    assert run("kick_users", HOST) == (200, 2)


@pytest.mark.parametrize(
    ("path", "more", "why"),
    [
        ("ban_account", {"reason": "Spam"}, "conflict: Spam"),
        ("ban_account/v0", {"reason": "Spam"}, "conflict: Spam"),
        ("ban_account", {"reason": "\x07"}, "conflict: banned"),
        ("unregister", {}, "the account has been removed"),
    ],
)
def test_who_may_not_come_in_any_more_is_thrown_out(
    run: Run, client: FlaskClient, gateway: Gateway, path: str, more: dict[str, str], why: str
) -> None:
    nurse = {"localuser": "nurse", "localhost": DOMAIN, "user": "juliet", "host": DOMAIN, "nick": "", "groups": [], "subs": "both"}
    run("add_rosteritem", nurse)
    run("add_rosteritem", nurse | {"localuser": "juliet", "user": "nurse"})
    say(client)
    stream, watching = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}")), gateway.parts.streams.open(parse_jid(f"nurse@{DOMAIN}"))
    assert run(path, JULIET | more).status == 200
    assert [jid for jid in run("connected_users").body if jid.startswith("juliet@")] == []
    with pytest.raises(StreamEnded, match=why):
        list(iter(lambda: stream.next(0.1), None))
    seen = [event.stanza.get("type") for event in iter(lambda: watching.next(0.1), None)]
    assert "unavailable" in seen


def test_a_ban_holds_although_nobody_can_be_told(run: Run, client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    say(client)
    streams = [gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}")) for _ in range(2)]
    monkeypatch.setattr(gateway.parts.sending, "send", raising(GatewayError("outbox-full")))
    assert run("ban_account", JULIET | {"reason": "Spam"}) == (200, 0)
    for stream in streams:
        with pytest.raises(StreamEnded):
            stream.next(30)


def test_set_presence(run: Run, client: FlaskClient) -> None:
    args = JULIET | {"resource": "phone", "type": "available", "show": "dnd", "status": "busy"}
    assert run("set_presence", args | {"priority": 5}) == (400, "User session not found")
    say(client)
    assert run("set_presence/v0", args | {"priority": "5"}) == (200, 0)
    assert run("status_list", {"status": "dnd"}).body == [{"jid": PHONE, "priority": 5, "status": "busy"}]
    assert run("set_presence", args | {"priority": 500}) == (400, "Invalid priority")
    assert run("set_presence", args | {"priority": 1, "status": "a\x00b"}) == (400, "the character U+0000 is not allowed in XML")
    assert run("set_presence", args | {"priority": 1, "show": "asleep"}) == (400, "Invalid show")
    assert run("set_presence", args | {"priority": 1, "type": "unavailable"}) == (200, 0)
    assert run("num_resources", JULIET).body == 0


def test_presence_of_a_stream_goes_with_it(run: Run, gateway: Gateway) -> None:
    gateway.start()
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    args = JULIET | {"resource": stream.resource, "type": "", "show": "chat", "status": "", "priority": 7}
    assert run("set_presence", args) == (200, 0)
    assert run("get_presence", JULIET).body["show"] == "chat"
    stream.close()
    assert run("connected_users") == (200, [])


def test_a_presence_without_a_resource(run: Run, client: FlaskClient) -> None:
    client.post("/rest", json={"kind": "presence", "show": "chat"}, headers=basic("juliet"))
    assert run("connected_users").body == [f"juliet@{DOMAIN}/rest"]
    assert run("set_presence", JULIET | {"resource": "rest", "type": "", "show": "dnd", "status": "", "priority": 1}) == (200, 0)
    assert run("get_presence", JULIET).body == {"jid": f"juliet@{DOMAIN}/rest", "show": "dnd", "status": ""}
    assert run("kick_session", JULIET | {"resource": "rest", "reason": ""}) == (200, 0)
    assert run("connected_users") == (200, [])


def test_the_best_session_is_that_of_the_highest_priority(run: Run, client: FlaskClient) -> None:
    say(client, priority=1)
    say(client, "tablet", priority=9, show="xa")
    assert run("get_presence", JULIET).body == {"jid": f"juliet@{DOMAIN}/tablet", "show": "xa", "status": ""}


def test_the_words_of_a_client(run: Run) -> None:
    assert run("user_resources", {"user": "juliet", "server": DOMAIN}) == (200, [])
    both = {"user": "juliet", "server": DOMAIN, "host": DOMAIN}
    assert run("user_resources", both) == (400, "Request have duplicate argument: host")
