"""A browser, and a gateway that stands alone; both serve all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.child import LOOPBACK
from tests.live.conftest import require
from tests.live.gateway import Gateway, Sections
from tests.live.xmppserver import GATEWAY

from .chromium import Chromium

HERE = Path(__file__).parent
SECTIONS: Sections = {
    "link": {"kind": "none"},
    "server": {"workers": 1, "proxies": 1},
    "files": {"inline": "image/*, text/*, application/xhtml+xml"},  # what may have scripts is saved even so
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    require("chromium")
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    browser.start()
    yield browser
    browser.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """With the accounts juliet and nurse, who are contacts, and a room of juliet's."""
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), 1, SECTIONS)
    gateway.start()
    for user in ("juliet", "nurse"):
        gateway.register(user)
    gateway.post_json({"jid": f"nurse@{GATEWAY}"}, "juliet", "/api/contacts")
    made = gateway.request("PUT", "/api/rooms/garden", '{"name":"Garden","subject":"Tonight"}', "application/json", "juliet")
    assert made.status == 201, made.data
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session")
def url(gateway: Gateway) -> str:
    return f"http://{LOOPBACK}:{gateway.port}"
