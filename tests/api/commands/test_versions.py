"""A client keeps its version: by the base of its URLs, or by the names of its arguments."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.api.commands.conftest import ADMIN, Run
from tests.cluster.made_up import MadeUpNode
from tests.conftest import DOMAIN, MakeApp
from xmpp_rest.gateway.gateway import Gateway

SERVICE = f"conference.{DOMAIN}"
NAMED = {"name": "registeredusers"}
NEW = {"room": "r", "service": SERVICE, "host": DOMAIN}
OLD_AFFILIATION = {"name": "r", "service": SERVICE, "jid": f"juliet@{DOMAIN}", "affiliation": "member"}
OLD_SUBSCRIPTION = {"user": f"juliet@{DOMAIN}", "nick": "J", "room": f"r@{SERVICE}"}
MESSAGES, SUBJECT = "urn:xmpp:mucsub:nodes:messages", "urn:xmpp:mucsub:nodes:subject"


def post(client: FlaskClient, path: str, body: Any) -> tuple[int, Any]:
    answer = client.post(path, data=json.dumps(body), headers=ADMIN)
    return answer.status_code, answer.get_json()


# a base for each version


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v0/api/stats", {"stat": 3}), ("/v1/api/stats", 3), ("/v2/api/stats", 3), ("/v3/api/stats", 3), ("/v0/api/stats/", {"stat": 3}),
        ("/v0/api/stats/v1", 3), ("/v3/api/stats/v0", {"stat": 3}), ("/v0/api/stats/vx", {"stat": 3}),
    ],
)  # fmt: skip
def test_a_base_names_the_version(client: FlaskClient, path: str, body: Any) -> None:
    assert post(client, path, NAMED) == (200, body)
    assert client.get(path, query_string=NAMED, headers=ADMIN).get_json() == body


def test_what_is_younger_than_the_base_is_unknown(client: FlaskClient) -> None:
    assert post(client, "/v1/api/get_ban_details", {"user": "juliet", "host": DOMAIN}) == (400, "unknown_command")
    assert post(client, "/v2/api/get_ban_details", {"user": "juliet", "host": DOMAIN})[0] == 200


def test_errors_below_a_base(client: FlaskClient) -> None:
    assert post(client, "/v0/api/nothing", {})[0] == 404
    assert post(client, "/v0/api", {}) == (400, {"status": "error", "code": 40, "message": "Missing command name."})
    assert client.post("/v0/api/stats", data="{}").status_code == 400
    assert client.options("/v0/api/stats", headers={"Origin": "https://a.example"}).status_code == 200
    assert client.post("/v4/api/stats", data="{}", headers=ADMIN).status_code == 404
    assert client.get("/v0/api/messages", headers=ADMIN).status_code == 404  # the client API has no versions


def test_a_base_is_a_version_that_was_named(run: Run, client: FlaskClient) -> None:
    run("create_room", NEW)
    assert post(client, "/v3/api/set_room_affiliation", OLD_AFFILIATION) == (400, "Request have missing argument: room")
    assert post(client, "/v0/api/set_room_affiliation", OLD_AFFILIATION) == (200, 0)


# names of arguments that only an older version has


@pytest.fixture
def room(run: Run) -> None:
    run("create_room_with_opts", NEW | {"options": {"allow_subscription": "true"}})


@pytest.mark.usefixtures("room")
def test_a_call_without_a_version_runs_as_the_one_it_was_written_for(run: Run, client: FlaskClient) -> None:
    assert run("set_room_affiliation", OLD_AFFILIATION) == (200, 0)
    (row,) = run("get_room_affiliations", {"name": "r", "service": SERVICE}).body
    assert row == {"username": "juliet", "domain": DOMAIN, "affiliation": "member", "reason": ""}
    assert run("get_room_affiliations", {"room": "r", "service": SERVICE}).body[0]["jid"] == f"juliet@{DOMAIN}"
    assert run("muc_register_nick", {"nick": "J", "jid": f"juliet@{DOMAIN}", "service": SERVICE}) == (200, 0)
    item = {"localuser": "nurse", "localhost": DOMAIN, "user": "juliet", "host": DOMAIN, "nick": "J", "subs": "both"}
    assert run("add_rosteritem", item | {"group": "a;b"}) == (200, 0)
    assert run("get_roster", {"user": "nurse", "host": DOMAIN}).body[0]["groups"] == ["a", "b"]
    assert run("add_rosteritem", item | {"groups": ["c;d"]}) == (200, 0)
    assert run("get_roster", {"user": "nurse", "host": DOMAIN}).body[0]["groups"] == ["c;d"]
    query = {key: value for key, value in OLD_AFFILIATION.items() if key != "affiliation"} | {"affiliation": "admin"}
    assert client.get("/api/set_room_affiliation", query_string=query, headers=ADMIN).get_json() == 0


@pytest.mark.usefixtures("room")
@pytest.mark.parametrize("nodes", [f"{MESSAGES},{SUBJECT}", [MESSAGES, SUBJECT]])
def test_of_two_that_fit_the_one_whose_lists_are_lists(run: Run, nodes: Any) -> None:
    assert run("subscribe_room", OLD_SUBSCRIPTION | {"nodes": nodes}) == (200, [MESSAGES, SUBJECT])
    assert run("unsubscribe_room", {"user": f"juliet@{DOMAIN}", "room": f"r@{SERVICE}"}) == (200, 0)


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"name": "r", "service": SERVICE}, "Request have missing argument: room"),
        (OLD_AFFILIATION | {"extra": 1}, "Request have missing argument: room"),
        ({"room": "r", "service": SERVICE, "user": "a", "host": DOMAIN}, "Request have missing argument: affiliation"),
        (OLD_AFFILIATION | {"room": "r"}, "Request have missing argument: user"),
    ],
)
def test_what_fits_none_is_told_of_the_newest(run: Run, args: Any, error: str) -> None:
    assert run("set_room_affiliation", args) == (400, error)


def test_a_version_that_is_named_stays(run: Run) -> None:
    assert run("set_room_affiliation/v3", OLD_AFFILIATION) == (400, "Request have missing argument: room")


def test_the_setting(make_app: MakeApp) -> None:
    client = make_app(commands_fit_version="no").test_client()
    assert post(client, "/api/set_room_affiliation", OLD_AFFILIATION) == (400, "Request have missing argument: room")


def test_never_a_newer_one_than_the_default(make_app: MakeApp) -> None:
    client = make_app(commands_default_version="1").test_client()
    post(client, "/api/create_room", NEW)
    new = {"room": "r", "service": SERVICE, "user": "juliet", "host": DOMAIN, "affiliation": "member"}
    assert post(client, "/api/set_room_affiliation", new)[0] == 400


# the node


def test_the_cluster_is_this_node(run: Run) -> None:
    (node,) = run("list_cluster").body
    (row,) = run("list_cluster_detailed").body
    assert row["name"] == node
    assert node in row["status"]
    assert {key: type(value) for key, value in row.items()} == {
        "name": str, "running": str, "status": str, "online_users": int, "processes": int, "uptime_seconds": int, "master_node": str,
    }  # fmt: skip


def test_the_nodes_of_a_cluster(client: FlaskClient, gateway: Gateway) -> None:
    gateway.start()
    gateway.parts = replace(gateway.parts, cluster=MadeUpNode())
    for version in ("", "/v0", "/v1", "/v2"):
        assert post(client, f"/api/list_cluster{version}", {}) == (200, ["web1", "web2"])
    rows = {row["name"]: row for row in post(client, "/api/list_cluster_detailed", {})[1]}
    assert {name: row["running"] for name, row in rows.items()} == {"web1": "true", "web2": "true", "web3": "false"}
    assert "is running in that node" in rows["web1"]["status"]
    assert (rows["web2"]["status"], rows["web2"]["online_users"]) == ("The node web2 is ready", 2)


@pytest.mark.parametrize(("written", "shown"), [(None, "false"), ("no", "false"), ("yes", "true")])
def test_subscriptions_of_new_rooms(make_app: MakeApp, written: str | None, shown: str) -> None:
    client = make_app(**({"conference_allow_subscription": written} if written else {})).test_client()
    assert post(client, "/api/create_room", NEW) == (200, 0)
    assert post(client, "/api/get_room_options", {"room": "r", "service": SERVICE})[1]["allow_subscription"] == shown
