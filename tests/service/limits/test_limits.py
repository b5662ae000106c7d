"""Token buckets let through what the limit says, in all processes together, and tell how much is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.processes.memory import MemoryGroup, alone, cut, processes
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.service.limits.limits import UNLIMITED, Bucket, RateLimits

OPS = Bucket("hook", "ops", 60)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def start(remotes: Sequence[Remote]) -> None:
    for remote in remotes:
        remote.start()


def test_as_many_at_once_as_the_limit_and_then_one_a_second() -> None:
    clock = Clock()
    limits = RateLimits(alone(), clock)
    assert all(limits.take([OPS]).allowed for _ in range(60))
    refused = limits.take([OPS])
    assert not refused.allowed
    assert refused.fields() == {"RateLimit-Policy": '"hook";q=60;w=60', "RateLimit": '"hook";r=0;t=60', "Retry-After": "1"}
    clock.now += 1
    assert limits.take([OPS]).allowed
    assert not limits.take([OPS]).allowed
    clock.now += 3600
    assert [limits.take([OPS]).left for _ in range(2)] == [59, 58]


def test_the_fields_tell_what_is_left() -> None:
    limits = RateLimits(alone(), Clock())
    limits.take([OPS])
    assert limits.take([OPS]).fields() == {"RateLimit-Policy": '"hook";q=60;w=60', "RateLimit": '"hook";r=58;t=2'}
    assert limits.look([OPS]).fields()["RateLimit"] == '"hook";r=58;t=2'
    assert limits.look([OPS]).left == 58


def test_without_a_limit_nobody_is_asked() -> None:
    remotes = processes(2)
    _, limits = (RateLimits(remote) for remote in remotes)
    start(remotes)
    cut(remotes[1])
    assert limits.take([Bucket("account", "a", 0)]) is UNLIMITED
    assert limits.take([]).fields() == {}
    with pytest.raises(GatewayError):
        limits.take([OPS])


def test_the_tightest_limit_is_told_and_a_refused_request_costs_nothing() -> None:
    limits = RateLimits(alone(), Clock())
    account, token = Bucket("account", "a@x", 100), Bucket("token", "t", 2)
    assert limits.take([account, token]).kind == "token"
    limits.take([account, token])
    refused = limits.take([account, token])
    assert (refused.allowed, refused.kind, refused.retry_after) == (False, "token", 30)
    assert limits.look([account]).left == 98
    assert limits.take([account]).allowed


def test_processes_share_the_buckets() -> None:
    clock = Clock()
    remotes = processes(3)
    members = [RateLimits(remote, clock) for remote in remotes]
    start(remotes)
    allowed = [members[n % 3].take([OPS]).allowed for n in range(90)]
    assert allowed == [True] * 60 + [False] * 30


def on_machines(count: int) -> list[Remote]:
    """Processes of as many machines."""
    remotes = processes(count)
    for remote in remotes:
        cast(MemoryGroup, remote.group).spans_nodes = True
    return remotes


def test_another_machine_that_leads_next_goes_by_what_the_others_have_heard() -> None:
    clock = Clock()
    remotes = on_machines(3)
    members = [RateLimits(remote, clock) for remote in remotes]
    start(remotes)
    other = Bucket("hook", "other", 60)
    assert all(members[n % 3].take([OPS]).allowed for n in range(50))
    assert all(members[2].take([other, OPS]).allowed for n in range(5))
    remotes[0].group.stop()
    assert [members[1].take([OPS]).allowed, members[2].take([OPS, other]).allowed] == [True, True]
    allowed = [members[1 + n % 2].take([OPS]).allowed for n in range(60)]
    assert sum(allowed) <= 8  # of the 5 that are left, and at most those that the first to ask had not heard of
    assert members[1].look([other]).left == 54
    clock.now += 60
    assert members[2].look([OPS]).left == 60


def test_machines_share_a_limit_over_every_change_of_the_owner_within_a_tenth() -> None:
    clock = Clock()
    remotes = on_machines(6)
    members = [RateLimits(remote, clock) for remote in remotes]
    start(remotes)
    bucket, allowed = Bucket("hook", "busy", 600), 0
    for number in range(6000):
        clock.now += 0.01
        if number in (1500, 3000, 4500):
            remotes[number // 1500 - 1].group.stop()
        allowed += members[5 - number % 3].take([bucket]).allowed
    most = 600 + 60 * 600 / 60
    assert 0.9 * most <= allowed <= 1.1 * most


def test_what_is_full_again_is_forgotten() -> None:
    clock = Clock()
    limits = RateLimits(alone(), clock)
    for number in range(1000):
        limits.take([Bucket("account", str(number), 5)])
    clock.now += 60
    limits.take([OPS])
    assert list(limits._levels) == [("hook", "ops")]


@given(st.integers(1, 6000), st.lists(st.floats(0, 5), max_size=60))
def test_never_more_than_the_limit_and_what_has_been_refilled(per_minute: int, pauses: Sequence[float]) -> None:
    clock = Clock()
    limits, bucket, began, allowed = RateLimits(alone(), clock), Bucket("hook", "x", per_minute), clock.now, 0
    for pause in pauses:
        clock.now += pause
        allowance = limits.take([bucket])
        allowed += allowance.allowed
        assert allowed <= per_minute + (clock.now - began) * per_minute / 60 + 1e-6
        assert 0 <= allowance.left <= per_minute
        assert 0 <= allowance.full_in <= 60
        if not allowance.allowed:
            clock.now += allowance.retry_after
            assert limits.look([bucket]).left >= 1
