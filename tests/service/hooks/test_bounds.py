"""What hooks keep and wait for is bounded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.service.hooks.conftest import hook, said
from tests.service.hooks.network import ROOM, Network, Room
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.hooks import sender, targets
from xmpp_rest.service.hooks.in_order import Done, OrderedJob, WorkInOrder
from xmpp_rest.service.hooks.message import Verdict
from xmpp_rest.service.hooks.verdicts import LATE, Verdicts


def test_jobs_of_a_key_follow_each_other_and_others_go_on() -> None:
    work, begun, ends = WorkInOrder(lambda act: act()), list[str](), dict[str, Done]()

    def job(name: str) -> OrderedJob:
        def begin(done: Done) -> None:
            begun.append(name)
            ends[name] = done

        return begin

    assert all(work.put(name[0], job(name)) for name in ("a1", "a2", "b1"))
    assert begun == ["a1", "b1"]
    ends["a1"]()
    ends["a1"]()  # once is enough
    assert begun == ["a1", "b1", "a2"]
    ends["a2"]()
    ends["b1"]()
    assert work._jobs == {}


def test_no_more_than_so_many_wait(caplog: pytest.LogCaptureFixture) -> None:
    waiting: list[Callable[[], None]] = []
    work = WorkInOrder(waiting.append)

    def fails(_: Done) -> None:
        raise ValueError("no")

    assert [work.put("a", fails) for _ in range(WorkInOrder.MOST + 2)] == [True] * (WorkInOrder.MOST + 1) + [False]
    while waiting:  # one that fails does not keep back those after it
        waiting.pop()()
    assert work._jobs == {}
    assert "a message of a hook failed" in caplog.text


def test_verdicts_are_told_once() -> None:
    told: list[list[Verdict]] = []
    verdicts = Verdicts(2, told.append)
    verdicts.of(1).give(Verdict("replied"))
    assert told == []
    verdicts.end()
    verdicts.of(0).give(Verdict())
    assert told == [[LATE, Verdict("replied")]]


def test_what_is_known_of_targets_is_bounded(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MOST", 1)
    other = "yard@rooms.montague.example"
    network.rooms[other] = Room(other)
    for room in network.rooms.values():
        monkeypatch.setattr(room, "message", lambda _stanza, _sender: [])  # it is shown to nobody
    results = gateway.parts.hook_sender.send(hook(ROOM, other), said("Fire"))
    assert [result.error for result in results] == [None, None]
    assert len(gateway.parts.hook_rooms._targets._known) == 1


def test_whoever_gets_no_answer_in_time_is_refused(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "LONGEST", 0.0)
    network.silent.add(ROOM)
    (result,) = gateway.parts.hook_sender.send(hook(f"room:{ROOM}"), said("Fire"))
    assert result.error == LATE.error


def test_where_nobody_may_wait_the_message_is_sent_all_the_same(
    gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway.parts.waits, "_per_account", 0)
    (result,) = gateway.parts.hook_sender.send(hook("romeo@montague.example"), said("Fire"))
    assert result.error is None
    assert len(network.messages) == 1
    with ThreadPoolExecutor(1) as pool:  # a thread that waits is one less for others
        (result,) = pool.submit(gateway.parts.hook_sender.send, hook("romeo@montague.example"), said("Fire")).result()
    assert result.error is not None
    assert result.error.type == "wait"
    assert len(network.messages) == 1
