"""Fixtures of the tests over machines: databases, servers and nodes that a module's tests share, and mend after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.drivers.postgrescluster import program
from tests.live.conftest import ONE_STREAM, require, running
from tests.live.counting import Receiver
from tests.live.gateway import Sections
from tests.live.prosody import Prosody
from tests.live.users import EventLoop
from tests.live.xmppserver import XMPPServer

from .databases import Databases
from .machines import Machines


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    """A primary and a synchronous standby."""
    require("pg_basebackup", program("pg_basebackup"))
    made = Databases()
    try:
        made.start()
        yield made
    finally:
        made.stop()


class LettingIn(Prosody):
    """Prosody, as docs/many-machines.md says that it is to be set beside many machines."""

    def configure(self) -> None:
        super().configure()
        config = self.folder / "prosody.cfg.lua"
        text = config.read_text().replace("component_secret", 'component_conflict_resolve = "kick_old"\n    component_secret')
        config.write_text(text.replace('min = "debug"', 'min = "info"'))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XMPPServer]:
    """A Prosody that gives the name of a component to the last that connects."""
    require(Prosody.program)
    yield from running(LettingIn(tmp_path_factory.mktemp("prosody") / "server"))


@pytest.fixture(scope="module")
def sections() -> Sections:
    """Settings that a module's nodes have besides."""
    return {}


@pytest.fixture(scope="module")
def shared_machines(
    databases: Databases, server: XMPPServer, sections: Sections, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    """Two nodes of two workers each, with an account `romeo` that has stored something."""
    databases.empty()
    made = Machines(tmp_path_factory.mktemp("machines"), databases, server, {**ONE_STREAM, "server": {"workers": 2}, **sections})
    try:
        for name in ("web1", "web2"):
            made.add(name)
        made.settle()
        made.nodes[0].register("romeo")
        assert made.nodes[0].request("PUT", "/data/settings", '{"theme": "dark"}', "application/json", "romeo").status in (200, 201, 204)
        yield made
    finally:
        made.close()


@pytest.fixture
def machines(shared_machines: Machines) -> Machines:
    """The module's machines, all of which are well."""
    shared_machines.mend()
    return shared_machines


@pytest.fixture
def receiver(server: XMPPServer, event_loop_thread: EventLoop) -> Iterator[Receiver]:
    receiver = Receiver(event_loop_thread, server)
    receiver.connect()
    yield receiver
    receiver.close()
