"""Fixtures of storage and callbacks for the tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import Driver
from tests.botapp import make_bot, service
from tests.conftest import OpenDriver

__all__ = ["make_bot", "service"]


@pytest.fixture
def driver(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    """SQLite, unless a module opens what else it is about."""
    return open_driver("sqlite:x.sqlite", tmp_path)
