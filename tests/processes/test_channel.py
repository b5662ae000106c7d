"""The channel between processes, when the other end reads nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from functools import partial

from tests.link.attached import until
from tests.threads.scheduler import OneThread
from xmpp_rest.processes.channel import Channel


def test_tasks_park_while_the_other_end_reads_nothing() -> None:
    ours, theirs = socket.socketpair()
    channel, other = Channel(ours), Channel(theirs)
    with closing(channel), closing(other):
        first = threading.Thread(target=channel.send, args=({"text": "x" * (4 << 20)},))
        first.start()
        until(lambda: not channel.send_now({"n": -1}))
        scheduler, sent, got = OneThread(), list[int](), list[int]()

        def send(n: int) -> None:
            channel.send({"n": n})
            sent.append(n)

        def read() -> None:
            while len(got) < 50:
                message = other.receive()
                assert message is not None
                if message.get("n", -1) >= 0:
                    got.append(message["n"])

        def meanwhile() -> None:
            assert sent == []
            assert scheduler.runner.parked == 50
            threading.Thread(target=read, daemon=True).start()

        scheduler.run(*(partial(send, n) for n in range(50)), meanwhile)
        first.join(30)
        assert sent == [*range(50)]
        assert scheduler.asides == 0
        until(lambda: got == sent)
