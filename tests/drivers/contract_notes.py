"""Contract: notes about the storage, apart from its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver, StorageError, open_driver
from drivers.migrate import migrate
from tests.drivers.contract_base import JULIET, StorageFixtures
from tests.many import in_threads
from tests.raising import raising


class NotesContract(StorageFixtures):
    def test_a_note_is_read_by_others(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        assert driver.note("lease") is None
        assert driver.note("lease", lambda table: {"was": table is None}) == {"was": True}
        assert opened().note("lease") == {"was": True}
        assert opened().note("other") is None

    def test_a_note_is_changed_by_one_at_a_time(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        other = opened()

        def count(table: Any) -> Any:
            return {"n": (table or {"n": 0})["n"] + 1}

        def work(driver: Driver) -> None:
            for _ in range(15):
                driver.note("counter", count)

        in_threads(work, [driver, other, driver])
        assert driver.note("counter") == {"n": 45}

    def test_what_the_function_raises_changes_nothing(self, driver: Driver) -> None:
        driver.note("lease", lambda _: {"a": 1})
        with pytest.raises(StorageError, match="no"):
            driver.note("lease", raising(StorageError("no")))
        assert driver.note("lease") == {"a": 1}

    def test_a_note_is_no_content_that_moves(self, driver: Driver, tmp_path: Path) -> None:
        driver.note("lease", lambda _: {"a": 1})
        driver.store(*JULIET, "settings", {"a": 1})
        assert list(driver.users("capulet.example")) == ["juliet"]
        target = open_driver("jsonfile:copied", tmp_path)
        assert migrate(driver, target).stores == {"copied": 1}
        assert target.note("lease") is None
        assert list(target.hosts()) == ["capulet.example"]
        driver.purge(*JULIET)
        assert driver.note("lease") == {"a": 1}
