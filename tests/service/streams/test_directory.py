"""The list of open streams has those of the processes that there are, and no others (service/streams/directory.py)."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.processes.memory import MemoryGroup, cut, processes
from tests.threads.scheduler import OneThread
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.directory import MOST, Directory, OpenStream
from xmpp_rest.threads.group import GroupExecutor

JULIET, NURSE = map(parse_jid, ("juliet@capulet.example", "nurse@capulet.example"))
BALCONY, CHAMBER, GARDEN = (OpenStream(JULIET._replace(resource=name), "192.0.2.1", 4711, 1.5) for name in ("balcony", "chamber", "garden"))


def open_in(directory: Directory, *streams: OpenStream) -> list[int]:
    for stream in streams:
        directory.mine.put(stream)
    return [directory.opened(stream) for stream in streams]


def close_in(directory: Directory, *streams: OpenStream) -> None:
    for stream in streams:
        directory.mine.remove(stream.jid)
    directory.closed(streams)


def started(count: int = 2) -> tuple[list[Remote], list[Directory]]:
    remotes = processes(count)
    directories = [Directory(remote) for remote in remotes]
    for remote in remotes:
        remote.start()
    return remotes, directories


def calls_of(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The reports that this process makes from now on."""
    made: list[dict[str, Any]] = []
    call = remote.group.call

    def counting(name: str, arguments: dict[str, Any], wait: Any) -> Any:
        made.append(arguments)
        return call(name, arguments, wait)

    monkeypatch.setattr(remote.group, "call", counting)
    return made


def test_the_leader_lists_the_streams_of_every_process() -> None:
    (_, follower), (of_leader, of_follower) = started()
    open_in(of_follower, BALCONY)
    assert of_leader.all() == of_follower.all() == of_leader.of(JULIET) == of_follower.of(JULIET) == [BALCONY]
    assert of_leader.of(NURSE) == []
    assert (of_leader.count_elsewhere(JULIET), of_follower.count_elsewhere(JULIET)) == (1, 0)
    follower.stop()
    assert of_leader.all() == []
    assert not of_leader.is_open_elsewhere(JULIET)


def test_who_opens_a_stream_hears_how_many_there_are_elsewhere() -> None:
    _, (of_leader, *of_followers) = started(3)
    assert open_in(of_leader, BALCONY) == [0]
    assert open_in(of_followers[0], CHAMBER) == [1]
    assert open_in(of_followers[1], GARDEN) == [2]
    close_in(of_followers[0], CHAMBER)
    close_in(of_leader, BALCONY)
    assert open_in(of_leader, BALCONY) == [1]


def test_only_changes_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, follower), (of_leader, of_follower) = started()
    open_in(of_follower, BALCONY, CHAMBER)
    made = calls_of(follower, monkeypatch)
    open_in(of_follower, GARDEN)
    close_in(of_follower, BALCONY, CHAMBER)
    assert [(report["whole"], [opened for _, opened in report["changes"]]) for report in made] == [(None, [True]), (None, [False, False])]
    assert of_leader.all() == [GARDEN]


