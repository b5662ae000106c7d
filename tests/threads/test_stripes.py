"""Locks of many things by their hash."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from xmpp_rest.threads.stripes import Stripes


def test_things_with_the_same_hash_share_a_lock_and_others_have_their_own() -> None:
    stripes = Stripes(8)
    assert stripes.of(3) is stripes.of(3) is stripes.of(11)
    assert stripes.of(3) is not stripes.of(4)


def test_threads_that_first_ask_at_once_get_the_same_lock() -> None:
    stripes = Stripes(8)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: stripes.of("juliet"), range(200)))) == 1


@pytest.mark.parametrize("reentrant", [False, True])
def test_only_a_reentrant_lock_is_taken_twice_by_its_holder(reentrant: bool) -> None:
    lock = Stripes(8, reentrant=reentrant).of("room")
    with lock:
        assert lock.acquire(blocking=False) is reentrant


def test_the_locks_of_several_are_held_together_and_one_that_they_share_is_taken_once() -> None:
    stripes = Stripes(8)
    with stripes.holding([11, 4, 3]):
        assert not stripes.of(3).acquire(blocking=False)
        assert not stripes.of(4).acquire(blocking=False)
        assert stripes.of(5).acquire(blocking=False)
    assert stripes.of(3).acquire(blocking=False)
    assert stripes.of(4).acquire(blocking=False)
