"""A stream to which pages of an archive elsewhere are brought (service/streams/fed_stream.py)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.streams import fed_stream
from xmpp_rest.service.streams.fed_stream import EventsPage, FedStream, StreamPlace
from xmpp_rest.service.streams.stream import Event, Stream, StreamEnded
from xmpp_rest.service.streams.told_once import COPIES_WITHIN, ToldOnce

JULIET = parse_jid("juliet@capulet.example")
ROMEO = "romeo@montague.example"


class NoRegistry:
    def close_stream(self, stream: Stream) -> None: ...
    def close_soon(self, stream: Stream) -> None: ...
    def fail(self, stream: Stream, error: Exception) -> None:
        raise error


class House:
    def __init__(self, size: int = 3) -> None:
        self.asked: list[str] = []
        self.stream = FedStream(JULIET, lambda event: event.stanza.tag == "message", size, NoRegistry(), ("", 0), self._ask)

    def _ask(self, _: FedStream, after: str) -> None:
        self.asked.append(after)

    def taken(self) -> list[str]:
        found = []
        while (event := self.stream.take()) is not None:
            found.append(event.id or event.stanza.findtext("body") or "")
        return found


def event(identifier: str, body: str = "", when: float = 0.0, **attributes: str) -> Event:
    return Event(identifier, when, make("message", child("body", body or identifier), **{"from_": ROMEO, **attributes}))


def test_live_events_wait_until_the_place_is_known() -> None:
    house = House()
    house.stream.push(event("a"))
    house.stream.push(Event("p", 0.0, make("presence")))
    assert house.taken() == []
    house.stream.begin(StreamPlace("0", True), resumes=False)
    assert house.taken() == ["a"]
    house.stream.push(event("a"))
    house.stream.push(event("b"))
    assert house.taken() == ["b"]
    assert house.asked == []


def test_pages_come_before_live_events() -> None:
    house = House()
    house.stream.push(event("c"))
    house.stream.begin(StreamPlace("0", True), resumes=True)
    assert house.taken() == []
    assert house.taken() == []
    assert house.asked == ["0"]
    house.stream.push(event("", "aside"))
    house.stream.bring(EventsPage([event("a"), event("b")], "b", complete=False, told=[event("a")]))
    assert house.taken() == ["b"]
    assert house.asked == ["0", "b"]
    house.stream.bring(EventsPage([event("c")], "c", complete=True))
    house.stream.bring(EventsPage([event("d")], "d", complete=True))  # nobody has asked for it
    assert house.taken() == ["c", "aside"]
    assert house.asked == ["0", "b"]


def test_what_there_is_no_room_for_is_read_from_the_archive() -> None:
    house = House(size=2)
    for identifier in "abc":
        house.stream.push(event(identifier))
    house.stream.begin(StreamPlace("0", True), resumes=False)
    assert house.taken() == []
    assert house.asked == ["0"]
    house.stream.push(event("d"))
    house.stream.bring(EventsPage([event("a"), event("b"), event("c")], "c", complete=True))
    assert house.taken() == ["a", "b", "c"]
    assert house.asked == ["0", "c"]
    house.stream.bring(EventsPage([event("d")], "d", complete=True))
    assert house.taken() == ["d"]


def test_a_reader_is_too_slow() -> None:
    for begun in (True, False):
        house = House(size=2)
        if begun:
            house.stream.begin(StreamPlace("0", True), resumes=False)
        for body in "abc":
            house.stream.push(event("", body))
        assert house.stream.ended
        assert house.stream.ended_as == "slow"
        house.stream.push(event("", "d"))
        if begun:
            assert [e.stanza.findtext("body") for _ in range(2) if (e := house.stream.take())] == ["a", "b"]
        with pytest.raises(StreamEnded, match="too slow"):
            house.stream.take()


def test_without_an_archive_it_is_live_at_once() -> None:
    house = House()
    house.stream.begin(StreamPlace("", False), resumes=True)
    house.stream.push(event("", "a"))
    assert house.taken() == ["a"]


def test_ids_are_remembered_up_to_a_bound() -> None:
    told = ToldOnce(JULIET, 3)
    assert [told.is_new(event(identifier)) for identifier in "abcadeb"] == [True, True, True, False, True, True, True]
    assert told.is_new(event(""))
    assert told.is_new(event(""))


def test_copies_of_messages_to_oneself() -> None:
    told = ToldOnce(JULIET, 100)
    own: Any = {"from_": f"{JULIET}/phone", "to_": f"{JULIET}/x"}
    assert [told.is_new(event(name, "note", id_="1", **own)) for name in ("a", "b")] == [True, False]
    assert told.is_new(event("c", "another note", id_="1", **own))
    assert [told.is_new(event(name, "ok", when, **own)) for name, when in (("d", 0.0), ("e", 1.0), ("f", 1.0 + COPIES_WITHIN))] == [
        True,
        False,
        True,
    ]
    assert told.is_new(event("g", "ok", from_=ROMEO))
    assert told.is_new(event("h", "ok", from_=ROMEO))
    assert not told.is_new(event("i", "ok", 12.0, from_=f"{JULIET}/phone"))


def test_what_a_page_has_is_told_once_however_far_behind_it_is() -> None:
    house = House(size=2000)
    ids = [f"{number:05}" for number in range(1500)]
    for identifier in ids:
        house.stream.push(event(identifier))
    house.stream.begin(StreamPlace("0", True), resumes=True)
    told = house.taken()
    for start in range(0, len(ids), 100):
        page = ids[start : start + 100]
        house.stream.bring(EventsPage([event(identifier) for identifier in page], page[-1], complete=page[-1] == ids[-1]))
        told += house.taken()
    assert told == ids


@pytest.mark.parametrize("begun", [True, False])
def test_long_events_wait_up_to_a_bound_of_bytes(begun: bool) -> None:
    house = House(size=1000)
    if begun:
        house.stream.begin(StreamPlace("0", True), resumes=False)
    long = event("", "x" * (fed_stream.MOST_BYTES // 4))
    for _ in range(20):
        house.stream.push(long)
        if begun and not house.stream.ended and house.stream.take() is None:
            break
    assert not begun or not house.stream.ended
    for _ in range(6):
        house.stream.push(long)
    assert house.stream.ended_as == "slow"
