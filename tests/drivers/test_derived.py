"""Notes on indexes: whole until somebody writes past the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import derived
from drivers.migrate import migrate
from tests.conftest import OpenDriver


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:x", "jsonfile:x"])
def test_an_index_is_whole_until_a_migration(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    driver, source = open_driver(url, tmp_path), open_driver("jsonfile:source", tmp_path)
    source.store("juliet", "capulet.example", "roster", {"a": 1})
    assert not derived.is_whole(driver, "rooms", 1)
    derived.made(driver, "rooms", 1)
    derived.made(driver, "other", 7)
    assert derived.is_whole(driver, "rooms", 1)
    assert derived.is_whole(driver, "other", 7)
    assert not derived.is_whole(driver, "rooms", 2)
    migrate(source, driver, dry_run=True)
    assert derived.is_whole(driver, "rooms", 1)
    migrate(source, driver)
    assert not derived.is_whole(driver, "rooms", 1)
    assert not derived.is_whole(driver, "other", 7)


def test_no_index_no_note(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("jsonfile:x", tmp_path)
    derived.outdate(driver)
    assert not list(tmp_path.glob("**/*derived*"))
