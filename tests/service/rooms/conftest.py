"""A gateway whose stream is up, beside rooms that the test holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import MakeApp
from tests.link.network import Network
from tests.service.rooms.scripted import Scripted


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.server.close()


@pytest.fixture
def scripted(make_app: MakeApp, network: Network) -> Iterator[Scripted]:
    scripted = Scripted(make_app, network)
    yield scripted
    scripted.stop()
