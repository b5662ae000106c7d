"""Fixtures of storage and callbacks for the tests here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import Driver
from tests.botapp import make_bot, service
from tests.conftest import OpenDriver
from tests.threads.tasks_everywhere import HeldLocks, install, run

__all__ = ["make_bot", "service"]


@pytest.fixture
def driver(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    """SQLite, unless a module opens what else it is about."""
    return open_driver("sqlite:x.sqlite", tmp_path)


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldLocks]:
    """Each test is a task, as requests are under the gateway's worker, but for those marked plain_thread; no task holds a lock as it parks."""
    locks = install(monkeypatch)
    yield locks
    assert locks.violations == []


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    if pyfuncitem.get_closest_marker("plain_thread"):
        pyfuncitem.obj(**wanted)
    else:
        run(lambda: pyfuncitem.obj(**wanted))
    return True
