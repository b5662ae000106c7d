"""What one owner leaves for the next: who is in rooms; and what is left where that cannot be read (many-machines §11)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drivers import Driver, StorageError
from tests.conftest import DOMAIN, OpenDriver
from tests.raising import raising
from xmpp_rest.gateway.left_list import LASTS, Term
from xmpp_rest.gateway.room_handover import STORE, RoomHandover
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.protocol.jid import JID, parse_jid

ROMEO, HALL = parse_jid("romeo@capulet.example/orchard"), parse_jid("hall@rooms.example")


@pytest.fixture
def driver(open_driver: OpenDriver, tmp_path: Path) -> Driver:
    return open_driver("sqlite:data.sqlite", tmp_path)


def handover(driver: Driver, occupancy: Occupancy, epoch: int, now: float = 1000.0) -> RoomHandover:
    return RoomHandover(driver, DOMAIN, None, occupancy, lambda: Term(epoch, now), Incidents())


def entered() -> Occupancy:
    occupancy = Occupancy()
    occupancy.restore(ROMEO, HALL, "R")
    return occupancy


def nick_after(driver: Driver, epoch: int, now: float = 1000.0) -> str | None:
    """As the next owner, of this epoch, knows it."""
    occupancy = Occupancy()
    handover(driver, occupancy, epoch, now).take()
    return occupancy.nick(ROMEO, HALL)


def test_the_next_owner_knows_who_is_in_a_room_elsewhere(driver: Driver) -> None:
    handover(driver, entered(), 4).leave()
    assert nick_after(driver, 5) == "R"
    assert nick_after(driver, 6) is None  # it is there for one


def test_not_one_after_that_and_not_much_later(driver: Driver) -> None:
    handover(driver, entered(), 4).leave()
    assert nick_after(driver, 6) is None
    handover(driver, entered(), 6).leave()
    assert nick_after(driver, 7, 1000 + LASTS) is None


@pytest.mark.parametrize("first", [{"epoch": "4", "now": 1000}, "what is that", {"room": "hall"}])
def test_what_cannot_be_read_is_dropped(driver: Driver, first: Any) -> None:
    driver.list_store(None, DOMAIN, STORE, [first, {"raw": [str(ROMEO), str(HALL), "R"]}])
    assert nick_after(driver, 5) is None
    assert driver.list_load(None, DOMAIN, STORE) is None


def test_a_row_of_another_release_costs_itself_alone(driver: Driver, caplog: pytest.LogCaptureFixture) -> None:
    rows: list[Any] = [{"epoch": 4, "now": 1000}, {"raw": ["romeo@", "hall"]}, {"raw": [str(ROMEO), str(HALL), "R"]}]
    driver.list_store(None, DOMAIN, STORE, rows)
    assert nick_after(driver, 5) == "R"
    assert "who was in a room is not known any more" in caplog.text


def test_managed_occupants_stay_managed() -> None:
    occupancy = Occupancy()
    occupancy.manage(ROMEO, HALL)
    occupancy.restore(ROMEO, HALL, "R")
    assert occupancy.raw() == []
    assert occupancy.is_room(HALL)
    assert occupancy.nick(JID("", "capulet.example", ""), HALL) is None


def test_a_storage_that_fails_stops_nothing(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(driver, "list_store", raising(StorageError("the disk is full")))
    monkeypatch.setattr(driver, "list_load", raising(StorageError("the disk is gone")))
    handover(driver, entered(), 4).leave()
    assert nick_after(driver, 5) is None
    assert "the disk is full" in caplog.text
    assert "the disk is gone" in caplog.text


def test_what_nobody_foresaw_stops_nothing(driver: Driver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(Occupancy, "raw", raising(RuntimeError("a room changed its size")))
    handover(driver, entered(), 4).leave()
    assert "a room changed its size" in caplog.text
