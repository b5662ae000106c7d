"""A channel that the event loop of a server reads, and what its thread does before and after."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from tests.link.attached import until
from xmpp_rest.processes.channel import Channel
from xmpp_rest.processes.group import Message
from xmpp_rest.serving.loop import Loop
from xmpp_rest.threads.tasks import current_task, pause

LONG = 30.0


class Reader:
    """Has a channel read; what came, and whether a task took it."""

    def __init__(self, loop: Loop) -> None:
        ours, theirs = socket.socketpair()
        self.ours, self.theirs = Channel(ours), theirs
        self.sender = Channel(theirs)
        self.taken: list[tuple[int, bool]] = []
        self.thread = threading.Thread(target=self.ours.each, args=(self.take, loop), daemon=True)
        self.thread.start()

    def take(self, message: Message) -> None:
        if message.get("pauses"):
            pause(0.05)
        self.taken.append((message["n"], current_task() is not None))

    def ended(self) -> bool:
        self.thread.join(LONG)
        return not self.thread.is_alive()


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop(2)
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def reader(loop: Loop) -> Iterator[Reader]:
    reader = Reader(loop)
    yield reader
    reader.sender.close()
    reader.ours.close()
    assert reader.ended()


def test_tasks_take_messages_in_order(reader: Reader) -> None:
    """Though one waits, and the next has come."""
    for n in range(20):
        reader.sender.send({"n": n, "pauses": n == 3})
    until(lambda: len(reader.taken) == 20)
    assert reader.taken == [(n, True) for n in range(20)]


def test_message_in_pieces(reader: Reader) -> None:
    text = b'{"n": 7, "rest": "' + b"x" * 200_000 + b'"}'
    data = struct.pack(">I", len(text)) + text
    for start in range(0, len(data), 50_001):
        reader.theirs.sendall(data[start : start + 50_001])
    until(lambda: reader.taken == [(7, True)])


def test_all_that_came_before_the_end_is_taken(reader: Reader) -> None:
    reader.sender.send({"n": 1, "pauses": True})
    reader.sender.send({"n": 2})
    reader.sender.close()
    assert reader.ended()
    assert [n for n, _ in reader.taken] == [1, 2]


@pytest.mark.parametrize("data", [b"\x00\x00\x00\x02no", b"\xff\xff\xff\xffx"])
def test_who_is_none_of_our_processes_is_cut_off(reader: Reader, data: bytes) -> None:
    reader.sender.send({"n": 1})
    reader.theirs.sendall(data)
    assert reader.ended()
    assert [n for n, _ in reader.taken] == [1]
    reader.theirs.settimeout(LONG)
    assert reader.theirs.recv(1) == b""


def test_the_thread_reads_once_the_loop_has_stopped(loop: Loop, reader: Reader) -> None:
    reader.sender.send({"n": 1})
    until(lambda: len(reader.taken) == 1)
    loop.stop()
    reader.sender.send({"n": 2})
    until(lambda: len(reader.taken) == 2)
    assert reader.taken == [(1, True), (2, False)]


def test_the_thread_reads_where_all_threads_of_the_loop_wait(loop: Loop, reader: Reader) -> None:
    """They may wait for what is to be read."""
    reader.sender.send({"n": 1})
    until(lambda: reader.taken == [(1, True)])
    over = threading.Event()

    def block() -> None:
        over.wait(LONG)

    for _ in range(2):
        loop.call(lambda: loop.begin(block))
    try:
        watcher = threading.Thread(target=loop.watch, args=(LONG,), daemon=True)
        watcher.start()
        reader.sender.send({"n": 2})
        until(lambda: len(reader.taken) == 2)
        reader.sender.send({"n": 3})
        until(lambda: len(reader.taken) == 3)
        assert reader.taken[2] == (3, False)
    finally:
        over.set()


def test_close_ends_it(reader: Reader) -> None:
    reader.sender.send({"n": 1})
    until(lambda: len(reader.taken) == 1)
    reader.ours.close()
    assert reader.ended()


def test_a_loop_that_was_never_begun_is_stopped() -> None:
    loop = Loop(2)
    reader = Reader(loop)
    reader.sender.send({"n": 1})
    loop.stop()
    until(lambda: reader.taken == [(1, False)])
    reader.sender.close()
    assert reader.ended()


def test_a_loop_that_has_stopped_reads_nothing() -> None:
    loop = Loop(2)
    loop.stop()
    reader = Reader(loop)
    reader.sender.send({"n": 1})
    until(lambda: reader.taken == [(1, False)])
    reader.sender.close()
    assert reader.ended()


def test_a_socket_that_is_closed_cannot_be_attached(loop: Loop) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.close()
    told = threading.Event()
    loop.attach(ours, lambda: None, told.set)
    assert told.wait(LONG)
