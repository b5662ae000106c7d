"""What speakers say to each other is packed, counted, and ends when something was lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.link.attached import until
from xmpp_rest.cluster import sender_thread
from xmpp_rest.cluster.call_times import CallTimes
from xmpp_rest.cluster.ear_thread import EarThread
from xmpp_rest.cluster.frames import PAYLOAD, Envelope, frame_text, pack, unpack
from xmpp_rest.cluster.line import Line, LineChannel
from xmpp_rest.cluster.sender_thread import FrameSender
from xmpp_rest.incidents import Incidents

RUN = "0123456789abcdef"


class Queue:
    """Keeps what is put."""

    def __init__(self) -> None:
        self.put_texts: list[str] = []
        self.is_full = False

    def put(self, line: Line, text: str) -> None:
        if self.is_full:
            raise OSError("full")
        self.put_texts.append(text)


class Ends(NamedTuple):
    line: Line
    queue: Queue
    ended: list[bool]
    now: list[float]


@pytest.fixture
def ends() -> Ends:
    queue, ended, now = Queue(), [False], [0.0]
    return Ends(Line("a", "to", queue, lambda: now[0], lambda: ended.__setitem__(0, True)), queue, ended, now)


def test_frames_are_packed_up_to_the_size_of_a_payload() -> None:
    frames: list[dict[str, Any]] = [{"on": "é" * 1000, "says": i} for i in range(20)]
    frames.insert(3, {"on": "x" * 20_000})
    payloads = pack("line", 7, RUN, [frame_text(frame) for frame in frames])
    envelopes = [unpack(payload) for payload in payloads]
    assert [frame for envelope in envelopes for frame in envelope.frames] == frames
    assert [envelope.number for envelope in envelopes] == list(range(7, 7 + len(payloads)))
    assert {(envelope.line, envelope.run) for envelope in envelopes} == {("line", RUN)}
    long = [payload for payload in payloads if len(payload.encode()) > PAYLOAD]
    assert len(long) == 1
    assert len(unpack(long[0]).frames) == 1
    assert len(payloads) < 12


@pytest.mark.parametrize(
    "payload",
    [
        *("", "7", "[]", '["a"]', '[["a",1],{}]', '[["a","1","b"]]', '[["a",1,"b"],7]', "[" * 5000, "[[1,2,3]]", '{"a":1}'),
        *('[["a",1,"r\\"x"]]', '[["a",1,""]]', '[["a",1,"\u00e9"]]', f'[["a",1,"{"r" * 41}"]]', f'[["{"a" * 41}",1,"b"]]'),
    ],
)
def test_what_is_no_payload_is_refused(payload: str) -> None:
    with pytest.raises(ValueError):
        unpack(payload)


def test_what_people_write_is_in_no_description() -> None:
    assert "secret" not in repr(Envelope("a", 1, RUN, [{"on": "secret"}]))


def test_what_is_no_text_is_refused_before_anything_is_sent(ends: Ends) -> None:
    with pytest.raises(ValueError):
        ends.line.send({"on": "\ud800"})
    assert not ends.queue.put_texts
    assert not ends.line.has_ended


def test_a_line_ends_where_a_payload_is_missing(ends: Ends) -> None:
    assert ends.line.receive(1)
    assert ends.line.receive(2)
    assert not ends.line.receive(4)
    assert ends.ended == [True]
    assert "payload 3" in ends.line.end_reason
    assert not ends.line.receive(3)
    with pytest.raises(BrokenPipeError):
        ends.line.send({"ping": True})


def test_a_line_knows_how_long_either_side_has_been_silent(ends: Ends) -> None:
    ends.now[0] = 5.0
    assert (ends.line.silence(), ends.line.quiet()) == (5.0, 5.0)
    ends.line.send({"ping": True})
    ends.line.receive(1)
    assert (ends.line.silence(), ends.line.quiet()) == (0.0, 0.0)


def test_nothing_follows_the_last_message_of_a_channel(ends: Ends) -> None:
    channel = LineChannel(ends.line, "c1")
    assert channel.send_now({"call": "a"})
    channel.send({"call": "left"}, last=True)
    with pytest.raises(BrokenPipeError):
        channel.send({"call": "b"})
    assert [json.loads(text)["says"]["call"] for text in ends.queue.put_texts] == ["a", "left"]
    channel.close()
    channel.close()
    assert json.loads(ends.queue.put_texts[-1]) == {"on": "c1", "ends": True}
    assert len(ends.queue.put_texts) == 3


def test_a_channel_that_cannot_be_closed_ends_its_line(ends: Ends) -> None:
    ends.queue.is_full = True
    LineChannel(ends.line, "c1").close()
    assert ends.line.has_ended


def test_the_trunk_of_a_line_is_the_same_for_all_channels(ends: Ends) -> None:
    one, two = LineChannel(ends.line, "c1").trunk, LineChannel(ends.line, "c2").trunk
    assert len({one, two}) == 1
    one.close()
    assert ends.line.has_ended


@pytest.fixture
def shared() -> FakeShared:
    return FakeShared(FakeDatabase())


@pytest.fixture
def sender(shared: FakeShared) -> Iterator[FrameSender]:
    sender = FrameSender(lambda: shared, RUN)
    yield sender
    sender.stop()


def line_of(sender: FrameSender) -> Line:
    return Line("a", "to", sender, lambda: 0.0, lambda: None)


def test_what_waits_is_sent_in_one_step(sender: FrameSender, shared: FakeShared) -> None:
    line = line_of(sender)
    for number in range(100):
        line.send({"ping": number})
    sender.put_single("all", {"ready": True})
    sender.start()
    until(lambda: len(shared.database.sent) == 2)
    assert shared.calls["notify"] == 1
    assert [frame["ping"] for frame in unpack(shared.database.sent[0][1]).frames] == list(range(100))


def test_a_line_ends_whose_frames_cannot_be_sent(sender: FrameSender, shared: FakeShared) -> None:
    line = line_of(sender)
    shared.cut()
    sender.start()
    line.send({"ping": True})
    until(lambda: line.has_ended)
    shared.mend()
    other = line_of(sender)
    other.send({"ping": True})
    until(lambda: len(shared.database.sent) == 1)


def test_too_much_is_refused(sender: FrameSender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_thread, "MOST", 100)
    line = line_of(sender)
    line.send({"on": "a" * 50})
    with pytest.raises(OSError, match="too much waits"):
        line.send({"on": "a" * 50})


def test_of_what_belongs_to_no_line_too_much_is_lost(sender: FrameSender, shared: FakeShared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_thread, "MOST_SINGLE", 3)
    for number in range(5):
        sender.put_single("all", {"ready": number})
    line_of(sender).send({"ping": True})
    sender.start()
    until(lambda: len(shared.database.sent) == 4)
    assert shared.database.sent[0][0] == "to"


def test_what_nobody_foresaw_ends_a_line_not_the_thread(caplog: pytest.LogCaptureFixture, shared: FakeShared) -> None:
    to_raise = [ZeroDivisionError()]

    def odd() -> FakeShared:
        if to_raise:
            raise to_raise.pop()
        return shared

    sender = FrameSender(odd, RUN)
    sender.start()
    line = line_of(sender)
    line.send({"ping": True})
    until(lambda: line.has_ended)
    line_of(sender).send({"ping": True})
    until(lambda: len(shared.database.sent) == 1)
    sender.stop()
    assert "could not be sent" in caplog.text


def test_whatever_is_said_the_ear_goes_on(shared: FakeShared, caplog: pytest.LogCaptureFixture) -> None:
    taken: list[int] = []
    sessions: list[bool] = []

    def take(envelope: Envelope) -> None:
        taken.append(envelope.number)
        if envelope.number == 1:
            raise ZeroDivisionError

    ear = EarThread(lambda: shared, ("me",), take, sessions.append, Incidents())
    ear.start()
    until(lambda: ear.listens)
    for payload in (*pack("a", 1, RUN, ['{"on":"secret"}']), "no payload: secret", *pack("a", 2, RUN, ["{}"])):
        shared.notify([("me", payload)])
    until(lambda: taken == [1, 2])
    assert "secret" not in caplog.text
    shared.database.end_sessions()
    until(lambda: sessions == [True, False, True])
    ear.stop()
    assert sessions[-1] is False
    assert not [thread for thread in threading.enumerate() if thread.name == "ear"]


def test_calls_are_timed() -> None:
    times: list[float] = []
    now = iter((1.0, 2.0, 3.0))
    calls = CallTimes(times.append, lambda: next(now))
    calls.begin("own", {"call": "join"})
    calls.begin("own", {"call": "a", "number": 7})
    calls.begin("own", {"call": "b", "number": 8})
    calls.begin("own", {"call": "forget", "of": 8})
    calls.end("own", {"number": 8})
    calls.end("c1", {"number": 7})
    calls.end("own", {"leaving": True})
    calls.end("own", {"number": 7})
    assert times == [2.0]
