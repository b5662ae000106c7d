"""The lease as a node sees it: taken, kept, lost, released (many-machines §6), by a simulated clock."""

from __future__ import annotations

import pytest

from tests.cluster.simulated import SimulatedDatabase, SimulatedNode, pass_time
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.processes.loss import LossKind


@pytest.fixture
def database() -> SimulatedDatabase:
    return SimulatedDatabase()


@pytest.fixture
def one(database: SimulatedDatabase) -> SimulatedNode:
    return SimulatedNode(database, "one", lease="3")


@pytest.fixture
def other(database: SimulatedDatabase) -> SimulatedNode:
    return SimulatedNode(database, "other", offset=500, lease="3")


def owners(*nodes: SimulatedNode) -> list[str]:
    return [node.name for node in nodes if node.keeper.may_write()]


def test_the_first_node_takes_a_lease_that_nobody_had(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=0.5)
    assert owners(one, other) == ["one"]
    assert one.keeper.owner == other.keeper.owner == LeaseOwner("capulet.example", "one", "one/1", 1)
    assert one.keeper.holds
    assert not other.keeper.holds
    assert one.shared.fenced == ("one/1", 1)
    assert other.keeper.others() == {"one"}


def test_it_keeps_the_lease(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=60)
    assert owners(one, other) == ["one"]
    assert not one.losses


