"""Two gateways' drivers over one PostgreSQL database, and what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from drivers import open_driver
from drivers.postgres import Postgres
from drivers.shared import NodeRow, Shared
from tests.drivers.postgrescluster import Cluster

DOMAIN = "gateway.example"
OpenShared = Callable[..., Shared]


def row(node: str = "web1", run: str = "run1", **info: object) -> NodeRow:
    """The row of a node."""
    return NodeRow(node, f"id-{node}", run, "postgresql", "1.0", 1, 0, info)


@pytest.fixture(scope="session")
def database(cluster: Cluster) -> str:
    """The URL of a database that tests of nodes, leases and frames share, each with names of its own."""
    return cluster.new_database()


@pytest.fixture
def url(cluster: Cluster) -> str:
    """The URL of an empty database."""
    return cluster.new_database()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_node(stack: ExitStack, url: str, tmp_path: Path) -> Callable[[], Postgres]:
    """Opens the driver of one more node, with a data folder of its own."""

    def open_one() -> Postgres:
        folder = tmp_path / f"node{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        driver = stack.enter_context(closing(open_driver(url, folder)))
        assert isinstance(driver, Postgres)
        driver.in_cluster(3.0)
        return driver

    return open_one


@pytest.fixture
def open_shared(stack: ExitStack, open_node: Callable[[], Postgres]) -> OpenShared:
    """Opens what one more node shares; its driver is the node's own, or the one that is given."""

    def open_one(driver: Postgres | None = None, **options: object) -> Shared:
        return stack.enter_context(closing((driver or open_node()).open_shared(DOMAIN, **options)))  # type: ignore[arg-type]

    return open_one
