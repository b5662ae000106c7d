"""What `/status` tells of a cluster, by rows and the time since they have changed."""

from __future__ import annotations

from typing import Any

from tests.cluster.rows import row
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.cluster.status import states_of, told

OWNER = LeaseOwner("gateway.example", "web2", "run-web2", 7)
DOMAINS = ["gateway.example", "muclight.gateway.example"]


def tell(*nodes: tuple[Any, float], owner: LeaseOwner | None = OWNER) -> dict[str, Any]:
    """`nodes`: rows, and how many seconds ago each has changed."""
    states = states_of({each.node: (each, 100.0 - ago) for each, ago in nodes}, 100.0, 3.0)
    return told("web1", "postgresql", 2, dict.fromkeys(DOMAINS, owner), owner, states)


def test_owners_and_nodes() -> None:
    found = tell((row("web2", streams=3, settings={"auth": "a"}), 0.1), (row("web1", streams=12, settings={"auth": "b"}), 0.42))
    assert found == {
        "kind": "postgresql",
        "node": "web1",
        "copies": 2,
        "members": 2,
        "owners": [{"domain": domain, "node": "web2", "epoch": 7, "here": False} for domain in DOMAINS],
        "nodes": [
            {"node": "web1", "version": "0.2.0", "seen": 0.4, "streams": 12, "state": "ready", "may_own": True, "differs": ["[auth]"]},
            {"node": "web2", "version": "0.2.0", "seen": 0.1, "streams": 3, "state": "ready", "may_own": True, "differs": []},
        ],
    }


def test_states() -> None:
    found = tell((row("a", state="draining"), 0.0), (row("b", streams=4), 3.0), (row("d"), 3600.0))
    assert {each["node"]: (each["state"], each["streams"]) for each in found["nodes"]} == {
        "a": ("draining", 0), "b": ("silent", 0),
    }  # fmt: skip
    assert found["members"] == 1


def test_without_an_owner_settings_are_compared_with_this_node() -> None:
    found = tell((row("web1", settings={"auth": "b"}), 0.4), (row("web2", settings={"auth": "a"}), 0.4), owner=None)
    assert found["owners"][0] == {"domain": "gateway.example", "node": "", "epoch": 0, "here": False}
    assert [each["differs"] for each in found["nodes"]] == [[], ["[auth]"]]


def test_a_row_that_makes_no_sense_is_a_node_all_the_same() -> None:
    found = tell((row("web1")._replace(info=[]), 0.0), (row("web2", streams="many", settings=3, state=7), 0.0))
    assert [(each["streams"], each["state"], each["differs"]) for each in found["nodes"]] == [(0, "ready", []), (0, "ready", [])]
