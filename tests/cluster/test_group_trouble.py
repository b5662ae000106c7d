"""What goes wrong between nodes costs what it must, and nothing else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.shared import channel_of
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.cluster.nodes import DOMAIN, ClusterProcess, Inn, Make
from tests.link.attached import until
from xmpp_rest.cluster import group, node_relay, speaker
from xmpp_rest.cluster.frames import Envelope, pack
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes import election
from xmpp_rest.processes.calls import LeaderClient
from xmpp_rest.threads.waits import Wait


@pytest.fixture
def database() -> FakeDatabase:
    return FakeDatabase()


@pytest.fixture
def make(tmp_path: Path, database: FakeDatabase) -> Iterator[Make]:
    made: list[ClusterProcess] = []
    nodes: dict[str, FakeShared] = {}

    def make(node: str, *, may_own: bool = True, starts: bool = True) -> ClusterProcess:
        folder = tmp_path / node
        folder.mkdir(exist_ok=True)
        shared = nodes.setdefault(node, FakeShared(database))
        process = ClusterProcess(folder, node, shared, may_own=may_own)
        made.append(process)
        return process.start() if starts else process

    yield make
    for process in reversed(made):
        process.inn.hold.set()
        process.stop()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long for there to be an owner."""
    for module in (election, group, node_relay):
        monkeypatch.setattr(module, "ROLE_TIMEOUT", 0.3)


def test_a_program_reaches_owner_and_node_from_any_node(make: Make, tmp_path: Path) -> None:
    owner, other = make("web1"), make("web2")
    client = LeaderClient(tmp_path / "web2")
    assert client.call(Inn.enter, guest="Romeo") == 1
    assert client.call(Inn.take_room, room="attic") == ["attic"]
    client.close()
    assert (owner.inn.guests, other.inn.rooms) == (["Romeo"], ["attic"])
    until(lambda: owner.group.followers == [other.group.id])


def test_a_program_waits_for_an_owner(make: Make, tmp_path: Path) -> None:
    owner, other = make("web1"), make("web2", may_own=False)
    owner.stop()
    until(lambda: other.keeper.owner is None)
    client = LeaderClient(tmp_path / "web2")
    assert client.call(Inn.take_room, room="attic") == ["attic"]
    answers: list[int] = []
    caller = threading.Thread(target=lambda: answers.append(client.call(Inn.enter, guest="Romeo")))
    caller.start()
    assert make("web1").group.is_leader
    caller.join(30)
    client.close()
    assert answers == [1]


@pytest.mark.usefixtures("impatient")
def test_without_an_owner_the_node_answers_for_itself_alone(make: Make, tmp_path: Path) -> None:
    other, behind = make("web2", may_own=False), make("web2", may_own=False)
    assert behind.inn.take_room("attic") == ["attic"]
    assert other.inn.take_room("cellar") == ["attic", "cellar"]
    for process in (other, behind):
        with pytest.raises(GatewayError) as caught:
            process.inn.enter("Romeo")
        assert caught.value.name == "link-down"
    assert not other.inn.guests + behind.inn.guests
    monitor = LeaderClient(tmp_path / "web2")
    with pytest.raises(GatewayError) as caught:
        monitor.call(Inn.enter, guest="Romeo")
    assert caught.value.name == "link-down"
    monitor.close()
    assert make("web1").group.is_leader
    until(lambda: behind.remote.follows() and behind.group.has_others)
    assert behind.inn.enter("Romeo") == 1


def test_a_speaker_that_goes_has_the_calls_of_its_node_answered(make: Make) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(behind.inn.stay("Mercutio")))
    caller.start()
    assert owner.inn.entered.wait(30)
    handing = threading.Thread(target=other.remote.hand_over)
    handing.start()
    owner.inn.hold.set()
    handing.join(30)
    caller.join(30)
    assert answers == ["Mercutio"]
    other.stop()
    assert behind.inn.enter("Benvolio") == 1
    assert behind.group.is_speaker
    assert behind.inn.take_room("attic") == ["attic"]
    until(lambda: owner.group.followers == [behind.group.id])


