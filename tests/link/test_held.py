"""A stream whose process may not write now, or any more, as another node may own the domain (many-machines §6)."""

from __future__ import annotations

import queue

import pytest

from tests.link.attached import Start, entry, until, without_pings
from tests.link.fake_server import Connection


class Lease:
    """Whether this process may write."""

    def __init__(self, *, held: bool = True) -> None:
        self.held = held
        self.asked = 0

    def may_write(self) -> bool:
        self.asked += 1
        return self.held


def test_nothing_is_written_without_the_lease_and_all_of_it_with_it(start: Start) -> None:
    lease = Lease()
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        for _ in range(2):
            heard.put(connection.read_until("</message>"))
        connection.read_until("never", 30)

    component, _, _ = start(script, may_write=lease.may_write)
    until(lambda: component.online)
    component.outbox.put([entry(b"<message><body>1</body></message>")])
    assert without_pings(heard.get(timeout=30)) == "<message><body>1</body></message>"
    lease.held = False
    component.outbox.put([entry(b"<message><body>2</body></message>")])
    asked = lease.asked
    until(lambda: lease.asked > asked + 5)  # it looks again and again
    assert heard.empty()
    assert component.online
    lease.held = True
    assert without_pings(heard.get(timeout=30)) == "<message><body>2</body></message>"


def test_it_does_not_connect_without_the_lease(start: Start) -> None:
    lease = Lease(held=False)

    def script(connection: Connection) -> None:
        connection.accept()
        connection.read_until("never", 30)

    component, _, server = start(script, may_write=lease.may_write)
    until(lambda: lease.asked > 5)
    assert server.connections == 0
    lease.held = True
    until(lambda: component.online)


def test_a_stream_that_is_cut_ends_without_another_byte(start: Start) -> None:
    lease = Lease()
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def script(connection: Connection) -> None:
        connection.accept()
        with pytest.raises(EOFError) as end:
            connection.read_until("never", 30)
        heard.put(str(end.value))

    component, _, _ = start(script, may_write=lease.may_write)
    until(lambda: component.online)
    lease.held = False
    component.outbox.put([entry(b"<message><body>late</body></message>")])
    component.cut()
    assert heard.get(timeout=30) == ""
    until(lambda: component.state.state == "stopped")
    component.stop()
