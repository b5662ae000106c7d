"""Fixtures of the tests over nodes: gateways of two machines over one real database, in the process of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, basic, build_app, register_users
from tests.drivers.conftest import cluster as cluster
from tests.drivers.postgrescluster import Cluster
from xmpp_rest.gateway.gateway import Gateway

CONFERENCE, LIGHT = f"conference.{DOMAIN}", f"muclight.{DOMAIN}"
LEASE = "2"


class Machine:
    """A node: one gateway with a data folder of its own."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    @property
    def gateway(self) -> Gateway:
        gateway: Gateway = self.app.extensions["gateway"]
        return gateway

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def run(self, command: str, **arguments: object) -> TestResponse:
        """Have the administrator run a command."""
        return self.client.post(f"/api/{command}", json=arguments, headers=basic(f"admin@{DOMAIN}"))

    def send(self, body: str, who: str = "juliet", to: str = f"nurse@{DOMAIN}", **fields: str) -> TestResponse:
        """Send a message."""
        headers = basic(who) | {name.replace("_", "-"): value for name, value in fields.items()}
        return self.client.post("/rest", json={"to": to, "body": body, "type": "chat"}, headers=headers)

    @property
    def owns(self) -> bool:
        return self.gateway.parts.remote.group.is_leader


AddMachine = Callable[..., Machine]
"""Starts a node of a cluster, by its name; keywords are settings."""


@contextmanager
def cluster_over(url: str, folder: Path) -> Iterator[AddMachine]:
    """A cluster with this database; its nodes end with the context."""
    built = list[Flask]()

    def add(name: str, **given: str) -> Machine:
        own = {"cluster_kind": "postgresql", "cluster_copies": "1", "cluster_node": name, "cluster_lease": LEASE, "storage_url": url}
        rooms = {"gateway_conference_domain": CONFERENCE, "gateway_rooms_domain": LIGHT}
        app = build_app(folder / name, **({**own, **rooms, "files_folder": str(folder / "files")} | given))
        built.append(app)
        machine = Machine(app)
        machine.gateway.start()
        return machine

    try:
        yield add
    finally:
        for app in reversed(built):
            app.extensions["gateway"].stop()


@pytest.fixture
def add_machine(cluster: Cluster, tmp_path: Path) -> Iterator[AddMachine]:
    """For a cluster of the test's own."""
    with cluster_over(cluster.new_database(), tmp_path) as add:
        yield add


@pytest.fixture(scope="module")
def machines(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    """Two nodes, the first of which owns, and the accounts of USERS; for all tests of a module."""
    with cluster_over(cluster.new_database(), tmp_path_factory.mktemp("machines")) as add:
        first = add("web1")
        register_users(first.app)
        second = add("web2")
        assert (first.owns, second.owns) == (True, False)
        yield first, second
