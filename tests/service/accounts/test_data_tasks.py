"""Writes of /data that come at once, as tasks of one thread, share commits (decision 0037)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from drivers import StorageError, Write
from tests.conftest import DOMAIN
from tests.threads.scheduler import OneThread
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.accounts.data_rights import StoreKey

pytestmark = pytest.mark.plain_thread
PLACE = StoreKey(DOMAIN, "juliet", "notes")
COUNT = 12


def test_writes_of_tasks_share_a_commit(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.parts.data.append(PLACE, "reserves the space of the others", 5000)
    write_all = gateway.driver.write_all
    commits: list[int] = []

    def counted(writes: Sequence[Write], more: Callable[[], Sequence[Write]]) -> list[Exception | None]:
        commits.append(len(writes))
        return write_all(writes, more)

    monkeypatch.setattr(gateway.driver, "write_all", counted)
    OneThread().run(*(lambda n=n: gateway.parts.data.append(PLACE, n, 1) for n in range(COUNT)))
    assert commits == [COUNT]
    assert (gateway.parts.data.items(PLACE) or [])[1:] == list(range(COUNT))


def test_a_write_that_fails_is_told_to_its_task(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.driver, "write_all", lambda writes, _: [StorageError("full") for _ in writes])
    told: list[Exception] = []

    def write() -> None:
        try:
            gateway.parts.data.replace(PLACE, {"a": 1}, 7)
        except StorageError as e:
            told.append(e)

    OneThread().run(write)
    assert [str(e) for e in told] == ["full"]
