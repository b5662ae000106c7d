"""What other owners have passed on is handled as what comes in over the link: in order, answered, and refused where it cannot be."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple
from xml.etree.ElementTree import Element

import pytest

from drivers import StorageError
from tests.link.attached import until
from tests.processes.memory import alone
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link import awaited_owners
from xmpp_rest.link.inbound_queue import InboundQueue
from xmpp_rest.link.passed_stanzas import ASKS, PassedStanzas
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.link.stanza_names import head_in
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.remote import THREADS, Remote
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.held_back import HeldBack, Way
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import child, make, refusal, result
from xmpp_rest.threads.waits import Wait

ACCOUNTS, ROOMS = "capulet.example", "conference.capulet.example"
JULIET, PARK = f"juliet@{ACCOUNTS}", f"park@{ROOMS}"


class Text(NamedTuple):
    text: str


class Kept:
    """The way to the other owner, which keeps what is passed on."""

    def __init__(self) -> None:
        self.passed: list[tuple[str, Element]] = []
        self.later: list[tuple[str, str]] = []
        self.error: GatewayError | None = None
        self.has_owner = True
        self.calls = self.looks = self.answers = 0

    def pass_on(self, domain: str, texts: Sequence[str], request_ids: Sequence[str], *, is_answer: bool = False) -> None:
        self.calls += 1
        self.answers += is_answer
        assert len(texts) == len(request_ids)
        if self.error is not None:
            raise self.error
        self.passed += [(domain, parse_stored(text)) for text in texts]

    def pass_on_later(self, domain: str, texts: Sequence[str], request_ids: Sequence[str]) -> None:
        self.later += [(domain, parse_stored(text).get("id", "")) for text in texts]

    def is_owned(self, domain: str) -> bool:
        self.looks += 1
        return self.has_owner


class Owners:
    """The routers of two owners: what each passes on can be handed to the other."""

    def __init__(self) -> None:
        self.ways = {ACCOUNTS: Kept(), ROOMS: Kept()}
        self.remotes: dict[str, Remote] = {}
        self.routers = {own: self.router(own) for own in (ACCOUNTS, ROOMS)}
        for router in self.routers.values():
            router.beyond.are(self.routers)
        self.heard: list[str] = []
        self.together: list[int] = []
        self.failing: Exception | None = None
        self.fails_once: dict[str, Exception] = {}  # by id
        self.refuses = False
        self.routers[ACCOUNTS].subscribe(ACCOUNTS, self._hear)
        self.routers[ACCOUNTS].accept_together(self._together)
        self.routers[ROOMS].subscribe(ROOMS, self._answer)

    def router(self, own: str) -> Router:
        domains = frozenset((ACCOUNTS, ROOMS))
        remote = self.remotes[own] = alone()
        return Router(domains, Pending(100), remote, None, frozenset((ROOMS,)), (), Incidents(), frozenset((own,)), self.ways[own])

    @contextmanager
    def _together(self, stanzas: Sequence[Element]) -> Iterator[dict[int, Exception]]:
        self.together.append(len(stanzas))
        yield {}

    def _hear(self, stanza: Element, _sender: JID, _to: JID) -> None:
        if self.failing is not None:
            raise self.failing
        if (error := self.fails_once.pop(stanza.get("id", ""), None)) is not None:
            raise error
        self.heard.append(stanza.get("id", ""))

    def _answer(self, stanza: Element, _sender: JID, _to: JID) -> Element | None:
        if self.refuses:
            return refusal(stanza, stanza_error("item-not-found"))
        return result(stanza, child("{urn:example}x")) if stanza.tag == "iq" else None

    def texts(self, own: str) -> list[Text]:
        """What this owner has passed on."""
        passed, self.ways[own].passed = self.ways[own].passed, []
        return [Text(serialise(stanza)) for _, stanza in passed]

    def carry(self, own: str) -> list[Exception | None]:
        """Hand what this owner has passed on to the other."""
        passed, self.ways[own].passed = self.ways[own].passed, []
        (domain,) = {domain for domain, _ in passed}
        return PassedStanzas(self.routers[domain], Incidents()).take([Text(serialise(stanza)) for _, stanza in passed], set())


def message(identifier: str, kind: str = "chat", sender: str = f"{PARK}/nurse") -> Element:
    return make("message", child("body", "x"), from_=sender, to_=JULIET, type_=kind, id_=identifier)


@pytest.fixture
def owners() -> Owners:
    return Owners()


def test_stanzas_stay_in_order_and_those_that_are_kept_share_a_commit(owners: Owners) -> None:
    rooms = owners.routers[ROOMS]
    stanzas = [message("1"), message("2"), message("3", "groupchat"), message("4")]
    assert rooms.send_each(stanzas) == [None] * 4
    assert rooms.send(make("presence", from_=f"{PARK}/nurse", to_=JULIET, id_="5")) is None
    assert owners.heard == []
    assert owners.carry(ROOMS) == [None] * 5
    assert owners.heard == ["1", "2", "3", "4", "5"]
    assert owners.together == [2, 0, 0, 0]


def test_an_iq_is_answered_by_the_other_owner(owners: Owners) -> None:
    answers: list[object] = []
    iq = make("iq", child("{urn:example}q"), from_=JULIET, to_=PARK, type_="get", id_="q1")
    owners.routers[ACCOUNTS].begin_ask(answers.append, iq, Wait(20))
    until(lambda: bool(owners.ways[ACCOUNTS].passed))
    owners.carry(ACCOUNTS)
    owners.carry(ROOMS)
    ((answer, collected),) = answers  # type: ignore[misc]
    assert (answer.get("type"), answer.get("from"), collected) == ("result", PARK, [])  # type: ignore[has-type]


def test_an_iq_needs_an_owner_and_a_message_does_not(owners: Owners, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaited_owners, "ROLE_TIMEOUT", 0.2)
    owners.ways[ACCOUNTS].has_owner = False
    accounts = owners.routers[ACCOUNTS]
    with pytest.raises(GatewayError, match=f"Nobody owns {ROOMS} now"):
        accounts.ask(make("iq", child("{urn:example}q"), from_=JULIET, to_=PARK, type_="get", id_="q1"), Wait(20))
    assert accounts.send(make("message", from_=JULIET, to_=PARK, type_="groupchat", id_="m1")) is None
    assert len(owners.ways[ACCOUNTS].passed) == 1


def question(identifier: str) -> Element:
    return make("iq", child("{urn:example}q"), from_=JULIET, to_=PARK, type_="get", id_=identifier)


def test_iqs_that_wait_for_an_owner_hold_up_no_deferred_call(owners: Owners) -> None:
    """More of them than there are threads; all are sent once there is an owner, but for those that nobody waits for any more."""
    owners.ways[ACCOUNTS].has_owner = False
    accounts, answers = owners.routers[ACCOUNTS], list[object]()
    ends = [accounts.begin_ask(answers.append, question(f"q{n}"), Wait(60)) for n in range(THREADS + 8)]
    accounts.begin_ask(answers.append, question("short"), Wait(0.1))
    done = threading.Event()
    owners.remotes[ACCOUNTS].pool.submit(done.set)
    assert done.wait(5)
    ends[0]()  # its client has gone
    until(lambda: len(answers) == 2)
    assert owners.ways[ACCOUNTS].passed == []
    owners.ways[ACCOUNTS].has_owner = True
    until(lambda: len(owners.ways[ACCOUNTS].passed) == THREADS + 7)
    assert {stanza.get("id") for _, stanza in owners.ways[ACCOUNTS].passed} == {f"q{n}" for n in range(1, THREADS + 8)}


def test_an_iq_waits_for_an_owner_in_its_own_thread_as_well(owners: Owners) -> None:
    owners.ways[ACCOUNTS].has_owner = False
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(owners.routers[ACCOUNTS].ask, question("q1"), Wait(20))
        until(lambda: owners.ways[ACCOUNTS].looks > 1)
        owners.ways[ACCOUNTS].has_owner = True
        until(lambda: bool(owners.ways[ACCOUNTS].passed))
        owners.carry(ACCOUNTS)
        owners.carry(ROOMS)
        assert asked.result(20)[0].get("type") == "result"


def test_who_asks_whether_all_was_handled_is_answered_behind_it(owners: Owners) -> None:
    owners.routers[ROOMS].send(message("1"))
    owners.routers[ROOMS].send(make("iq", child(ASKS), from_=ROOMS, to_=ACCOUNTS, type_="get", id_="h1"))
    owners.carry(ROOMS)
    assert owners.heard == ["1"]
    ((domain, answer),) = owners.ways[ACCOUNTS].passed
    assert (domain, answer.get("type"), answer.get("id"), answer.get("to")) == (ROOMS, "result", "h1", ROOMS)


def test_what_cannot_be_accepted_is_told_and_refused_if_that_lasts(owners: Owners) -> None:
    owners.failing = StorageError("the disk is full")
    owners.routers[ROOMS].send(message("1", sender=ROOMS))
    assert owners.carry(ROOMS) == [owners.failing]
    passed = PassedStanzas(owners.routers[ACCOUNTS], Incidents())
    passed.refuse(Text(serialise(make("message", from_=f"romeo@{ACCOUNTS}", to_=JULIET, type_="error"))))
    passed.refuse(Text("<message"))
    assert passed.take([Text("<message"), Text(serialise(message("2")))], set())[0] is None  # what cannot be read never can be
    rooms = PassedStanzas(owners.routers[ROOMS], Incidents())
    rooms.refuse(Text(serialise(make("message", from_=JULIET, to_=PARK, type_="groupchat", id_="m1"))))
    ((domain, error),) = owners.ways[ROOMS].passed
    assert (domain, error.get("type"), error.get("to"), error.get("id")) == (ACCOUNTS, "error", JULIET, "m1")


def test_what_is_from_a_domain_of_another_owner_is_sent_by_that(owners: Owners) -> None:
    accounts = owners.routers[ACCOUNTS]
    assert accounts.send(message("1")) is None
    assert accounts.send_out(ROOMS, [message("2")], [serialise(message("2"))]) == ()
    assert accounts.send_each([message("3"), message("4")]) == [None, None]
    assert [stanza.get("id") for _, stanza in owners.ways[ROOMS].passed] == ["1", "2", "3", "4"]
    assert owners.ways[ACCOUNTS].passed == []


def test_each_of_many_says_why_it_is_not_kept(owners: Owners) -> None:
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    results = owners.routers[ROOMS].send_each([message("1"), message("2")])
    assert [isinstance(each, GatewayError) for each in results] == [True, True]


def test_what_follows_a_stanza_that_fails_on_its_way_waits_behind_it(owners: Owners) -> None:
    owners.fails_once = {"1": StorageError("a moment")}
    rooms, other = owners.routers[ROOMS], f"yard@{ROOMS}/nurse"
    for stanza in (message("1", "groupchat"), message("2", sender=f"{PARK}/friar"), message("3", sender=other), message("4", "groupchat")):
        rooms.send(stanza)
    taker, texts, held = PassedStanzas(owners.routers[ACCOUNTS], Incidents()), owners.texts(ROOMS), set[Way]()
    failed, behind, none, last = taker.take(texts, held)
    assert (owners.heard, none, held) == (["3"], None, {(PARK, JULIET)})
    assert isinstance(failed, StorageError)
    assert isinstance(behind, HeldBack)
    assert isinstance(last, HeldBack)
    assert isinstance(taker.take(texts[3:], held)[0], HeldBack)  # those that are handled after these
    assert taker.take([texts[0], texts[1], texts[3]], set()) == [None] * 3
    assert owners.heard == ["3", "1", "2", "4"]


def test_who_asks_is_not_answered_while_something_fails(owners: Owners) -> None:
    owners.fails_once = {"1": StorageError("a moment")}
    owners.routers[ROOMS].send(message("1"))
    owners.routers[ROOMS].send(make("iq", child(ASKS), from_=ROOMS, to_=ACCOUNTS, type_="get", id_="h1"))
    taker, texts = PassedStanzas(owners.routers[ACCOUNTS], Incidents()), owners.texts(ROOMS)
    assert isinstance(taker.take(texts, set())[1], HeldBack)
    assert owners.ways[ACCOUNTS].passed == []
    assert taker.take(texts, set()) == [None, None]
    ((_, answer),) = owners.ways[ACCOUNTS].passed
    assert (answer.get("type"), answer.get("id")) == ("result", "h1")


def test_what_is_refused_counts_as_failed_until_its_sender_can_be_told(owners: Owners) -> None:
    """Or the answer behind it would say that it was accepted."""
    accounts = owners.routers[ACCOUNTS]
    accounts.send(make("message", child("body", "x"), from_=JULIET, to_="nobody@" + ROOMS, type_="groupchat", id_="m1"))
    accounts.send(make("iq", child(ASKS), from_=ACCOUNTS, to_=ROOMS, type_="get", id_="h1"))
    owners.refuses = True
    taker, texts = PassedStanzas(owners.routers[ROOMS], Incidents()), owners.texts(ACCOUNTS)
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    failed, behind = taker.take(texts, set())
    assert isinstance(failed, GatewayError)
    assert isinstance(behind, HeldBack)
    owners.ways[ROOMS].error = None
    assert taker.take(texts, set()) == [None, None]
    assert [(each.get("type"), each.get("id")) for _, each in owners.ways[ROOMS].passed] == [("error", "m1"), ("result", "h1")]
    assert owners.ways[ROOMS].answers == owners.ways[ROOMS].calls  # there is always room for them
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    assert isinstance(taker.take(texts[1:], set())[0], GatewayError)  # so it is asked again, and not for nothing
    assert isinstance(taker.refuse(texts[0]), GatewayError)


def test_an_answer_that_all_is_handled_waits_behind_what_fails(owners: Owners) -> None:
    owners.fails_once = {"1": StorageError("a moment")}
    rooms = owners.routers[ROOMS]
    rooms.send(make("message", from_=PARK, to_=JULIET, type_="error", id_="1"))
    rooms.send(result(make("iq", from_=ACCOUNTS, to_=ROOMS, type_="get", id_="h1"), child(ASKS)))
    taker, texts = PassedStanzas(owners.routers[ACCOUNTS], Incidents()), owners.texts(ROOMS)
    assert isinstance(taker.take(texts, set())[1], HeldBack)
    assert taker.take(texts, set()) == [None, None]


def test_what_cannot_be_read_is_refused(owners: Owners) -> None:
    stanza = make("message", child("body", "x"), from_=f"{JULIET}/a'b", to_=PARK, type_="groupchat", id_="<m&1>")
    stanza.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    whole = serialise(stanza)
    assert head_in(whole) is not None
    torn, held = whole.replace("</body>", ""), set[Way]()
    taker = PassedStanzas(owners.routers[ROOMS], Incidents())
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    assert isinstance(taker.take([Text(torn)], held)[0], GatewayError)
    assert held == {(PARK, JULIET)[::-1]}
    owners.ways[ROOMS].error = None
    assert taker.take([Text(torn), Text("<message")], set()) == [None, None]
    ((domain, error),) = owners.ways[ROOMS].passed
    told = (error.get("type"), error.get("to"), error.get("from"), error.get("id"))
    assert (domain, *told) == (ACCOUNTS, "error", f"{JULIET}/a'b", PARK, "<m&1>")


def test_rooms_wait_for_the_disk_at_the_same_time_and_each_hears_in_order(owners: Owners) -> None:
    names = ("park", "yard", "hall")
    meet, heard = threading.Barrier(len(names)), {f"{name}@{ROOMS}": list[str]() for name in names}

    def hear(stanza: Element, _sender: JID, to: JID) -> Element | None:
        meet.wait(20)  # as rooms that share a commit
        heard[str(to.bare)].append(stanza.get("id", ""))
        return refusal(stanza, stanza_error("forbidden")) if to.local == "hall" else None

    rooms = owners.router(ROOMS)
    rooms.subscribe(ROOMS, hear)
    stanzas = [make("message", from_=JULIET, to_=f"{name}@{ROOMS}", type_="groupchat", id_=f"{n}") for n in range(4) for name in names]
    taker, held = PassedStanzas(rooms, Incidents(), of_rooms=True), set[Way]()
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    outcomes = taker.take([Text(serialise(stanza)) for stanza in stanzas], held)
    assert heard == {f"{name}@{ROOMS}": ["0", "1", "2", "3"] for name in names}
    assert [isinstance(outcome, GatewayError) for outcome in outcomes] == [name == "hall" for _ in range(4) for name in names]
    assert held == {(JULIET, f"hall@{ROOMS}")}


def test_what_rooms_say_while_nothing_is_kept_is_kept_later(owners: Owners) -> None:
    """Who has said it has had the answer 202; and no other error is put off."""
    rooms, way = owners.router(ROOMS), owners.ways[ROOMS]
    heard: list[object] = []

    def hear(stanza: Element, _sender: JID, to: JID) -> None:
        heard.extend(rooms.send_each([make("message", from_=str(to), to_=JULIET, type_="groupchat", id_=stanza.get("id", ""))]))

    rooms.subscribe(ROOMS, hear)
    owners.routers[ACCOUNTS].send(make("message", from_=JULIET, to_=PARK, type_="groupchat", id_="m1"))
    taker, texts = PassedStanzas(rooms, Incidents(), of_rooms=True), owners.texts(ACCOUNTS)
    way.error = GatewayError("storage-failed")
    assert taker.take(texts, set()) == [None]
    assert (heard, way.later, way.passed) == ([None], [(ACCOUNTS, "m1")], [])
    way.error = GatewayError("outbox-full")
    assert taker.take(texts, set()) == [None]
    assert [str(each) for each in heard[1:]] == [str(way.error)]
    way.error = GatewayError("storage-failed")
    hear(make("message", id_="m2"), JID("", ROOMS, ""), JID("park", ROOMS, ""))  # of a call, which is told
    assert isinstance(heard[2], GatewayError)
    assert way.later == [(ACCOUNTS, "m1")]


def test_what_fails_as_a_whole_does_not_repeat_what_was_handled_before(owners: Owners) -> None:
    @contextmanager
    def together(stanzas: Sequence[Element]) -> Iterator[dict[int, Exception]]:
        yield {}
        if stanzas:
            raise StorageError("a moment")

    owners.routers[ACCOUNTS].accept_together(together)
    for stanza in (message("1", "groupchat"), message("2"), message("3")):
        owners.routers[ROOMS].send(stanza)
    first, *others = owners.carry(ROOMS)
    assert first is None
    assert [isinstance(each, StorageError) for each in others] == [True, True]


def test_a_storage_that_fails_is_asked_once_for_all(owners: Owners) -> None:
    owners.ways[ROOMS].error = GatewayError("storage-failed")
    results = owners.routers[ROOMS].send_each([message(str(n)) for n in range(20)])
    assert all(isinstance(each, GatewayError) for each in results)
    assert owners.ways[ROOMS].calls == 1  # each may take seconds, and may be kept after all
    owners.ways[ROOMS].error = GatewayError("link-down")
    owners.routers[ROOMS].send_each([message(str(n)) for n in range(20)])
    assert owners.ways[ROOMS].calls == 1 + 21


def test_what_comes_in_over_the_link_waits_while_there_is_no_room_for_what_comes_of_it(owners: Owners) -> None:
    fails, looks = threading.Event(), list[int]()

    def has_room() -> bool:
        if fails.is_set():
            raise StorageError("a moment")
        looks.append(1)
        return False

    router = owners.routers[ACCOUNTS]
    inbound = InboundQueue(router, 10, Incidents(), Counts(), has_room)
    inbound.start()
    for number in range(3):
        inbound.received(ACCOUNTS, make("message", from_="romeo@far.example", to_=JULIET, type_="chat", id_=f"in-{number}"), 10)
    until(lambda: len(looks) > 2)
    assert owners.heard == []
    assert not inbound.congested()
    fails.set()  # the storage does not tell: then it is tried
    until(lambda: owners.heard == ["in-0", "in-1", "in-2"])
    fails.clear()
    inbound.received(ACCOUNTS, make("message", from_="romeo@far.example", to_=JULIET, type_="chat", id_="in-3"), 10)
    inbound.stop()  # nothing that has come is left
    assert owners.heard[-1] == "in-3"
