"""A stream has every event once, in the order of the archive, whatever happens while it starts (service/streams/registry.py)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from drivers import Driver
from tests.processes.memory import alone
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.archive import EVERYTHING, Archive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.streams.registry import Event, Stream, StreamEnded, Streams, at_once, drawn
from xmpp_rest.service.streams.stream import PAGE, archive_id
from xmpp_rest.service.streams.timeline import HEARD_STORE, AccountTimeline
from xmpp_rest.threads.waits import Waits

JULIET, NURSE, ROMEO = map(parse_jid, ("juliet@capulet.example", "nurse@capulet.example", "romeo@montague.example"))


class House:
    """An archive with streams over it."""

    def __init__(self, driver: Driver, return_after: Callable[[], float] = at_once, **bounds: Any) -> None:
        values = {"total": 20, "per_account": 5, "queue_size": 1000, "heartbeat": 15, "write_timeout": 30} | bounds
        self.archive = Archive(driver)
        self.streams = Streams(
            AccountTimeline(self.archive, Archive(driver, HEARD_STORE)),
            StreamSettings(**values),
            Waits(64),
            alone(),
            Events(Incidents()),
            Counts(),
            return_after=return_after,
        )
        self.clock = MonotonicClock()

    def say(self, body: str, *, owner: Any = JULIET) -> str:
        """Archive and publish, as the mailbox does."""
        with self.streams.order(owner):
            event = self.keep(body, owner=owner)
            self.streams.publish(owner, event)
        return event.id

    def keep(self, body: str, *, owner: Any = JULIET) -> Event:
        text = f"<message from='{ROMEO}' to='{owner}'><body>{body}</body></message>"
        when = self.clock.next()
        return Event(self.archive.keep(owner, text, when, ROMEO), when, self.stanza(body))

    def whisper(self, body: str) -> None:
        """Publish only."""
        self.streams.publish(JULIET, Event("", self.clock.next(), self.stanza(body)))

    def stanza(self, body: str) -> Any:
        return make("message", child("body", body), from_=str(ROMEO), to_=str(JULIET))


@pytest.fixture
def house(driver: Driver) -> House:
    return House(driver)


def read(stream: Stream, count: int) -> list[Event]:
    events = [stream.next(30) for _ in range(count)]
    assert None not in events
    return [event for event in events if event is not None]


def bodies(events: list[Event]) -> list[str | None]:
    return [event.stanza.findtext("body") for event in events]


def silent(stream: Stream) -> bool:
    return stream.next(0.02) is None


# live


def test_a_stream_begins_now(house: House) -> None:
    house.say("before")
    stream = house.streams.open(JULIET)
    assert silent(stream)
    house.say("a")
    house.whisper("b")
    assert bodies(read(stream, 2)) == ["a", "b"]
    assert silent(stream)


def test_everybody_hears_his_own(house: House) -> None:
    hers, hers_too, nurses = house.streams.open(JULIET), house.streams.open(JULIET), house.streams.open(NURSE)
    house.say("a")
    assert bodies(read(hers, 1)) == bodies(read(hers_too, 1)) == ["a"]
    assert silent(nurses)


def test_waiting_ends_with_the_event(house: House) -> None:
    stream = house.streams.open(JULIET)
    threading.Timer(0.1, house.whisper, ["now"]).start()
    began = time.monotonic()
    assert bodies(read(stream, 1)) == ["now"]
    assert time.monotonic() - began < 15


def test_a_choice_of_events(house: House) -> None:
    stream = house.streams.open(JULIET, wanted=lambda event: event.stanza.findtext("body") != "no")
    last, *_ = [house.say(body) for body in ("yes", "no", "yes too")]
    assert bodies(read(stream, 2)) == ["yes", "yes too"]
    again = house.streams.open(JULIET, after=last, wanted=lambda event: event.stanza.findtext("body") != "no")
    assert bodies(read(again, 1)) == ["yes too"]
    assert silent(again)


def test_ids_are_the_archives(house: House) -> None:
    stream = house.streams.open(JULIET)
    kept = [house.say(str(n)) for n in range(3)]
    assert [event.id for event in read(stream, 3)] == kept


def test_what_is_not_archived_is_numbered_behind_what_is(house: House) -> None:
    stream = house.streams.open(JULIET)
    house.whisper("a")
    kept = house.say("b")
    for body in "cd":
        house.whisper(body)
    assert [event.id for event in read(stream, 4)] == ["~1", kept, f"{kept}~1", f"{kept}~2"]
    later = house.streams.open(JULIET)
    house.whisper("e")
    assert read(later, 1)[0].id == f"{kept}~1"


@pytest.mark.parametrize(
    ("event", "archived"), [("x", "x"), ("x~1", "x"), ("~12", ""), ("x~1~2", "x~1"), ("x~", "x~"), ("x~y", "x~y"), ("~", "~"), ("", "")]
)
def test_the_archive_id_of_an_event(event: str, archived: str) -> None:
    assert archive_id(event) == archived


# resumed


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 3 * PAGE + 7])
def test_what_was_missed_comes_first(house: House, count: int) -> None:
    first = house.say("first")
    for n in range(count):
        house.say(str(n))
    stream = house.streams.open(JULIET, after=first)
    house.say("live")
    assert bodies(read(stream, count + 1)) == [*map(str, range(count)), "live"]
    assert silent(stream)
    house.say("later")
    assert bodies(read(stream, 1)) == ["later"]


def test_behind_the_beginning(house: House) -> None:
    for body in "ab":
        house.say(body)
    assert bodies(read(house.streams.open(JULIET, after="~3"), 2)) == ["a", "b"]


def test_what_is_not_archived_waits_for_the_replay(house: House) -> None:
    first = house.say("first")
    house.say("missed")
    stream = house.streams.open(JULIET, after=first)
    house.whisper("a")
    house.say("b")
    events = read(stream, 3)
    assert bodies(events) == ["missed", "b", "a"]
    assert events[2].id == f"{events[1].id}~1"


def test_a_long_replay_does_not_count_as_slow(driver: Driver) -> None:
    house = House(driver, queue_size=3)
    first = house.say("first")
    stream = house.streams.open(JULIET, after=first)
    for n in range(50):
        house.say(str(n))
    assert bodies(read(stream, 50)) == [str(n) for n in range(50)]


@pytest.mark.parametrize("after", ["nonsense", "x~3", "7"])
def test_an_unknown_event(house: House, after: str) -> None:
    with pytest.raises(GatewayError, match="event-unknown"):
        house.streams.open(JULIET, after=after)
    assert house.streams.count == 0


def test_what_is_removed_in_the_middle_ends_the_replay(house: House, driver: Driver) -> None:
    first = house.say("first")
    for n in range(PAGE + 10):
        house.say(str(n))
    stream = house.streams.open(JULIET, after=first)
    read(stream, 5)
    driver.archive_delete("juliet", "capulet.example", "archive")
    read(stream, PAGE - 5)
    with pytest.raises(StreamEnded, match="removed"):
        stream.next(0)


def test_nothing_is_lost_or_doubled_while_others_speak(house: House) -> None:
    """Four threads speak; streams begin and end after every few events, some of which are not archived."""
    last = house.say("begin")
    stop = threading.Event()

    def speak(name: int) -> None:
        for n in range(150):
            house.say(f"{name}:{n}")
            house.whisper("psst")
        stop.set()

    threads = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    kept: list[Event] = []
    for n in range(10_000):
        if len(kept) == 600:
            break
        stream = house.streams.open(JULIET, after=last)
        for _ in range(1 + n % 7):
            event = stream.next(0.01)
            if event is None:
                break
            last = event.id
            if "~" not in event.id:
                kept.append(event)
        stream.close()
    for thread in threads:
        thread.join()
    page = house.archive.page(JULIET, EVERYTHING, 1000)
    assert [event.id for event in kept] == [item.id for item in page.items][1:]


def test_what_another_process_archives_is_neither_lost_nor_doubled(house: House) -> None:
    """Its events are archived before this process hears of them, and without the lock of this one."""
    first = house.say("first")
    other = [house.keep(str(n)) for n in range(3)]
    stream = house.streams.open(JULIET, after=first)
    house.streams.publish(JULIET, other[0])
    events = read(stream, 3)
    for event in other[1:]:
        house.streams.publish(JULIET, event)
    house.say("live")
    assert bodies([*events, *read(stream, 1)]) == ["0", "1", "2", "live"]
    for event in other:  # late news, when the stream is live
        house.streams.publish(JULIET, event)
    assert silent(stream)


def test_what_was_read_pages_ago_is_not_told_again(house: House) -> None:
    first = house.say("first")
    other = [house.keep(str(n)) for n in range(250)]
    stream = house.streams.open(JULIET, after=first)
    assert bodies(read(stream, 250)) == [str(n) for n in range(250)]
    house.say("live")
    assert bodies(read(stream, 1)) == ["live"]
    for event in other:
        house.streams.publish(JULIET, event)
    assert silent(stream)


def test_what_the_reader_has_seen_elsewhere_is_not_told_again(house: House) -> None:
    """It resumes in a process that has not yet heard of what another one has shown it."""
    seen = [house.keep(str(n)) for n in range(10)]
    stream = house.streams.open(JULIET, after=seen[-1].id)
    for event in seen[5:]:
        house.streams.publish(JULIET, event)
    assert silent(stream)
    house.say("live")
    assert bodies(read(stream, 1)) == ["live"]


def test_news_that_comes_while_the_replay_looks_for_the_last_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = house.streams.open(JULIET, after=house.say("first"))
    late: list[Any] = []
    page = house.archive.page

    def looking(*args: Any, **how: Any) -> Any:
        found = page(*args, **how)
        if not late:
            late.append(house.keep("late"))  # archived after what was found, and published while it is looked at
            house.streams.publish(JULIET, late[0])
        return found

    monkeypatch.setattr(house.archive, "page", looking)
    assert bodies(read(stream, 1)) == ["late"]
    assert silent(stream)


# bounds


def test_a_slow_reader_is_told_behind_what_waits(driver: Driver) -> None:
    house = House(driver, queue_size=2)
    stream = house.streams.open(JULIET)
    kept = [house.say(str(n)) for n in range(4)]
    assert bodies(read(stream, 2)) == ["0", "1"]
    with pytest.raises(StreamEnded, match="2 events wait"):
        stream.next(30)
    stream.close()
    assert bodies(read(house.streams.open(JULIET, after=kept[1]), 2)) == ["2", "3"]


def test_the_bounds_of_open_streams(driver: Driver) -> None:
    house = House(driver, per_account=2, total=3)
    streams = [house.streams.open(JULIET), house.streams.open(JULIET)]
    with pytest.raises(GatewayError, match="streams-full"):
        house.streams.open(JULIET)
    streams.append(house.streams.open(NURSE))
    with pytest.raises(GatewayError, match="streams-full"):
        house.streams.open(NURSE)
    for stream in streams:
        stream.close()
        stream.close()
    assert house.streams.count == 0
    with pytest.raises(StreamEnded):
        streams[0].next(30)
    assert house.streams.open(JULIET)


@pytest.mark.plain_thread
@pytest.mark.parametrize(("threads", "total", "allowed"), [(8, 100, 6), (64, 10, 10), (2, 5, 1), (1, 5, 1)])
def test_threads_are_left_for_short_requests(driver: Driver, threads: int, total: int, allowed: int) -> None:
    streams = Streams(
        AccountTimeline(Archive(driver), Archive(driver, HEARD_STORE)),
        StreamSettings(total=total, per_account=100, queue_size=1, heartbeat=1, write_timeout=1),
        Waits(threads),
        alone(),
        Events(Incidents()),
        Counts(),
    )
    opened = [streams.open(JULIET) for _ in range(allowed)]
    with pytest.raises(GatewayError, match="streams-full"):
        streams.open(JULIET)
    assert streams.count == len(opened)


def test_who_has_left_makes_room(driver: Driver) -> None:
    house = House(driver, per_account=2)
    left = threading.Event()
    lost = house.streams.open(JULIET, gone=left.is_set)
    house.streams.open(JULIET)
    with pytest.raises(GatewayError):
        house.streams.open(JULIET)
    left.set()
    house.streams.open(JULIET)
    assert house.streams.count == 2
    with pytest.raises(StreamEnded):
        lost.next(30)
    lost.close()
    assert house.streams.count == 2


def test_readers_of_many_machines_come_back_one_after_the_other(driver: Driver) -> None:
    house = House(driver, return_after=drawn, per_account=20)
    behind = house.say("first")
    streams = [house.streams.open(JULIET, after=behind if number % 2 else None) for number in range(12)]
    house.streams.restart("another process leads now")
    ends = [read_end(stream) for stream in streams]
    assert all(1 <= end.retry <= 5 for end in ends)
    assert len({end.retry for end in ends}) == 12


def read_end(stream: Stream) -> StreamEnded:
    with pytest.raises(StreamEnded) as caught:
        stream.next(30)
    return caught.value


def test_the_end_of_all(house: House) -> None:
    stream = house.streams.open(JULIET)
    house.say("last")
    house.streams.stop()
    assert bodies(read(stream, 1)) == ["last"]
    with pytest.raises(StreamEnded, match="stops") as caught:
        stream.next(30)
    assert caught.value.retry == 0
    with pytest.raises(GatewayError):
        house.streams.open(JULIET)
