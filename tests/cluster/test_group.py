"""Calls, broadcasts and publications go over the nodes of a cluster, whichever of their processes is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.cluster.nodes import ClusterProcess, Make
from tests.link.attached import until
from xmpp_rest.errors import GatewayError, Unanswered
from xmpp_rest.threads.waits import Wait


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


@pytest.fixture
def make(tmp_path: Path, database: FakeDatabase) -> Iterator[Make]:
    made: list[ClusterProcess] = []
    nodes: dict[str, FakeShared] = {}

    def make(node: str, *, may_own: bool = True) -> ClusterProcess:
        folder = tmp_path / node
        folder.mkdir(exist_ok=True)
        shared = nodes.setdefault(node, FakeShared(database))
        process = ClusterProcess(folder, node, shared, may_own=may_own).start()
        made.append(process)
        return process

    yield make
    for process in reversed(made):
        process.stop()


def test_a_call_runs_at_the_owner_from_whatever_process(make: Make) -> None:
    owner, beside, other, behind = make("web1"), make("web1"), make("web2"), make("web2")
    assert [each.inn.enter(str(i)) for i, each in enumerate((owner, beside, other, behind))] == [1, 2, 3, 4]
    assert owner.inn.guests == ["0", "1", "2", "3"]
    assert not other.inn.guests
    assert [each.group.is_leader for each in (owner, beside, other, behind)] == [True, False, False, False]
    assert [each.group.is_speaker for each in (owner, beside, other, behind)] == [True, False, True, False]
    assert owner.group.count == 4
    assert set(owner.group.followers) == {each.group.id for each in (beside, other, behind)}
    assert len({each.group.id for each in (owner, beside, other, behind)}) == 4
    assert [behind.group.id] == other.group.node_followers
    assert behind.group.has_others


def test_errors_and_long_arguments_come_over(make: Make) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    with pytest.raises(GatewayError) as caught:
        behind.inn.fail()
    assert caught.value.name == "storage-failed"
    behind.inn.enter("é" * 100_000)
    assert owner.inn.guests == ["é" * 100_000]


def test_what_is_of_the_node_runs_in_its_speaker(make: Make) -> None:
    owner, beside, other, behind = make("web1"), make("web1"), make("web2"), make("web2")
    assert behind.inn.take_room("attic") == ["attic"]
    assert other.inn.take_room("cellar") == ["attic", "cellar"]
    assert beside.inn.take_room("hall") == ["hall"]
    assert owner.inn.rooms == ["hall"]


def test_a_broadcast_reaches_every_process_once(make: Make, database: FakeDatabase) -> None:
    processes = [make("web1"), make("web1"), make("web2"), make("web2"), make("web3")]
    for process, colour in zip(processes, "abcde", strict=True):
        process.inn.paint(colour)
    for process in processes:
        until(lambda process=process: len(process.inn.colours) == 5)  # type: ignore[misc]
        assert sorted(process.inn.colours) == list("abcde")
    processes[3].inn.paint_node("f")
    until(lambda: processes[2].inn.colours[-1] == "f")
    assert all(len(process.inn.colours) == 5 for process in (processes[0], processes[1], processes[4]))
    assert processes[3].inn.colours.count("f") == 1


def test_what_is_published_crosses_once_for_a_node_that_listens(make: Make, database: FakeDatabase) -> None:
    owner, beside, other, behind, third = make("web1"), make("web1"), make("web2"), make("web2"), make("web3")
    for process in (beside, other, behind):
        process.remote.listen()
    already = len(database.sent)
    third.inn.say("the nurse")
    until(lambda: all(process.inn.heard == ["the nurse"] for process in (beside, other, behind)))
    assert sum("published" in payload for _, payload in database.sent[already:]) == 1
    assert not third.inn.heard
    owner.inn.whisper("the friar", [beside.group.id])
    owner.inn.whisper("Tybalt", [behind.group.id])
    until(lambda: behind.inn.heard[-1] == "Tybalt")
    assert "the friar" in beside.inn.heard
    assert "the friar" not in behind.inn.heard


def test_who_waits_no_more_ends_the_call_at_the_owner(make: Make) -> None:
    owner, beside, behind = make("web1"), make("web1"), (make("web2"), make("web2"))[1]
    assert [each.inn.wait(Wait(0.01)) for each in (owner, beside, behind)] == ["at once", "in the end", "in the end"]
    owner.inn.entered.clear()
    with pytest.raises(GatewayError) as caught:
        behind.inn.wait(Wait(60, owner.inn.entered.is_set))
    assert caught.value.name == "client-gone"
    assert owner.inn.ended.wait(30)


def test_a_process_that_goes_is_forgotten_at_the_owner(make: Make) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    first, second = other.group.id, behind.group.id
    behind.stop()
    until(lambda: owner.inn.gone == [second])
    assert other.inn.gone_on_node == [second]
    assert not other.inn.gone
    other.stop()
    until(lambda: owner.inn.gone == [second, first])
    assert not owner.group.followers


def test_the_next_owner_is_called_once_one_has_ended(make: Make) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    former = behind.group.id
    assert behind.inn.enter("Romeo") == 1
    owner.remote.hand_over()
    owner.stop()
    assert behind.inn.enter("Benvolio") == 1
    assert other.group.is_leader
    assert (other.inn.guests, other.inn.roles) == (["Benvolio"], [False, True])
    assert behind.inn.roles == [False, False]
    assert behind.group.id != former


def test_a_call_that_is_under_way_is_answered_before_the_owner_goes(make: Make) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(behind.inn.stay("Mercutio")))
    caller.start()
    assert owner.inn.entered.wait(30)
    handing = threading.Thread(target=owner.remote.hand_over)
    handing.start()
    owner.inn.hold.set()
    handing.join(30)
    caller.join(30)
    assert answers == ["Mercutio"]


def test_calls_under_way_fail_where_the_owner_is_cut_off(make: Make, database: FakeDatabase) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    caught: list[BaseException] = []

    def call() -> None:
        try:
            behind.inn.stay("Mercutio")
        except GatewayError as e:
            caught.append(e)

    caller = threading.Thread(target=call)
    caller.start()
    assert owner.inn.entered.wait(30)
    owner.shared.cut(is_noticed=True)  # type: ignore[attr-defined]
    caller.join(30)
    owner.inn.hold.set()
    assert isinstance(caught[0], Unanswered)
    until(lambda: behind.inn.enter("Benvolio") == 1)
    assert not owner.inn.guests


def test_after_a_lost_frame_the_node_begins_anew(make: Make, database: FakeDatabase) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    former = behind.group.id
    until(lambda: owner.group.has_follower(former))
    database.to_lose = 1
    with pytest.raises(GatewayError) as caught:
        behind.inn.enter("Romeo")
    assert caught.value.name == "unanswered"
    until(lambda: behind.group.id != former)
    assert behind.inn.enter("Benvolio") == 1
    until(lambda: former in owner.inn.gone)


def test_a_new_session_with_the_database_ends_streams_and_calls_go_on(make: Make, database: FakeDatabase) -> None:
    owner, behind = make("web1"), (make("web2"), make("web2"))[1]
    former = behind.group.id
    database.end_sessions()
    until(lambda: behind.group.id != former)
    assert behind.inn.enter("Benvolio") == 1
    assert owner.inn.guests == ["Benvolio"]


def test_a_node_that_is_silent_is_forgotten(make: Make) -> None:
    owner, other = make("web1"), make("web2", may_own=False)
    former = other.group.id
    until(lambda: owner.group.has_follower(former))
    other.shared.cut()  # type: ignore[attr-defined]
    until(lambda: owner.inn.gone == [former])
    other.shared.mend()  # type: ignore[attr-defined]
    until(lambda: other.group.id != former)
    assert other.inn.enter("Paris") == 1
