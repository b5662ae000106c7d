"""All that is here is live: it runs Prometheus and promtool."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(300))


def program(name: str) -> str:
    """Where the program is. Skips without it, or fails under XMPP_REST_REQUIRE_LIVE=1."""
    found = shutil.which(name)
    if found is None:
        give_up = pytest.fail if os.environ.get("XMPP_REST_REQUIRE_LIVE") == "1" else pytest.skip
        give_up(f"{name} is not installed")
    return found


@pytest.fixture(scope="session")
def promtool() -> str:
    return program("promtool")


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    return program("prometheus")
