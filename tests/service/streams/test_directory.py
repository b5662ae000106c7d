"""The list of open streams has those of the processes that there are, and no others (service/streams/directory.py)."""

from __future__ import annotations

from tests.processes.memory import processes
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.directory import Directory, OpenStream

JULIET = parse_jid("juliet@capulet.example")
BALCONY = OpenStream(JULIET._replace(resource="balcony"), "192.0.2.1", 4711, 1.5)


def test_the_leader_lists_the_streams_of_every_process() -> None:
    leader, follower = processes(2)
    of_leader, of_follower = Directory(leader, list), Directory(follower, lambda: [BALCONY])
    leader.start()
    follower.start()
    of_follower.report()
    assert of_leader.all() == of_follower.all() == [BALCONY]
    assert (of_leader.count_elsewhere(JULIET), of_follower.count_elsewhere(JULIET)) == (1, 0)
    follower.stop()
    assert of_leader.all() == []


def test_a_report_that_comes_late_is_ignored() -> None:
    """It would stay for as long as the leader does: that of a follower that has gone, or that has become the leader meanwhile."""
    leader, follower = processes(2)
    of_leader, _ = Directory(leader, lambda: [BALCONY]), Directory(follower, list)
    leader.start()
    follower.start()
    former = follower.group.id
    follower.stop()
    of_leader._report(former, 1, [BALCONY])
    of_leader._report(leader.group.id, 1, [BALCONY])
    assert of_leader.all() == [BALCONY]
    assert of_leader.count_elsewhere(JULIET) == 0
    assert not of_leader.is_open_elsewhere(JULIET)


def test_an_earlier_report_that_comes_after_a_later_one_is_ignored() -> None:
    leader, follower = processes(2)
    of_leader, _ = Directory(leader, list), Directory(follower, list)
    leader.start()
    follower.start()
    of_leader._report(follower.group.id, 2, [BALCONY])
    of_leader._report(follower.group.id, 1, [])
    assert of_leader.all() == [BALCONY]
