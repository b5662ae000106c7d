"""The end of an archive that does not end, or fails (service/sessions/listening/archive_tail.py)."""

from __future__ import annotations

import pytest

from tests.service.sessions.listening.scripted import JULIET, ROMEO
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.archive import ArchivedMessage, ArchiveFilter
from xmpp_rest.service.sessions.listening import archive_tail
from xmpp_rest.service.sessions.listening.archive_tail import ArchiveTail, went_back
from xmpp_rest.service.sessions.listening.heard import HeardMessage
from xmpp_rest.service.sessions.server_archive import OnPage
from xmpp_rest.service.sessions.server_query import ServerPage
from xmpp_rest.service.streams.stream import Event


def message(body: str, **attributes: str) -> HeardMessage:
    return HeardMessage(make("message", child("body", body), from_=ROMEO, to_=str(JULIET), **attributes), is_archived=True)


def kept(identifier: str, body: str) -> ArchivedMessage:
    return ArchivedMessage(identifier, 0.0, message(body).stanza)


class House:
    def __init__(self, *, has_successor: bool = False, succeeds: bool = False) -> None:
        self.asked: list[tuple[OnPage, str | None]] = []
        self.told: list[tuple[str, str]] = []
        self.lost: list[str] = []
        self.tail = ArchiveTail(
            JULIET, self._ask, self._tell, self.lost.append, lambda: 5.0, Incidents(), has_successor=has_successor, succeeds=succeeds
        )
        self.tail.begin("a")

    def _ask(self, done: OnPage, wanted: ArchiveFilter, limit: int, *, newest: bool = False) -> None:
        self.asked.append((done, wanted.after))

    def _tell(self, event: Event) -> None:
        self.told.append((event.id, event.stanza.findtext("body") or ""))

    def answer(self, *items: ArchivedMessage, last: str = "", complete: bool = True, error: GatewayError | None = None) -> None:
        done, _ = self.asked.pop()
        done(error or ServerPage(list(items), complete, last=last or (items[-1].id if items else "")))


@pytest.mark.parametrize("size", [10, 100_000])
def test_messages_do_not_wait_for_an_archive_without_end(size: int) -> None:
    house = House()
    bodies = [f"{number} {'x' * size}" for number in range(300)]
    for number, body in enumerate(bodies):
        house.tail.heard(message(body), hears_all=False)
        house.answer(last=f"b{number}", complete=False)
    assert len(house.asked) == 1
    assert house.told == [("", body) for body in bodies[: len(house.told)]]
    assert len(bodies) - len(house.told) <= min(archive_tail.MOST_HELD, archive_tail.MOST_BYTES // size)


def test_messages_that_say_the_same_are_told_one_by_one() -> None:
    house = House()
    for _ in range(2):
        house.tail.heard(message("ok"), hears_all=False)
    house.answer(error=GatewayError("server-silent"))
    assert house.told == [("", "ok")]
    house.tail.look()
    house.answer(error=GatewayError("server-silent"))
    assert house.told == [("", "ok")] * 2
    house.tail.look()
    house.answer(*(kept(identifier, "ok") for identifier in "bcd"))
    assert house.told == [("", "ok"), ("", "ok"), ("d", "ok")]


def test_many_messages_that_are_told_while_the_archive_fails_are_told_once() -> None:
    house = House()
    for number in range(500):
        house.tail.heard(message(str(number)), hears_all=False)
        house.answer(error=GatewayError("server-silent"))
    house.tail.look()
    house.answer(*(kept(f"b{number}", str(number)) for number in range(501)))
    assert len(house.told) == 501
    assert house.told[-1] == ("b500", "500")


def test_a_number_of_thousands_of_digits_is_none() -> None:
    assert went_back("2", [kept("1", "old")])
    assert not went_back("2", [kept("1" * 10_000, "new")])


def test_a_restart_forgets_what_waits() -> None:
    house = House()
    for _ in range(2):
        house.tail.heard(message("old"), hears_all=False)
    house.tail.restart()
    house.answer()
    house.tail.begin("c")
    house.tail.look()
    house.answer()
    assert house.told == []


def with_id(body: str, identifier: str) -> HeardMessage:
    return message(body)._replace(id=identifier)


@pytest.mark.parametrize("name", ["link-lost", "session-lost"])
def test_what_waits_when_it_is_over_is_left_to_the_archive(name: str) -> None:
    """Else a reader that comes back, at the next owner, would be told it again."""
    house = House(has_successor=True)
    house.tail.heard(with_id("last", "b"), hears_all=False)
    house.answer(error=GatewayError(name))
    assert house.told == []
    house.tail.look()
    house.answer(kept("b", "last"))
    assert house.told == [("b", "last")]


def test_what_comes_behind_the_answer_that_has_it_is_left_to_who_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(succeeds=True)
    house.tail.heard(with_id("before the place", "a"), hears_all=False)
    house.answer()
    assert house.told == []
    monkeypatch.setattr(house.tail, "_settled", 0.0)
    house.tail.heard(with_id("not archived yet", "b"), hears_all=False)
    house.answer()
    assert house.told == [("", "not archived yet")]


@pytest.mark.parametrize("hears_all", [True, False])
def test_what_was_left_out_is_looked_for_once_it_has_settled(monkeypatch: pytest.MonkeyPatch, hears_all: bool) -> None:
    """Also where nothing else has the archive read before the next message."""
    monkeypatch.setattr(archive_tail, "SETTLES", 3600.0)
    house = House(succeeds=True)
    house.tail.heard(with_id("archived in a moment", "b"), hears_all=False)
    house.answer()
    assert house.told == []
    assert not house.tail.is_due(hears_all=hears_all)
    monkeypatch.setattr(house.tail, "_settled", 0.0)
    assert house.tail.is_due(hears_all=hears_all)
    house.tail.look()
    house.answer(kept("b", "archived in a moment"))
    assert house.told == [("b", "archived in a moment")]
    assert not house.tail.is_due(hears_all=hears_all)


@pytest.mark.parametrize("name", ["", "link-lost", "session-lost"])
def test_nothing_is_left_to_a_later_look_where_no_session_is_handed_over(name: str) -> None:
    """As one machine has always told: at once, whatever the archive says."""
    house = House()
    house.tail.heard(with_id("not archived yet", "b"), hears_all=False)
    house.answer(error=GatewayError(name) if name else None)
    assert house.told == [("", "not archived yet")]
