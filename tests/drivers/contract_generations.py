"""Contract: a driver that says that nothing was written is right, whichever process wrote; one that does not know says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import Driver, Write
from tests.drivers.contract_base import JULIET, ROMEO, StorageFixtures
from tests.drivers.contract_writers import writers

WRITES: dict[str, Callable[[Driver], object]] = {
    "store": lambda driver: driver.store(*JULIET, "accounts", {"password": "new"}),
    "remove": lambda driver: driver.store(*JULIET, "accounts", None),
    "write_all": lambda driver: driver.write_all([Write(*JULIET, "accounts", {"password": "new"})]),
    "update": lambda driver: driver.update(*JULIET, "accounts", lambda _: {"password": "new"}),
    "purge": lambda driver: driver.purge(*JULIET),
}


class GenerationsContract(StorageFixtures):
    @pytest.fixture
    def knowing(self, driver: Driver) -> Driver:
        """The driver, with a table; skipped for one that knows of no writes, which is allowed."""
        driver.store(*JULIET, "accounts", {"password": "old"})
        if driver.unchanged(*JULIET, "accounts") is None:
            pytest.skip("the driver knows of no writes")
        return driver

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
    @pytest.mark.parametrize("same", [True, False])
    def test_every_write_of_a_table_is_known(
        self, knowing: Driver, opened: Callable[[], Driver], write: Callable[[Driver], object], same: bool
    ) -> None:
        unchanged, others = knowing.unchanged(*JULIET, "accounts"), knowing.unchanged(*ROMEO, "accounts")
        of_another_table = knowing.unchanged(*JULIET, "settings")
        assert unchanged is not None
        assert of_another_table is not None
        assert others is not None
        assert unchanged()
        assert unchanged()
        write(knowing if same else opened())
        assert (unchanged(), others()) == (False, True)
        assert of_another_table() == (write is not WRITES["purge"])

    def test_writes_of_another_process_are_known_once_they_are_acknowledged(self, knowing: Driver, url: str, tmp_path: Path) -> None:
        unchanged = knowing.unchanged("s1", "capulet.example", "settings")
        assert unchanged is not None
        assert unchanged()
        with writers(url, tmp_path) as group:
            group.start("store", "s1", 1)
            group.wait_for_the_first_write()
            assert not unchanged()
            group.end("s1", kill=False)
