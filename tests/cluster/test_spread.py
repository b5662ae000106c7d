"""Each hosted domain has an owner of its own: rooms at one machine, accounts at another (many-machines §6, §11, `[cluster] spread`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.conftest import CONFERENCE, LIGHT, Machine, cluster_over
from tests.conftest import DOMAIN, basic, register_users
from tests.drivers.postgrescluster import Cluster
from tests.link.attached import until


def owners(machine: Machine) -> dict[str, str]:
    """The node that owns each domain, as this machine knows it."""
    with as_request(machine):
        return {each["domain"]: each["node"] for each in machine.gateway.parts.cluster.figures()["owners"]}


@contextmanager
def as_request(machine: Machine) -> Iterator[None]:
    """Wait while parts are replaced."""
    in_progress = machine.gateway.in_progress
    assert in_progress is not None
    begun = in_progress.enter()
    try:
        yield
    finally:
        in_progress.leave(begun)


def move(machine: Machine, domain: str, node: str) -> None:
    """Have a node own a domain, and wait until this machine knows."""
    with as_request(machine):
        assert machine.gateway.parts.cluster.move(domain, node) == ""
    until(lambda: owners(machine)[domain] == node)


@pytest.fixture(scope="module")
def spread(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two nodes, the first of which owns the accounts, and the second the rooms."""
    with cluster_over(cluster.new_database(), tmp_path_factory.mktemp("spread")) as add:
        first = add("web1", cluster_spread="yes")
        register_users(first.app)
        second = add("web2", cluster_spread="yes")
        for domain in (CONFERENCE, LIGHT):
            move(first, domain, "web2")
        until(lambda: owners(first) == owners(second) == {DOMAIN: "web1", CONFERENCE: "web2", LIGHT: "web2"})
        yield first, second


def test_the_list_of_owners_names_each(spread: tuple[Machine, Machine]) -> None:
    for machine in spread:
        told = machine.gateway.parts.cluster.figures()
        here = machine.gateway.settings.cluster.node
        assert [(each["domain"], each["here"]) for each in told["owners"]] == [
            (DOMAIN, here == "web1"), (LIGHT, here == "web2"), (CONFERENCE, here == "web2"),
        ]  # fmt: skip


def test_a_room_is_made_and_listed_at_any_machine(spread: tuple[Machine, Machine]) -> None:
    for machine, name in zip(spread, ("park", "yard"), strict=True):
        assert machine.run("create_room", room=name, service=CONFERENCE, host=DOMAIN).status_code == 200
    for machine in spread:
        rooms = machine.run("muc_online_rooms", service=CONFERENCE).json
        assert {f"park@{CONFERENCE}", f"yard@{CONFERENCE}"} <= set(rooms)


def test_light_rooms_reach_the_accounts(spread: tuple[Machine, Machine]) -> None:
    first, second = spread
    made = first.client.post("/api/rooms", json={"name": "garden", "subject": "roses"}, headers=basic(f"juliet@{DOMAIN}"))
    assert made.status_code == 200, made.text
    room = made.json["id"]
    added = second.client.post(f"/api/rooms/{room}/users", json={"user": f"nurse@{DOMAIN}"}, headers=basic(f"juliet@{DOMAIN}"))
    assert added.status_code == 204, added.text
    for machine in spread:
        sent = machine.client.post(f"/api/rooms/{room}/messages", json={"body": "hello"}, headers=basic(f"nurse@{DOMAIN}"))
        assert sent.status_code == 200, sent.text
