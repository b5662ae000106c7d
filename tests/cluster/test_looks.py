"""Who waits for a new look waits for one that began after it asked."""

from __future__ import annotations

import threading
from contextlib import suppress

from xmpp_rest.cluster.looks import Looks


def test_a_look_that_is_under_way_does_not_count() -> None:
    looks, asked, told = Looks(), threading.Event(), list[bool]()
    waiting = threading.Thread(target=lambda: told.append(looks.wait_for_new(asked.set, 10)), daemon=True)
    with looks.under_way():
        waiting.start()
        assert asked.wait(10)
    waiting.join(0.05)
    assert told == []
    with looks.under_way():
        pass
    waiting.join(10)
    assert told == [True]


def test_the_next_one_counts_also_if_it_fails() -> None:
    looks = Looks()

    def fail() -> None:
        with suppress(ZeroDivisionError), looks.under_way():
            _ = 1 / 0

    assert looks.wait_for_new(lambda: threading.Thread(target=fail, daemon=True).start(), 10)


def test_it_is_bounded() -> None:
    assert not Looks().wait_for_new(lambda: None, 0.01)
