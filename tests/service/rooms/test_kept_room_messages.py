"""The last messages of each room are kept, and are read page by page (service/rooms/kept_room_messages.py)."""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import ArchiveItem, Driver, ItemNotFound
from tests.conftest import OpenDriver
from tests.processes.memory import alone
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter, Page
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.rooms import kept_ends
from xmpp_rest.service.rooms.kept_room_messages import AFTERWARDS, KeptRoomMessages, is_kept
from xmpp_rest.service.streams.stream import OWN, Event
from xmpp_rest.service.streams.timeline import HEARD_STORE, AccountTimeline, HeardId

JULIET, DOMAIN = parse_jid("juliet@capulet.example"), parse_jid("capulet.example")
GARDEN, HALL = parse_jid("garden@conference.example"), parse_jid("hall@conference.example")


class Shelf:
    """KeptRoomMessages messages over a storage."""

    def __init__(self, driver: Driver, keep: int = 5) -> None:
        self.driver = driver
        self.heard = Archive(driver, HEARD_STORE)
        self.kept = KeptRoomMessages(self.heard, driver, keep)
        self.clock = MonotonicClock()

    def hear(self, body: str, room: JID = GARDEN, actor: JID = JULIET, *, is_own: bool = False) -> str:
        when = self.clock.tick()
        text = f"<message from='{room}/romeo' to='{actor}/x' type='groupchat'><body>{body}</body></message>"
        item = ArchiveItem(HeardId(when, is_own).write(), when, str(room), text)
        assert self.kept.add({actor: [item]}) == [None]
        self.kept.prune(actor, room, 1)
        return item.id


@pytest.fixture
def shelf(driver: Driver) -> Shelf:
    return Shelf(driver)


def bodies(page: Page) -> list[str | None]:
    return [kept.stanza.findtext("body") for kept in page.items]


def test_the_oldest_of_each_room_go(shelf: Shelf) -> None:
    for n in range(8):
        shelf.hear(str(n))
    shelf.hear("x", HALL)
    assert bodies(shelf.kept.find(JULIET, GARDEN, 50)) == ["3", "4", "5", "6", "7"]
    assert bodies(shelf.kept.find(JULIET, HALL, 50)) == ["x"]
    again = Shelf(shelf.driver)  # another process goes on
    again.hear("8")
    assert bodies(again.kept.find(JULIET, GARDEN, 50)) == ["4", "5", "6", "7", "8"]


