"""`xmpp-rest cluster`: what is printed and exit codes, beside a gateway whose cluster is made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ran
from tests.cli.inside import run
from tests.conftest import DOMAIN
from xmpp_rest.cli import cluster as verb
from xmpp_rest.gateway.exit_codes import Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.monitoring.one_machine import OneMachine

SETTINGS = """
[gateway]
domain = {domain}
[storage]
url = postgresql://gw@127.0.0.1:1/gw
[cluster]
kind = postgresql
copies = 1
[files]
domain =
"""


class MadeUp(OneMachine):
    """Two nodes, of which this one is web1. `refusal`: of what is to be changed."""

    def __init__(self) -> None:
        self.owner = "web1"
        self.other: dict[str, Any] = {"state": "ready", "may_own": True}
        self.refusal = ""
        self.asked: list[str] = []
        self.on_look: Callable[[], object] = list
        self.apart: dict[str, tuple[str, int]] = {}
        """Domains with owners of their own: the node and the epoch."""

    def figures(self) -> dict[str, Any]:
        self.on_look()
        node = {"version": "0.2.0", "seen": 0.43, "streams": 12, "state": "ready", "may_own": True, "differs": []}
        return {
            "kind": "postgresql",
            "node": "web1",
            "copies": 1,
            "members": 2,
            "owners": [{"domain": DOMAIN, "node": self.owner, "epoch": 7 if self.owner else 0, "here": self.owner == "web1"}]
            + [{"domain": domain, "node": node, "epoch": epoch, "here": node == "web1"} for domain, (node, epoch) in self.apart.items()],
            "nodes": [{"node": "web1", **node}, {"node": "web2", **node, "differs": ["[auth]", "[link]"], **self.other}],
        }

    def move(self, domain: str, node: str) -> str:
        self.asked.append(f"move {domain} {node}")
        self.owner = "" if not self.refusal else self.owner
        return self.refusal

    def drain(self) -> str:
        self.asked.append("drain")
        return self.refusal

    def undrain(self) -> str:
        self.asked.append("undrain")
        return self.refusal

    def forget(self, node: str) -> str:
        self.asked.append(f"forget {node}")
        return self.refusal


@pytest.fixture
def joined(config: Path) -> Path:
    """The configuration of the same folder, with a cluster."""
    path = config.with_name("cluster.ini")
    path.write_text(SETTINGS.format(domain=DOMAIN), encoding="utf-8")
    return path


@pytest.fixture
def made_up(gateway: Gateway) -> MadeUp:
    found = MadeUp()
    gateway.parts = replace(gateway.parts, cluster=found)
    return found


def cluster(joined: Path, *words: str) -> Ran:
    return run("cluster", *words, XMPP_REST_CONFIG=str(joined))


def test_the_table(joined: Path, made_up: MadeUp) -> None:
    ran = cluster(joined)
    assert ran.code == Exit.DONE
    heads, *rows = (line.split() for line in ran.out.splitlines())
    assert heads == ["NODE", "STATE", "SEEN", "STREAMS", "VERSION", "OWNS", "DIFFERS", "IN"]
    assert rows == [
        ["web1", "ready", "0.4", "s", "12", "0.2.0", DOMAIN, "(epoch", "7)", "-"],
        ["web2", "ready", "0.4", "s", "12", "0.2.0", "-", "[auth]", "[link]"],
    ]
    assert json.loads(cluster(joined, "--json").out) == made_up.figures()


def test_each_domain_has_an_epoch_of_its_own(joined: Path, made_up: MadeUp) -> None:
    made_up.apart = {"light.example": ("web1", 7), "rooms.example": ("web1", 3), "other.example": ("web2", 4)}
    lines = cluster(joined).out.splitlines()
    assert f"{DOMAIN},light.example (epoch 7),rooms.example (epoch 3)" in lines[1]
    assert "other.example (epoch 4)" in lines[2]


def test_a_domain_without_an_owner(joined: Path, made_up: MadeUp) -> None:
    made_up.owner = ""
    ran = cluster(joined)
    assert ran.code == Exit.REFUSED
    assert ran.out.splitlines()[-1] == f"nobody owns {DOMAIN}"


def test_no_gateway_runs_here(joined: Path) -> None:
    ran = cluster(joined)
    assert ran.code == Exit.UNAVAILABLE
    assert "no gateway runs here" in ran.err


@pytest.mark.parametrize("words", [(), ("drain",), ("move", DOMAIN, "web2")])
def test_there_is_no_cluster(config: Path, words: tuple[str, ...]) -> None:
    ran = cluster(config, *words)
    assert ran.code == Exit.CONFIG
    assert "[cluster] kind is none" in ran.err


@pytest.mark.usefixtures("gateway")
def test_the_gateway_that_runs_has_none(joined: Path) -> None:
    ran = cluster(joined)
    assert ran.code == Exit.CONFIG
    assert "was started without a cluster" in ran.err
    for words in (("drain",), ("undrain",), ("forget", "web2"), ("move", DOMAIN, "web2")):
        ran = cluster(joined, *words)
        assert (ran.code, "on one machine" in ran.err) == (Exit.REFUSED, True)


def test_a_move_is_waited_for(joined: Path, made_up: MadeUp) -> None:
    looks: list[str] = []

    def look() -> None:
        looks.append("")
        made_up.owner = "web2" if len(looks) > 2 else ""

    made_up.on_look = look
    assert cluster(joined, "move", DOMAIN, "web2") == Ran(Exit.DONE, "")
    assert made_up.asked == [f"move {DOMAIN} web2"]
    assert len(looks) == 3


def test_a_move_that_does_not_come_to_an_end(joined: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "PATIENCE", 0.3)
    ran = cluster(joined, "move", DOMAIN, "web2")
    assert ran.code == Exit.REFUSED
    assert f"web2 does not own {DOMAIN} after" in ran.err
    assert made_up.asked


def test_a_node_that_begins_again_meanwhile_is_waited_for(
    joined: Path, gateway: Gateway, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "PATIENCE", 0.3)
    made_up.on_look = gateway.stop
    assert cluster(joined, "move", DOMAIN, "web2").code == Exit.REFUSED


@pytest.mark.parametrize("words", [("move", DOMAIN, "web2"), ("drain",), ("undrain",), ("forget", "web2")])
def test_what_is_refused_is_said(joined: Path, made_up: MadeUp, words: tuple[str, ...]) -> None:
    made_up.refusal = "node web2 lives; stop it first"
    assert cluster(joined, *words) == Ran(Exit.REFUSED, "", "xmpp-rest: node web2 lives; stop it first\n")
    assert made_up.asked == [" ".join(words)]


@pytest.mark.parametrize("words", [("undrain",), ("forget", "web2")])
def test_what_is_done_at_once(joined: Path, made_up: MadeUp, words: tuple[str, ...]) -> None:
    assert cluster(joined, *words) == Ran(Exit.DONE, "")
    assert made_up.asked == [" ".join(words)]


def test_drain_waits_until_another_node_owns(joined: Path, made_up: MadeUp) -> None:
    owners = iter(("web1", "", "web2"))

    def look() -> None:
        made_up.owner = next(owners, "web2")

    made_up.on_look = look
    assert cluster(joined, "drain") == Ran(Exit.DONE, "")
    assert next(owners, None) is None


@pytest.mark.parametrize("other", [{"state": "silent"}, {"state": "draining"}, {"may_own": False}])
def test_drain_keeps_what_no_other_node_may_own(joined: Path, made_up: MadeUp, other: dict[str, Any]) -> None:
    made_up.other |= other
    ran = cluster(joined, "drain")
    assert ran.code == Exit.DONE
    assert "no other node may own it" in ran.err


def test_drain_that_does_not_come_to_an_end(joined: Path, made_up: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verb, "PATIENCE", 0.3)
    ran = cluster(joined, "drain")
    assert ran.code == Exit.REFUSED
    assert "this node still owns a domain" in ran.err
    assert made_up.asked == ["drain"]


def test_status_names_the_node_and_the_owner(config: Path, made_up: MadeUp) -> None:
    lines = run("status", XMPP_REST_CONFIG=str(config)).out.splitlines()
    assert "cluster: node web1, 2 of 2 nodes live" in lines
    assert f"owner of {DOMAIN}: web1, which is this node" in lines
    made_up.owner = ""
    assert f"owner of {DOMAIN}: none" in run("status", XMPP_REST_CONFIG=str(config)).out.splitlines()
