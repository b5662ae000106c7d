"""The contract suite over the drivers in the box. (PostgreSQL: test_postgres.py)"""

from __future__ import annotations

import pytest

from tests.drivers.contract import DriverContract


class TestSQLite(DriverContract):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:gateway.sqlite"


class TestFlatFile(DriverContract):
    @pytest.fixture
    def url(self) -> str:
        return "flatfile:data"


class TestJSONFile(DriverContract):
    @pytest.fixture
    def url(self) -> str:
        return "jsonfile:data"