def test_many_changes_are_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a report is under way, those that come wait together for the next one."""
    (_, follower), (of_leader, of_follower) = started()
    made = calls_of(follower, monkeypatch)
    call, under_way, all_there = follower.group.call, threading.Event(), threading.Event()

    def held(*args: Any) -> Any:
        if not under_way.is_set():
            under_way.set()
            assert all_there.wait(30)
        return call(*args)

    monkeypatch.setattr(follower.group, "call", held)
    streams = [OpenStream(JULIET._replace(resource=f"s{n}"), "", 0, n) for n in range(50)]
    with ThreadPoolExecutor(50) as pool:
        first = pool.submit(open_in, of_follower, streams[0])
        assert under_way.wait(30)
        others = [pool.submit(open_in, of_follower, stream) for stream in streams[1:]]
        while len(of_follower._reporting._waiting) < 49:
            assert not first.done()
        all_there.set()
        assert [future.result(30) for future in (first, *others)] == [[0]] * 50
    assert [len(report["changes"]) for report in made] == [1, 49]
    assert of_leader.count_elsewhere(JULIET) == 50


@pytest.mark.plain_thread
def test_a_burst_of_openings_is_a_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tasks, as under the gateway's worker."""
    (_, follower), (of_leader, of_follower) = started()
    made = calls_of(follower, monkeypatch)
    streams = [OpenStream(JULIET._replace(resource=f"s{n}"), "", 0, n) for n in range(1000)]
    counts: list[int] = []
    OneThread().run(*(partial(lambda stream: counts.extend(open_in(of_follower, stream)), stream) for stream in streams))
    assert counts == [0] * 1000
    assert [len(report["changes"]) for report in made] == [MOST] * (1000 // MOST)
    assert of_leader.count_elsewhere(JULIET) == 1000


def test_another_leader_gets_the_whole_list() -> None:
    (first, *_), (_, of_next, of_follower) = started(3)
    open_in(of_follower, BALCONY, CHAMBER)
    first.stop()
    assert of_next.all() == []
    close_in(of_follower, CHAMBER)
    assert of_next.all() == [BALCONY]


def test_after_a_report_that_failed_the_whole_list_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    (_, follower), (of_leader, of_follower) = started()
    open_in(of_follower, BALCONY)
    with monkeypatch.context() as broken:
        broken.setattr(MemoryGroup, "call", lambda *_: (_ for _ in ()).throw(GatewayError("link-down")))
        close_in(of_follower, BALCONY)
        with pytest.raises(GatewayError, match="link-down"):
            open_in(of_follower, CHAMBER)
    open_in(of_follower, GARDEN)
    assert set(of_leader.all()) == {CHAMBER, GARDEN}
    cut(follower)  # what is done, and not answered, is done once
    close_in(of_follower, GARDEN)
    close_in(of_follower, CHAMBER)
    assert of_leader.all() == []


def test_a_report_that_comes_late_is_ignored() -> None:
    """It would stay for as long as the leader does: that of a follower that has gone, or that has become the leader meanwhile."""
    (leader, follower), (of_leader, _) = started()
    open_in(of_leader, BALCONY)
    former = follower.group.id
    follower.stop()
    of_leader._report(former, 1, [BALCONY], [])
    of_leader._report(leader.group.id, 1, [BALCONY], [])
    assert of_leader.all() == [BALCONY]
    assert of_leader.count_elsewhere(JULIET) == 0
    assert not of_leader.is_open_elsewhere(JULIET)


def test_an_earlier_report_that_comes_after_a_later_one_is_ignored() -> None:
    (_, follower), (of_leader, _) = started()
    of_leader._report(follower.group.id, 2, [BALCONY], [])
    of_leader._report(follower.group.id, 1, [], [])
    assert of_leader.all() == [BALCONY]


def test_where_a_report_overtakes_another_one_the_whole_list_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two are under way at once where a task waits for the answer to one."""
    (_, follower), (of_leader, of_follower) = started()
    open_in(of_follower, BALCONY)
    made = calls_of(follower, monkeypatch)
    call = follower.group.call
    overtaken: list[Any] = []

    def late(*args: Any) -> Any:
        if not overtaken:
            overtaken.append(args)
            open_in(of_follower, GARDEN)  # while the report that follows is on its way
        return call(*args)

    monkeypatch.setattr(follower.group, "call", late)
    of_follower._reporting = GroupExecutor(of_follower._report_changes)  # one that lets a caller work within another one's work
    close_in(of_follower, BALCONY)
    assert [report["whole"] is None for report in made] == [True, False, True]
    assert of_leader.all() == of_follower.mine.all() == [GARDEN]


def test_a_stream_that_ends_is_not_listed_any_more() -> None:
    _, (of_leader, of_follower) = started()
    open_in(of_follower, BALCONY, CHAMBER)
    of_leader.remove(BALCONY.jid)
    assert of_leader.all() == [CHAMBER]
    close_in(of_follower, BALCONY)
    assert of_leader.all() == [CHAMBER]


def test_the_leader_knows_where_somebody_listens_to_an_account() -> None:
    remotes, (of_leader, one, other) = started(3)
    open_in(of_leader, GARDEN)
    open_in(one, BALCONY, CHAMBER)
    assert of_leader.processes_of(JULIET) == [remotes[1].group.id]
    assert of_leader.processes_of(NURSE) == []
    close_in(one, BALCONY, CHAMBER)
    open_in(other, BALCONY)
    assert of_leader.processes_of(JULIET) == [remotes[2].group.id]