def test_an_owner_that_cannot_begin_tries_again(make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(speaker, "AFTER_FAILURE", 0.2)
    owner = make("web1", starts=False)
    owner.inn.fails_to_lead = True
    other = make("web2", may_own=False, starts=False)
    starting = threading.Thread(target=other.start)
    starting.start()
    owner.start()
    starting.join(30)
    assert other.inn.enter("Romeo") == 1
    assert "the node could not take its place" in caplog.text
    assert owner.inn.roles == [True]


def test_an_owner_that_stands_still_is_left_and_does_nothing_once_it_wakes(make: Make) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    assert isinstance(owner.shared, FakeShared)
    owner.shared.freeze()
    until(lambda: other.group.is_leader)
    assert behind.inn.enter("Benvolio") == 1
    owner.shared.thaw()
    until(lambda: not owner.keeper.may_write())
    assert behind.inn.enter("Romeo") == 2
    assert not owner.inn.guests


def test_nothing_that_is_heard_ends_a_node(make: Make, database: FakeDatabase, caplog: pytest.LogCaptureFixture) -> None:
    owner, other = make("web1"), make("web2")
    caplog.set_level(logging.DEBUG)
    stranger = FakeShared(database)
    ears = [channel_of(DOMAIN, each.keeper.identity.run) for each in (owner, other)]
    odd = [
        *pack("", 0, "stranger", ['{"closed":"nothing"}', '{"closed":[]}', '{"ready":[]}', "{}"]),
        *pack("unknown", 5, "stranger", ['{"on":"own","says":{"call":"join"}}']),
        *pack("mine", 1, "stranger", ['{"open":1}', '{"on":"own","says":{"call":"Inn.enter","arguments":{"guest":7,"odd":1},"number":1}}']),
        *pack("mine", 2, "stranger", ['{"on":"c","says":7}', '{"on":"c"}', '{"on":"c","says":{"call":"no such call","number":2}}']),
        *pack("mine", 3, "stranger", ['{"on":"c","says":{"call":"join","id":"me"}}']),
        "odd",
    ]
    stranger.notify([(ear, payload) for ear in ears for payload in odd])
    assert other.inn.enter("Romeo") > 0
    until(lambda: "me" in owner.group.followers)
    assert "me" not in other.group.followers
    until(lambda: owner.inn.gone == ["me"], 60)
    assert other.group.has_others


def test_a_frame_that_cannot_be_taken_costs_no_other_of_its_payload(make: Make, database: FakeDatabase) -> None:
    owner, other = make("web1"), make("web2")
    stranger = FakeShared(database)
    odd = pack("mine", 1, "stranger", ['{"open":1}', '{"on":"c","says":7}', '{"on":"c","says":{"call":"join","id":"me"}}'])
    assert len(odd) == 1
    stranger.notify([(channel_of(DOMAIN, owner.keeper.identity.run), odd[0])])
    until(lambda: "me" in owner.group.followers)
    line = other.group._relay.line
    assert line is not None
    told = [
        {"message": {"published": "of a later version", "arguments": {}}},
        {"message": {"published": "news", "arguments": {"news": "plague"}}},
    ]
    with pytest.raises(KeyError):
        line.take(Envelope(line.line.name, line.line._received + 1, "", told))
    assert other.inn.heard == ["plague"]


def test_a_node_that_is_not_served_asks_again(make: Make, database: FakeDatabase) -> None:
    owner, other = make("web1"), make("web2")
    former = other.group.id
    until(lambda: owner.group.has_follower(former))
    line = owner.group._followers  # the owner has it send no more
    for channel in tuple(line._connected):
        channel.close()
    until(lambda: other.group.id != former)
    assert other.inn.enter("Romeo") == 1
    until(lambda: owner.group.followers == [other.group.id])


def test_a_node_hears_no_more_of_a_process_that_is_cut_off(make: Make) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    former = behind.group.id
    until(lambda: owner.group.has_follower(former))
    channel = next(each for each, follower in owner.group._followers._connected.items() if follower.id == former)
    channel.close()
    until(lambda: behind.group.id != former)
    assert behind.inn.enter("Romeo") == 1
    until(lambda: former in owner.inn.gone)
    assert other.group.is_speaker


def test_a_group_that_has_ended_lets_nobody_wait(make: Make) -> None:
    other = make("web1")
    other.stop()
    begun = time.monotonic()
    assert not other.group.wait_for_leader()
    assert time.monotonic() - begun < 5


def test_what_fails_as_a_process_is_forgotten_costs_nothing_else(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")

    def odd(process: str) -> None:
        raise ZeroDivisionError(process)

    owner.remote.on_left(odd)
    former = behind.group.id
    until(lambda: owner.group.has_follower(former))
    behind.stop()
    until(lambda: "could not be forgotten" in caplog.text)
    assert other.inn.enter("Romeo") == 1
    assert owner.inn.roles == [True]


def test_a_killed_speaker_is_forgotten_once_the_next_one_speaks(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, other, behind = make("web1"), make("web2"), make("web2")
    former = other.group.id
    until(lambda: owner.group.has_follower(former))
    with monkeypatch.context() as killing:
        killing.setattr(other.group._speaker, "stop", other.keeper.stop)  # it says nothing
        other.remote.group.stop()
    assert behind.inn.enter("Romeo") == 1
    until(lambda: former in owner.inn.gone)
    until(lambda: owner.group.followers == [behind.group.id])


def test_a_call_waits_for_the_next_line_where_one_has_just_ended(make: Make) -> None:
    owner, other = make("web1"), make("web2")
    assert other.group._relay.line is not None
    other.group._relay.line.line.end("the test has cut it")
    assert other.inn.enter("Romeo") == 1
    assert owner.inn.guests == ["Romeo"]


def test_a_program_is_told_that_its_call_was_not_answered(make: Make, tmp_path: Path) -> None:
    owner, other = make("web1"), make("web2", may_own=False)
    client = LeaderClient(tmp_path / "web2")
    caught: list[str] = []

    def call() -> None:
        try:
            client.call(Inn.stay, guest="Romeo")
        except GatewayError as e:
            caught.append(e.name)

    caller = threading.Thread(target=call)
    caller.start()
    assert owner.inn.entered.wait(30)
    assert other.group._relay.line is not None
    other.group._relay.line.line.end("the test has cut it")
    caller.join(30)
    client.close()
    assert caught == ["unanswered"]


def test_a_program_that_goes_leaves_nothing_behind(make: Make, tmp_path: Path) -> None:
    owner, other = make("web1"), make("web2")
    client = LeaderClient(tmp_path / "web2")
    caller = threading.Thread(target=_ignore_end, args=(client,))
    caller.start()
    assert owner.inn.entered.wait(30)
    client.close()
    caller.join(30)
    assert owner.inn.ended.wait(30)
    until(lambda: not other.group._followers._passed_on)


def _ignore_end(client: LeaderClient) -> None:
    with suppress(ConnectionError):
        client.call(Inn.wait, wait=Wait(60))
