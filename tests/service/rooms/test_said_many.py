"""What the sender of several messages to rooms is told (rooms-anywhere §3.1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import make
from xmpp_rest.service.rooms.said import ACCEPTED, REFLECTED, UNSENT, UNSHOWN, SpokenResult
from xmpp_rest.service.rooms.said_many import SaidMany
from xmpp_rest.threads.timers import Timers

ROOM = parse_jid("garden@conference.montague.example")


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers("said")
    yield timers
    timers.stop()


def told(timers: Timers, seconds: float | None, rooms: int = 1) -> tuple[SaidMany, list[list[SpokenResult]]]:
    results: list[list[SpokenResult]] = []
    return SaidMany([ROOM] * rooms, seconds, 60, timers, results.append), results


@pytest.mark.parametrize(("seconds", "state"), [(None, ACCEPTED), (30.0, REFLECTED)])
def test_a_room_that_is_faster_than_the_disk(timers: Timers, seconds: float | None, state: str) -> None:
    many, results = told(timers, seconds)
    one = many.of(0)
    assert one.claim()
    one.ended(make("message"), "juliet")
    one.accepted("juliet", is_held=False)
    assert [[(said.state, said.nick) for said in each] for each in results] == [[(state, "juliet")]]


def test_nobody_waits_any_more(timers: Timers) -> None:
    many, results = told(timers, 30.0, rooms=3)
    assert many.of(0).claim()
    many.of(0).accepted("juliet", is_held=False)
    assert many.of(1).claim()
    many.end()
    assert results == []  # of one it is known in a moment whether it is kept
    assert not many.of(2).claim()
    many.of(1).accepted("juliet", is_held=True)
    many.of(1).accepted("juliet", is_held=True)
    assert [[said.state for said in each] for each in results] == [[UNSHOWN, "held", UNSENT]]
