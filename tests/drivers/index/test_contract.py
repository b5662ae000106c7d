"""The contract of archives and lists, all of it by indexes."""

from __future__ import annotations

import pytest

from drivers import Driver
from tests.drivers.contract_archive import ArchiveContract
from tests.drivers.contract_base import JULIET
from tests.drivers.contract_list import ListContract


class IndexContract(ArchiveContract, ListContract):
    def test_appending_to_a_long_list_costs_what_it_costs_on_a_short_one(self, driver: Driver) -> None:
        """Only that it works: a full block is synced, and these are full all the time."""
        for n in range(20):
            driver.list_append(*JULIET, "list", n)
            assert driver.list_load(*JULIET, "list", n) == [n]


class TestFlatFile(IndexContract):
    @pytest.fixture
    def url(self) -> str:
        return "flatfile:data"


class TestJSONFile(IndexContract):
    @pytest.fixture
    def url(self) -> str:
        return "jsonfile:data"
