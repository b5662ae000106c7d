"""What one owner leaves for the next: sessions that are in use; and what is left where that cannot be read (many-machines §9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers import Driver, StorageError
from tests.conftest import DOMAIN, OpenDriver
from tests.raising import raising
from xmpp_rest.gateway.left_list import LASTS, LeftList, Term
from xmpp_rest.gateway.session_handover import SessionHandover
from xmpp_rest.gateway.unclaimed_sessions import STORE, UnclaimedSessions
from xmpp_rest.incidents import Incidents

KEY, OTHER, OWN = b"1" * 32, b"2" * 32, b"3" * 32
ROWS = [{"session": "romeo"}, {"session": "benvolio"}]


class FakeSessions:
    """Leaves these, and notes what it goes on with."""

    def __init__(self, *rows: Any) -> None:
        self._rows = list(rows)
        self.restored: list[Any] = []

    def leave(self, keep: Callable[[list[Any]], None]) -> None:
        if self._rows:
            keep(self._rows)

    def restore(self, row: Any) -> None:
        if row == {"session": "mercutio"}:
            raise KeyError("rooms")
        self.restored.append(row)


class FakeCore:
    def __init__(self, key: bytes) -> None:
        self.key = key

    def go_on_with(self, key: bytes) -> None:
        self.key = key


class FakeKey(NamedTuple):
    former: bytes | None = None


class Owner:
    """One reign."""

    def __init__(self, driver: Driver, epoch: int, *rows: Any, now: float = 1000.0, former: bytes | None = None, secret: str = "s") -> None:
        self.sessions = FakeSessions(*rows)
        self.core = FakeCore(KEY if epoch == 4 else OWN)
        self.incidents = Incidents()
        kept = LeftList(driver, DOMAIN, STORE, lambda: Term(epoch, now))
        sessions, core, key = self.sessions, self.core, FakeKey(former)
        self.handover = SessionHandover(kept, sessions, core, key, secret, self.incidents)  # type: ignore[arg-type]

    @property
    def failures(self) -> int:
        return self.incidents.counts().get("sessions-left", 0)

    def restored(self) -> list[Any]:
        """What it goes on with as it begins."""
        self.handover.take()
        return self.sessions.restored


@pytest.fixture
def driver(open_driver: OpenDriver, tmp_path: Path) -> Driver:
    return open_driver("sqlite:data.sqlite", tmp_path)


def test_the_next_owner_goes_on_with_the_sessions_and_their_key(driver: Driver) -> None:
    Owner(driver, 4, *ROWS).handover.leave()
    second = Owner(driver, 5, former=KEY)
    assert second.restored() == ROWS
    assert (second.core.key, second.failures) == (KEY, 0)
    assert Owner(driver, 5, former=KEY).restored() == []  # they are there once


def test_nobody_else_does(driver: Driver) -> None:
    for epoch, now in ((6, 1000.0), (4, 1000.0), (5, 1000.0 + LASTS)):
        Owner(driver, 4, *ROWS).handover.leave()
        later = Owner(driver, epoch, now=now, former=KEY)
        assert later.restored() == []
        assert later.failures == 0
        assert driver.list_load(None, DOMAIN, STORE) is None


@pytest.mark.parametrize(("former", "secret"), [(None, "s"), (OTHER, "s"), (KEY, "another")])
def test_who_lacks_a_part_of_the_key_has_nothing(driver: Driver, former: bytes | None, secret: str) -> None:
    Owner(driver, 4, *ROWS).handover.leave()
    second = Owner(driver, 5, former=former, secret=secret)
    assert second.restored() == []
    assert second.core.key == OWN
    assert second.failures


def test_a_gateway_that_goes_on_with_none_removes_what_a_cluster_has_left(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    Owner(driver, 4, *ROWS).handover.leave()
    incidents = Incidents()
    alone = UnclaimedSessions(driver, DOMAIN, incidents)
    with monkeypatch.context() as patch:
        patch.setattr(driver, "list_store", raising(StorageError("away")))
        alone.take()
    assert incidents.counts() == {"sessions-left": 1}
    assert driver.list_load(None, DOMAIN, STORE)
    alone.take()
    assert driver.list_load(None, DOMAIN, STORE) is None


def test_nothing_is_written_where_no_session_is_in_use(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "list_store", raising(StorageError("away")))
    owner = Owner(driver, 4)
    owner.handover.leave()
    assert owner.failures == 0


def test_one_that_cannot_be_gone_on_with_costs_no_other(driver: Driver) -> None:
    Owner(driver, 4, {"session": "mercutio"}, *ROWS).handover.leave()
    rows = driver.list_load(None, DOMAIN, STORE) or []
    driver.list_store(None, DOMAIN, STORE, [*rows, "what is that", {"sealed": "no"}, {"sealed": None}])
    second = Owner(driver, 5, former=KEY)
    assert second.restored() == ROWS
    assert second.failures == 4


def test_a_storage_that_fails_costs_the_sessions_alone(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    Owner(driver, 4, *ROWS).handover.leave()
    monkeypatch.setattr(driver, "list_store", raising(StorageError("away")))
    first, second = Owner(driver, 4, *ROWS), Owner(driver, 5, former=KEY)
    first.handover.leave()
    assert first.failures == 1
    assert second.restored() == []
    assert second.failures == 1
