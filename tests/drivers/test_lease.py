"""Leases: only one gateway uses a storage for a domain, and one that has lost its lease notices it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import Driver
from drivers.lease import LIFE, NOTE, RENEWAL, Lease, LeaseTaken, held, holdings
from xmpp_rest.__main__ import main

DOMAINS = ("gw.example", "rooms.gw.example")


class Clock:
    """Goes where it is put."""

    def __init__(self) -> None:
        self.now = 1_795_955_210.5

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite:x.sqlite", "flatfile:files", "jsonfile:files"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: Callable[[str, Path], Driver]) -> Driver:
    return open_driver(request.param, tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(driver: Driver, clock: Clock, node: str, domains: tuple[str, ...] = DOMAINS) -> Lease:
    return Lease(driver, node, f"folder of {node}", domains, clock)


def test_the_second_is_told_who_the_first_is(driver: Driver, clock: Clock) -> None:
    lease(driver, clock, "a").claim()
    clock.now += LIFE - 1
    with pytest.raises(LeaseTaken, match=r"uses this storage for gw\.example: folder of a, last heard of 19 s ago; stop it"):
        lease(driver, clock, "b").claim()
    with pytest.raises(LeaseTaken, match="rooms"):  # one of the domains is enough
        lease(driver, clock, "b", ("rooms.gw.example", "b.example")).claim()
    assert holdings(driver.note(NOTE)).keys() == set(DOMAINS)
    lease(driver, clock, "b", ("b.example",)).claim()
    lease(driver, clock, "a").keep()


def test_processes_of_one_gateway_share_it_and_restart_at_once(driver: Driver, clock: Clock) -> None:
    first, second = lease(driver, clock, "a"), lease(driver, clock, "a")
    first.claim()
    second.claim()
    clock.now += LIFE * 10
    second.keep()
    first.keep()
    assert {holding.epoch for holding in holdings(driver.note(NOTE)).values()} == {1}


def test_one_that_has_crashed_is_forgotten_soon(driver: Driver, clock: Clock) -> None:
    lease(driver, clock, "a").claim()
    clock.now += LIFE
    assert list(held(driver, clock.now)) == []
    lease(driver, clock, "b").claim()
    assert {(holding.node, holding.epoch) for holding in holdings(driver.note(NOTE)).values()} == {("b", 2)}


def test_one_that_slept_notices_that_another_came(driver: Driver, clock: Clock) -> None:
    a, b = lease(driver, clock, "a"), lease(driver, clock, "b")
    a.claim()
    clock.now += LIFE + 60
    b.claim()
    for _ in range(2):
        with pytest.raises(LeaseTaken, match="folder of b"):
            a.keep()
    a.release()  # not its to give back
    b.keep()
    b.release()
    with pytest.raises(LeaseTaken, match="folder of b"):  # also when that one has gone again: the storage is not what it was
        a.keep()
    a.claim()
    a.keep()


def test_one_that_slept_alone_goes_on(driver: Driver, clock: Clock) -> None:
    a = lease(driver, clock, "a")
    a.claim()
    clock.now += 10 * LIFE
    a.keep()
    with pytest.raises(LeaseTaken):
        lease(driver, clock, "b").claim()


def test_what_was_given_back_is_free_at_once(driver: Driver, clock: Clock) -> None:
    a = lease(driver, clock, "a")
    a.claim()
    a.release()
    lease(driver, clock, "b").require_free()
    lease(driver, clock, "b").claim()


def test_it_is_written_no_oftener_than_needed(driver: Driver, clock: Clock) -> None:
    a = lease(driver, clock, "a")
    a.claim()
    before = driver.note(NOTE)
    clock.now += RENEWAL - 0.1
    a.keep()
    assert driver.note(NOTE) == before
    clock.now += 0.2
    a.keep()
    assert driver.note(NOTE) != before


@pytest.mark.parametrize("content", [None, {"gw.example": 5}, {"gw.example": {"node": 1}}, [1, 2], {"x": {"node": "n", "where": "", "epoch": 1, "renewed": "t"}}])
def test_a_note_that_is_gone_or_makes_no_sense_is_written_anew(driver: Driver, clock: Clock, content: object) -> None:
    a = lease(driver, clock, "a")
    a.claim()
    driver.note(NOTE, lambda _: content)  # type: ignore[arg-type, return-value]
    a.keep()
    assert holdings(driver.note(NOTE)).keys() == set(DOMAINS)
    driver.note(NOTE, lambda _: content)  # type: ignore[arg-type, return-value]
    lease(driver, clock, "b").claim()


def test_asking_leaves_no_trace(driver: Driver, clock: Clock) -> None:
    lease(driver, clock, "b").require_free()
    assert driver.note(NOTE) is None
    lease(driver, clock, "a").claim()
    lease(driver, clock, "a").require_free()
    with pytest.raises(LeaseTaken):
        lease(driver, clock, "b").require_free()


def test_migrating_under_a_running_gateway(
    tmp_path: Path, open_driver: Callable[[str, Path], Driver], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, target = open_driver("jsonfile:source", tmp_path), open_driver("jsonfile:target", tmp_path)
    source.store("juliet", "gw.example", "settings", {"a": 1})
    running = Lease(target, "a", "that of /data", ("gw.example",))
    running.claim()
    words = ["jsonfile:source", "jsonfile:target"]
    assert main(["migrate", *words]) == 75
    assert "a gateway uses TO for gw.example: that of /data; stop it first" in capsys.readouterr().err
    assert target.load("juliet", "gw.example", "settings") is None
    assert main(["migrate", *words, "--dry-run"]) == 75
    running.release()
    Lease(source, "a", "that of /data", ("gw.example",)).claim()
    assert main(["migrate", *words]) == 75
    assert "a gateway uses FROM" in capsys.readouterr().err
    assert main(["migrate", *words, "--dry-run"]) == 75
