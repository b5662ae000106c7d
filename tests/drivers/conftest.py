"""Fixtures shared by the tests of the drivers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import Driver
from tests.conftest import OpenDriver
from tests.drivers.postgrescluster import Cluster, program

FIXTURES = Path(__file__).parent / "fixtures"


def give_up(reason: str) -> None:
    """Skip, or fail where everything must be there."""
    if os.environ.get("XMPP_REST_REQUIRE_LIVE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    if program("initdb") is None:
        give_up("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def lua() -> str:
    """The Lua interpreter that Prosody runs in."""
    found = shutil.which("lua5.4")
    if found is None:
        give_up("Lua is not installed (on Debian: apt-get install lua5.4)")
    return str(found)


@pytest.fixture
def prosody_data(tmp_path: Path) -> Path:
    """A copy of a real server's data folder."""
    return Path(shutil.copytree(FIXTURES / "prosody-data", tmp_path / "prosody-data"))


@pytest.fixture
def prosody_database(tmp_path: Path) -> Path:
    """A copy of a real server's SQLite database."""
    return Path(shutil.copy(FIXTURES / "prosody.sqlite", tmp_path / "prosody.sqlite"))


@pytest.fixture
def driver(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    """SQLite, unless a module opens what else it is about."""
    return open_driver("sqlite:x.sqlite", tmp_path)


@pytest.fixture
def flat(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver("flatfile:data", tmp_path)