def test_a_killed_owner_is_followed_sooner_than_after_a_lease(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    pass_time(database, one, other, seconds=5)
    one.shared.break_session()
    pass_time(database, other, seconds=0.8)
    assert not owners(other)
    pass_time(database, other, seconds=0.5)
    assert owners(other) == ["other"]
    assert other.keeper.owner == LeaseOwner("capulet.example", "other", "other/1", 2)


def test_the_next_speaker_of_the_same_node_follows_at_once(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=5)
    one.end()
    pass_time(database, one, other, seconds=0.2)
    assert owners(one, other) == ["one"]
    assert one.keeper.owner == LeaseOwner("capulet.example", "one", "one/2", 2)


def test_a_silent_owner_whose_session_lives_is_followed_after_a_lease(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    pass_time(database, one, other, seconds=5)
    pass_time(database, other, seconds=2.5)
    assert not owners(one, other)  # frozen, and its time is over
    pass_time(database, other, seconds=1)
    assert owners(one, other) == ["other"]


def test_an_owner_that_was_frozen_gives_up_when_it_wakes(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=5)
    pass_time(database, other, seconds=10)
    pass_time(database, one, other, seconds=0.1)
    assert [loss.kind for loss in one.losses] == [LossKind.LOST]
    assert not one.keeper.holds
    pass_time(database, one, other, seconds=30)
    assert owners(one, other) == ["other"]
    assert len(one.losses) == 1


def test_an_owner_cut_off_from_the_database_ends_before_another_begins(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    pass_time(database, one, other, seconds=5)
    one.shared.is_cut = True
    pass_time(database, one, other, seconds=1)
    assert one.keeper.holds
    assert not one.keeper.may_write()  # but it may go on if it gets through
    pass_time(database, one, other, seconds=1.2)
    assert [loss.kind for loss in one.losses] == [LossKind.LOST]
    assert not owners(other)
    pass_time(database, one, other, seconds=1.5)
    assert owners(one, other) == ["other"]


def test_a_short_outage_of_the_database_hands_nothing_over(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=5)
    database.is_up = False
    database.restart()
    pass_time(database, one, other, seconds=1.5)
    assert not owners(one, other)
    database.is_up = True
    pass_time(database, one, other, seconds=0.2)
    assert owners(one, other) == ["one"]
    pass_time(database, one, other, seconds=30)
    assert owners(one, other) == ["one"]
    assert not one.losses


def test_a_long_outage_ends_the_owner_and_any_may_follow(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=5)
    database.is_up = False
    database.restart()
    pass_time(database, one, other, seconds=20)
    assert [loss.kind for loss in one.losses] == [LossKind.LOST]
    assert one.keeper.owner is other.keeper.owner is None
    database.is_up = True
    one.begin()
    pass_time(database, one, other, seconds=4)
    assert len(owners(one, other)) == 1


def test_a_lost_fence_ends_the_owner(database: SimulatedDatabase, one: SimulatedNode) -> None:
    pass_time(database, one, seconds=1)
    one.shared.on_lost()
    assert not one.keeper.may_write()
    assert [loss.kind for loss in one.losses] == [LossKind.LOST]


def test_a_lease_given_up_is_kept_until_the_end_and_then_anybodys(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    pass_time(database, one, other, seconds=1)
    assert one.keeper.give_up("it drains")
    assert not one.keeper.give_up("it drains")
    pass_time(database, one, other, seconds=5)
    assert owners(one, other) == ["one"]  # it hands over
    assert not one.keeper.holds
    one.keeper.stop()
    assert not owners(one)
    pass_time(database, other, seconds=0.2)
    assert owners(other) == ["other"]


def test_a_node_that_does_not_own_can_give_nothing_up(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=1)
    assert not other.keeper.give_up("it drains")
    assert not other.keeper.move_to("one")


def test_a_node_that_is_to_serve_http_alone_never_owns(database: SimulatedDatabase, one: SimulatedNode) -> None:
    page = SimulatedNode(database, "page", lease="3", may_own="no")
    pass_time(database, page, seconds=10)
    assert not owners(page)
    pass_time(database, page, one, seconds=0.5)
    assert owners(page, one) == ["one"]
    assert not one.keeper.move_to("page")


def test_of_two_with_one_id_the_later_goes_on(database: SimulatedDatabase, one: SimulatedNode) -> None:
    pass_time(database, one, seconds=5)
    copy = SimulatedNode(database, "one", offset=7, lease="3")
    copy.runs += 10
    copy.begin()
    pass_time(database, copy, one, seconds=5)
    assert [loss.kind for loss in one.losses] == [LossKind.DISPLACED]
    assert "node.id" in one.losses[0].reason
    assert not copy.losses
    pass_time(database, copy, one, seconds=5)
    assert not one.keeper.may_write()
    assert copy.keeper.may_write()


def test_a_look_that_outlasts_the_end_takes_the_next_speaker_for_no_copy(database: SimulatedDatabase, one: SimulatedNode) -> None:
    pass_time(database, one, seconds=5)
    former = one.keeper
    former.stop()
    one.begin()
    pass_time(database, one, seconds=5)
    former.turn()  # the database was slow
    assert one.losses == []
    pass_time(database, one, seconds=5)
    assert owners(one) == ["one"]


def test_a_copied_folder_is_known_under_another_name_as_well(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=5)
    copy = SimulatedNode(database, "copy", offset=7, folder="one", lease="3")
    pass_time(database, copy, one, other, seconds=8)
    assert [loss.kind for loss in one.losses] == [LossKind.DISPLACED]
    assert "node.id" in one.losses[0].reason
    assert set(database.rows) == {"other", "copy"}
    assert not one.keeper.may_write()
    assert copy.losses == other.losses == []
    assert copy.keeper.may_write() or other.keeper.may_write()


def test_a_lease_is_moved_to_the_node_that_was_named(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    third = SimulatedNode(database, "third", offset=3, lease="3")
    pass_time(database, one, other, third, seconds=1)
    assert one.keeper.move_to("third")
    one.keeper.stop()
    one.begin()
    pass_time(database, one, other, third, seconds=1)
    assert owners(one, other, third) == ["third"]


def test_a_lease_for_a_node_that_does_not_come_is_taken_by_another(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    third = SimulatedNode(database, "third", offset=3, lease="3")
    pass_time(database, one, other, third, seconds=1)
    assert one.keeper.move_to("third")
    one.keeper.stop()
    one.begin()
    pass_time(database, one, other, seconds=2)
    assert not owners(one, other)
    pass_time(database, one, other, seconds=2)
    assert len(owners(one, other)) == 1


def test_a_node_that_rests_takes_a_lease_only_where_nobody_else_does(
    database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode
) -> None:
    pass_time(database, one, other, seconds=1)
    assert one.keeper.give_up("it cannot reach the XMPP server", rest=300)
    one.keeper.stop()
    one.begin()  # the next speaker knows
    pass_time(database, one, other, seconds=5)
    assert owners(one, other) == ["other"]
    assert other.keeper.others() == set()
    other.shared.break_session()
    pass_time(database, one, seconds=5)
    assert not owners(one)
    pass_time(database, one, seconds=5)
    assert owners(one) == ["one"]


def test_a_node_that_has_rested_is_a_candidate_again(database: SimulatedDatabase, one: SimulatedNode, other: SimulatedNode) -> None:
    pass_time(database, one, other, seconds=1)
    one.keeper.give_up("it cannot reach the XMPP server", rest=10)
    one.keeper.stop()
    one.begin()
    pass_time(database, one, other, seconds=11)
    assert other.keeper.others() == {"one"}
