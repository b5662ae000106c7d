"""What the users of a gateway send to other domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.api.described import misses
from tests.link.fake import attach
from tests.threads.tasks_everywhere import HeldLocks, install
from xmpp_rest.gateway.gateway import Gateway


@pytest.fixture
def sent(gateway: Gateway) -> list[Element]:
    """What goes out to the network."""
    out: list[Element] = []
    attach(gateway.parts.router, lambda _, stanza: out.append(stanza))
    return out


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldLocks]:
    """Every request is a task, as under the gateway's worker; no task holds a lock as it parks."""
    locks = install(monkeypatch)
    yield locks
    assert locks.violations == []


@pytest.fixture(autouse=True)
def described(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every answer of the application in these tests is held against its description in OpenAPI."""
    plain = FlaskClient.open

    def opened(self: FlaskClient, *args: Any, **how: Any) -> TestResponse:
        response = plain(self, *args, **how)
        if how.get("buffered", True):  # a test that reads an answer piece by piece does so itself
            assert misses(self.application, response) == []
        return response

    monkeypatch.setattr(FlaskClient, "open", opened)
