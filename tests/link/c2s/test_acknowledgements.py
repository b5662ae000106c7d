"""The counts of XEP-0198, and which stanzas are settled by them or by barriers."""

from __future__ import annotations

import pytest

from xmpp_rest.link.c2s.acknowledgements import BURST, Acknowledgements, Barrier, OnConfirmed, QueuedStanza
from xmpp_rest.link.errors import OtherStream, OutboxFull


def plain(name: str, kind: str = "message") -> QueuedStanza:
    return QueuedStanza(name.encode(), kind, False)


def confirmed(*names: str, done: OnConfirmed = print) -> list[QueuedStanza]:
    """Stanzas, and a barrier that is called like the last of them."""
    barrier = Barrier(names[-1], b"?", done)
    return [*(QueuedStanza(name.encode(), "message", True) for name in names), QueuedStanza(b"?", "iq", True, barrier)]


def taken(queue: Acknowledgements) -> str:
    return b"".join(stanza.data for stanza in queue.take()).decode()


@pytest.fixture
def queue() -> Acknowledgements:
    return Acknowledgements(True)


def put(queue: Acknowledgements, *stanzas: QueuedStanza) -> None:
    queue.put(stanzas, 1000)


def test_acknowledged_and_confirmed_stanzas_are_settled(queue: Acknowledgements) -> None:
    put(queue, plain("a"), *confirmed("b"), plain("c"))
    assert taken(queue) == "ab?c"
    assert (len(queue), queue.unacknowledged, queue.asks) == (3, 2, True)
    assert queue.acknowledged(3)
    assert queue.acknowledged(3)
    assert (len(queue), queue.unacknowledged) == (2, 1)  # b waits for its barrier
    assert queue.answered("b") == [print]
    assert queue.answered("b") is None
    assert (len(queue), queue.unacknowledged, queue.asks) == (1, 1, False)
    assert queue.acknowledged(4)
    assert (len(queue), queue.unacknowledged) == (0, 0)


def test_a_barrier_settles_all_before_it(queue: Acknowledgements) -> None:
    put(queue, plain("a"), *confirmed("b"))
    assert taken(queue) == "ab?"
    put(queue, *confirmed("c"))
    assert taken(queue) == "c?"
    assert queue.answered("c") == [print, print]
    assert (len(queue), queue.asks) == (0, False)
    assert queue.answered("b") is None


def test_counts_begin_again_at_2_to_the_32(queue: Acknowledgements) -> None:
    queue._number = queue._acknowledged = (1 << 32) - 1
    put(queue, plain("a"), plain("b"))
    assert taken(queue) == "ab"
    assert queue.acknowledged(1)
    assert len(queue) == 0
    assert not queue.acknowledged(2)
    assert not queue.acknowledged((1 << 32) - 1)


def test_a_resumed_stream_goes_on_where_it_broke(queue: Acknowledgements) -> None:
    put(queue, plain("a"), *confirmed("b"), plain("c", "iq"))
    assert taken(queue) == "ab?c"
    put(queue, plain("d"))
    assert queue.resumed(2)  # it has not got the barrier
    assert taken(queue) == "?cd"
    assert queue.acknowledged(5)
    assert not queue.acknowledged(6)
    assert queue.answered("b") == [print]
    assert len(queue) == 0


def test_a_new_stream_gets_all_that_is_not_confirmed(queue: Acknowledgements) -> None:
    put(queue, plain("a"), *confirmed("b"), plain("c"), plain("d", "presence"))
    assert taken(queue) == "ab?cd"
    put(queue, plain("e", "iq"), plain("f"))
    assert queue.acknowledged(3)
    queue.rebinds(False)
    queue.put([plain("g", "presence")], 1000, first=True)
    put(queue, plain("h"))
    queue.rebound()
    assert taken(queue) == "gb?cfh"
    assert queue.answered("b") == [print]
    assert len(queue) == 0  # nobody counts any more


def test_what_is_sent_is_not_shown(queue: Acknowledgements) -> None:
    assert repr([plain("secret")]) == "[<message of 6 bytes>]"


def test_a_burst_has_a_bound(queue: Acknowledgements) -> None:
    put(queue, *(plain("a") for _ in range(BURST + 1)))
    assert taken(queue) == "a" * BURST
    assert taken(queue) == "a"
    assert taken(queue) == ""


def test_nothing_is_taken_once_it_is_closed_or_full(queue: Acknowledgements) -> None:
    queue.put(confirmed("a", "b"), 2)
    with pytest.raises(OutboxFull):
        queue.put([plain("c")], 2)
    queue.close()
    with pytest.raises(OtherStream):
        queue.put([plain("c")], 1000)
    assert taken(queue) == "ab?"
    assert queue.lose() == [print]
    assert queue.lose() == []
    assert (len(queue), queue.asks) == (0, False)


def test_what_is_lost_while_a_session_is_bound_anew(queue: Acknowledgements) -> None:
    put(queue, *confirmed("a"))
    queue.rebinds(True)
    queue.put(confirmed("b"), 1000, first=True)
    assert queue.lose() == [print, print]


def test_acknowledging_each_of_many_takes_no_longer_than_all_at_once(queue: Acknowledgements) -> None:
    """A server that says a count after each stanza holds the thread of all sessions no longer than others; it took minutes."""
    many = 30_000
    queue.put([*(QueuedStanza(b"a", "message", True) for _ in range(many)), plain("b")], many + 1)
    while queue.take():
        pass
    assert all(queue.acknowledged(h) for h in range(many))
    assert (len(queue), queue.unacknowledged) == (many + 1, 1)
    assert queue.acknowledged(many + 1)
    assert (len(queue), queue.unacknowledged) == (many, 0)


def test_all_that_was_not_received_is_written_again_in_its_order(queue: Acknowledgements) -> None:
    put(queue, plain("a"), *confirmed("b"), plain("c"), *confirmed("d"), plain("e"))
    assert taken(queue) == "abcd?e"
    assert queue.resumed(1)
    assert taken(queue) == "bcd?e"
    put(queue, plain("f"))
    assert taken(queue) == "f"
    queue.rebinds(True)
    queue.rebound()
    assert taken(queue) == "bcd?ef"