@pytest.mark.parametrize("url", ["jsonfile:data", "flatfile:data", "sqlite:x.sqlite"])
def test_what_waits_for_its_removal_is_not_shown(url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    shelf = Shelf(open_driver(url, tmp_path), keep=16)
    ids = [shelf.hear(str(n)) for n in range(17)]
    assert shelf.heard.count(JULIET, ArchiveFilter(partner=GARDEN)) == 17
    assert len(shelf.kept.find(JULIET, GARDEN, 50).items) == 16
    assert bodies(shelf.kept.find(JULIET, GARDEN, 2, after=ids[0])) == ["1", "2"]
    for n in range(17, 19):
        shelf.hear(str(n))
    assert shelf.heard.count(JULIET, ArchiveFilter(partner=GARDEN)) == 16


def test_pages(shelf: Shelf) -> None:
    ids = [shelf.hear(str(n)) for n in range(5)]

    def find(limit: int, **wanted: str) -> tuple[list[str | None], bool]:
        page = shelf.kept.find(JULIET, GARDEN, limit, **wanted)
        return bodies(page), page.complete

    assert find(2) == (["3", "4"], False)
    assert find(2, before=ids[3]) == (["1", "2"], False)
    assert find(3, before=ids[3]) == (["0", "1", "2"], True)
    assert find(2, after=ids[1]) == (["2", "3"], False)
    assert find(9, after=ids[4]) == ([], True)
    for n in range(5, 9):
        shelf.hear(str(n))
    assert find(2, after=ids[0]) == (["4", "5"], False)  # that one is gone
    with pytest.raises(ItemNotFound):
        shelf.kept.find(JULIET, GARDEN, 2, after="nonsense")


def test_own_messages_are_known_again(shelf: Shelf) -> None:
    shelf.hear("mine", is_own=True)
    shelf.hear("theirs")
    assert [message.findtext("body") for message in shelf.kept.own_messages(JULIET, GARDEN, 1000)] == ["mine"]


def test_the_domain_itself_may_be_an_actor(shelf: Shelf) -> None:
    shelf.hear("to the gateway", actor=DOMAIN)
    assert bodies(shelf.kept.find(DOMAIN, GARDEN, 50)) == ["to the gateway"]
    assert bodies(shelf.kept.find(JULIET, GARDEN, 50)) == []


def test_they_go_30_days_after_the_membership(shelf: Shelf) -> None:
    for room in (GARDEN, HALL):
        shelf.hear("x", room)
    shelf.hear("y", actor=DOMAIN)

    def expire(now: float, holds: Callable[[JID, JID], bool]) -> int:
        return shelf.kept.expire(now, holds, DOMAIN.domain)

    assert expire(1000.0, lambda _actor, room: room == HALL) == 0  # that of the garden is seen to have ended
    assert expire(1000.0 + AFTERWARDS - 1, lambda _actor, room: room == HALL) == 0
    assert expire(1000.0 + AFTERWARDS, lambda _actor, room: room == HALL) == 2
    assert bodies(shelf.kept.find(JULIET, GARDEN, 50)) == []
    assert bodies(shelf.kept.find(DOMAIN, GARDEN, 50)) == []
    assert bodies(shelf.kept.find(JULIET, HALL, 50)) == ["x"]
    shelf.hear("again", GARDEN)
    assert expire(5000.0 + AFTERWARDS, lambda _actor, _room: False) == 0
    assert expire(5000.0 + AFTERWARDS, lambda _actor, _room: True) == 0  # both are back
    assert expire(6000.0 + 2 * AFTERWARDS, lambda _actor, _room: False) == 0
    assert bodies(shelf.kept.find(JULIET, GARDEN, 50)) == ["again"]


def test_a_new_account_of_the_same_name_begins_with_nothing(shelf: Shelf) -> None:
    for n in range(6):
        shelf.hear(str(n))
    shelf.driver.purge(JULIET.local, JULIET.domain)
    shelf.kept.removed(JULIET)
    shelf.hear("again")
    assert bodies(shelf.kept.find(JULIET, GARDEN, 50)) == ["again"]


def test_the_leader_looks_for_what_is_over(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_ends, "FIRST", 0.01)
    monkeypatch.setattr(kept_ends, "EVERY", 0.01)
    looked: queue.SimpleQueue[tuple[JID, JID]] = queue.SimpleQueue()
    shelf.hear("x")
    remote = alone()
    kept_ends.KeptEnds(shelf.kept, lambda actor, room: looked.put((actor, room)) is None, DOMAIN.domain, remote, Incidents())
    remote.start()
    assert [looked.get(timeout=30) for _ in range(3)] == [(JULIET, GARDEN)] * 3
    remote.stop()


def test_events_of_rooms_reach_other_processes() -> None:
    event = Event("", 1.5, parse_text(f"<message from='{GARDEN}/romeo'><body>x</body></message>"), room=OWN)
    carried = Event.from_json(event.to_json())
    assert (carried.room, carried.when, carried.stanza.findtext("body")) == (OWN, 1.5, "x")


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        ("<body>x</body>", True),
        ("<subject/>", True),
        ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", True),
        ("<active xmlns='http://jabber.org/protocol/chatstates'/><body>x</body>", True),
        ("<composing xmlns='http://jabber.org/protocol/chatstates'/>", False),
        (
            "<composing xmlns='http://jabber.org/protocol/chatstates'/><stanza-id xmlns='urn:xmpp:sid:0' by='a' id='b'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='c'/>",
            False,
        ),
        ("<body>x</body><no-store xmlns='urn:xmpp:hints'/>", False),
        ("<thread>t</thread>", False),
        ("", False),
    ],
)
def test_what_is_kept(inner: str, wanted: bool) -> None:
    assert is_kept(parse_text(f"<message type='groupchat'>{inner}</message>")) is wanted


def test_a_timeline_has_mail_and_rooms_in_one_order(shelf: Shelf) -> None:
    mail = Archive(shelf.driver)
    timeline = AccountTimeline(mail, shelf.heard)
    assert timeline.last_id(JULIET) == ""
    ids = []
    for n in range(10):
        if n % 3:
            ids.append(shelf.hear(str(n)))
        else:
            ids.append(
                mail.keep(
                    JULIET,
                    f"<message from='nurse@capulet.example'><body>{n}</body></message>",
                    shelf.clock.tick(),
                    parse_jid("nurse@capulet.example"),
                )
            )
    kept = [0, 2, 3, 4, 5, 6, 7, 8, 9]  # the oldest of the room has gone, but no mail
    assert [item.stanza.findtext("body") for item in timeline.after(JULIET, "", 100)] == [str(n) for n in kept]
    for n, last in enumerate(ids):
        for limit in (1, 3, 100):
            assert [item.id for item in timeline.after(JULIET, last, limit)] == [ids[k] for k in kept if k > n][:limit]
    assert timeline.last_id(JULIET) == ids[9]
    assert set(timeline.before(JULIET, ids[9], 50)) == {ids[k] for k in kept[:-1]}
    with pytest.raises(ItemNotFound):
        timeline.before(JULIET, "unknown", 50)
    with pytest.raises(ItemNotFound):
        timeline.after(JULIET, "unknown", 50)
