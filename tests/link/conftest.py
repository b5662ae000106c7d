"""A component that is attached to a scripted server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.link.attached import DOMAIN, Recorder, Start
from tests.link.fake_server import SECRET, FakeServer, Script
from tests.link.network import Network
from xmpp_rest.config.load import load_settings
from xmpp_rest.link.component import Component
from xmpp_rest.link.journal import Journal
from xmpp_rest.link.outbox import Outbox
from xmpp_rest.link.transport import MayWrite
from xmpp_rest.metrics.counts import Counts


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.server.close()


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[tuple[Component, FakeServer]] = []

    def begin(
        script: Script, journal: Journal | None = None, outbox: Outbox | None = None, may_write: MayWrite | None = None, **settings: Any
    ) -> tuple[Component, Recorder, FakeServer]:
        server = FakeServer(script)
        link = replace(load_settings(None, {}).link, kind="component", port=server.port, secret=SECRET, **settings)
        recorder = Recorder()
        box = outbox if outbox is not None else Outbox(link.outbox_size, journal)
        component = Component(DOMAIN, link, recorder, box, Counts(), may_write)
        component.start()
        running.append((component, server))
        return component, recorder, server

    yield begin
    for component, server in running:
        component.stop()
        server.close()
