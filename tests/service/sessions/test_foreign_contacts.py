"""Rosters at other servers (accounts-anywhere §7.4, client-api §7)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from tests.processes.memory import alone, processes
from tests.service.sessions.at_server import ROMEO, AtServer, Speaks
from tests.service.sessions.fake_roster import FakeRoster
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import child, make, refusal, result
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.sessions.contact_requests import MOST, PER_ACCOUNT, ContactRequests
from xmpp_rest.service.sessions.foreign_contacts import SECONDS, ForeignContacts
from xmpp_rest.service.sessions.server_asks import MOST_BYTES, ServerAsks
from xmpp_rest.threads.waits import Wait

JULIET, NURSE, TYBALT = (parse_jid(f"{name}@capulet.example") for name in ("juliet", "nurse", "tybalt"))


def shown(contacts: list[Contact]) -> set[tuple[JID, str, str]]:
    return {(contact.jid, contact.state.subscription, contact.state.ask) for contact in contacts}


def presence(kind: str, sender: JID) -> tuple[Element, JID, JID]:
    return make("presence", type_=kind, from_=str(sender)), sender, ROMEO.at("xmpp-rest-5f1c09ab")


class Contacts:
    """The contacts of an account whose server is `roster`."""

    def __init__(self, roster: FakeRoster | None = None) -> None:
        self.roster = roster or FakeRoster()
        self.server = AtServer(self.roster)
        self.requests = ContactRequests(self.server.remote)
        asks = ServerAsks(self.server.router, self.server.waits, self.server.remote)
        self.now = 100.0
        self.of = ForeignContacts(asks, self._send, self.requests, lambda: self.now)

    def _send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        return self.server.router.send(stanza)

    @property
    def sets(self) -> int:
        return len([iq for iq in self.server.iqs(f"{{{ROSTER}}}query") if iq.get("type") == "set"])


@pytest.fixture
def contacts() -> Contacts:
    return Contacts()


def test_the_roster_with_its_states(contacts: Contacts) -> None:
    contacts.roster.add(str(JULIET), "both")
    contacts.roster.add(str(NURSE), "from", "Household", ask="subscribe")
    contacts.roster.add(str(TYBALT), "none", ask="subscribe")
    contacts.roster.add("friar@laurence.example/cell", "to", name="Friar")
    contacts.roster.add("not an address@", "both")
    contacts.roster.add("paris@capulet.example", "remove")
    assert shown(contacts.of.all(ROMEO)) == {
        (JULIET, "both", "none"), (NURSE, "from", "out"), (TYBALT, "none", "out"), (parse_jid("friar@laurence.example"), "to", "none"),
    }  # fmt: skip
    nurse = contacts.of.get(ROMEO, NURSE)
    assert nurse is not None
    assert nurse.groups == ("Household",)
    assert contacts.of.get(ROMEO, parse_jid("paris@capulet.example")) is None


def test_requests_that_were_seen_are_listed(contacts: Contacts) -> None:
    contacts.roster.add(str(NURSE), "to")
    contacts.roster.add(str(TYBALT), "from")
    for sender in (JULIET, NURSE, TYBALT, ROMEO):
        contacts.requests.received(*presence("subscribe", sender.at("balcony")))
    assert shown(contacts.of.all(ROMEO)) == {(JULIET, "none", "in"), (NURSE, "to", "in"), (TYBALT, "from", "none")}
    contacts.requests.received(*presence("unsubscribe", JULIET))
    contacts.requests.received(*presence("unsubscribed", NURSE))
    assert shown(contacts.of.all(ROMEO)) == {(NURSE, "to", "in"), (TYBALT, "from", "none")}
    contacts.requests.ended(ROMEO)
    assert contacts.of.get(ROMEO, NURSE) == Contact(NURSE, contacts.of.all(ROMEO)[0].state)
    assert shown(contacts.of.all(ROMEO)) == {(NURSE, "to", "none"), (TYBALT, "from", "none")}


def test_adding_keeps_what_is_there(contacts: Contacts) -> None:
    contacts.roster.add(str(NURSE), "both", "Household", name="Angelica")
    contacts.of.add(ROMEO, NURSE)
    assert contacts.sets == 0
    contacts.of.add(ROMEO, JULIET.at("balcony"))
    assert shown(contacts.of.all(ROMEO)) == {(NURSE, "both", "none"), (JULIET, "none", "none")}
    assert contacts.of.known(parse_jid("nobody@nowhere.example"))


def test_nobody_is_a_contact_of_himself(contacts: Contacts) -> None:
    with pytest.raises(GatewayError, match="bad-contact"):
        contacts.of.add(ROMEO, ROMEO.at("orchard"))
    assert contacts.server.sent == []


def test_what_the_server_refuses_is_told(contacts: Contacts) -> None:
    contacts.roster.refusal = "not-allowed"
    contacts.roster.add(str(NURSE))
    with pytest.raises(GatewayError, match="The server has not added the contact: not-allowed") as raised:
        contacts.of.add(ROMEO, JULIET)
    assert (raised.value.name, raised.value.row.status) == ("server-refused", 403)
    with pytest.raises(GatewayError, match="The server has not removed the contact: not-allowed"):
        contacts.of.remove_each(ROMEO, [NURSE])
    contacts.roster.unreadable = "service-unavailable"
    with pytest.raises(GatewayError, match="The server does not give the roster: service-unavailable"):
        contacts.of.all(ROMEO)


def test_asking_and_answering(contacts: Contacts) -> None:
    contacts.requests.received(*presence("subscribe", JULIET))
    contacts.of.ask(ROMEO, JULIET.at("balcony"), make("presence", type_="subscribe"))
    assert contacts.requests.of(ROMEO) == [JULIET]
    contacts.of.ask(ROMEO, JULIET, make("presence", type_="subscribed"))
    assert contacts.requests.of(ROMEO) == []
    assert contacts.roster.asked == [("subscribe", str(JULIET)), ("subscribed", str(JULIET))]
    assert all(stanza.get("id") for stanza in contacts.server.sent if stanza.tag == "presence")


@pytest.mark.parametrize("forgiving", [False, True])
def test_a_request_that_the_server_has_not_told_of_is_approved(*, forgiving: bool) -> None:
    contacts = Contacts(FakeRoster(forgiving=forgiving))
    contacts.roster.pending.add(str(JULIET))
    assert contacts.of.get(ROMEO, JULIET) is None
    assert contacts.of.approve_unseen(ROMEO, JULIET.at("balcony"))
    assert shown(contacts.of.all(ROMEO)) == {(JULIET, "from", "none")}


@pytest.mark.parametrize("forgiving", [False, True])
def test_who_has_not_asked_is_not_approved(*, forgiving: bool) -> None:
    contacts = Contacts(FakeRoster(forgiving=forgiving))
    assert not contacts.of.approve_unseen(ROMEO, JULIET)
    assert contacts.roster.items == {}
    assert not contacts.of.approve_unseen(ROMEO, ROMEO)
    assert contacts.roster.asked == [("subscribed", str(JULIET))]


@pytest.mark.parametrize("forgiving", [False, True])
def test_what_is_no_contact_is_not_removed(*, forgiving: bool) -> None:
    contacts = Contacts(FakeRoster(forgiving=forgiving))
    contacts.roster.add(str(NURSE), "both")
    assert contacts.of.remove_each(ROMEO, [JULIET, NURSE.at("kitchen"), NURSE]) == [False, True, False]
    assert contacts.roster.items == {}
    assert contacts.sets == 1
    assert contacts.of.remove_each(ROMEO, []) == []


def test_what_another_client_has_removed_meanwhile_was_no_contact(contacts: Contacts) -> None:
    contacts.roster.add(str(NURSE))
    contacts.roster.refusal = "item-not-found"
    assert contacts.of.remove_each(ROMEO, [NURSE]) == [False]


def test_removing_who_has_asked_says_no(contacts: Contacts) -> None:
    contacts.roster.add(str(NURSE), "to")
    for sender in (JULIET, NURSE):
        contacts.requests.received(*presence("subscribe", sender))
    assert contacts.of.remove_each(ROMEO, [JULIET, NURSE]) == [True, True]
    assert contacts.roster.asked == [("unsubscribed", str(JULIET)), ("unsubscribed", str(NURSE))]
    assert contacts.of.all(ROMEO) == []
    assert contacts.sets == 1


def test_many_are_removed_side_by_side(contacts: Contacts) -> None:
    waiting: list[Element] = []

    def answers_ten(client: Speaks, stanza: Element) -> bool:
        if stanza.tag != "iq" or stanza.get("type") != "set":
            return False
        waiting.append(stanza)
        if len(waiting) == 10:
            for iq in waiting:
                contacts.roster(client, iq)
        return len(waiting) <= 10

    many = [JID(f"c{number}", "capulet.example", "") for number in range(12)]
    for jid in many:
        contacts.roster.add(str(jid), "both")
    contacts.server.answers.insert(0, answers_ten)
    assert contacts.of.remove_each(ROMEO, many) == [True] * 12
    assert contacts.roster.items == {}


def test_removing_has_a_time_whatever_their_number(contacts: Contacts) -> None:
    many = [JID(f"c{number}", "capulet.example", "") for number in range(10)]
    for jid in many:
        contacts.requests.received(*presence("subscribe", jid))

    def is_slow(client: Speaks, stanza: Element) -> bool:
        contacts.now += SECONDS / 3 if stanza.tag == "presence" else 0
        return False

    contacts.server.answers.insert(0, is_slow)
    with pytest.raises(GatewayError, match="server-silent"):
        contacts.of.remove_each(ROMEO, many)
    assert len(contacts.roster.asked) == 3


class TestRequests:
    def test_so_many_are_remembered_for_an_account(self) -> None:
        requests = ContactRequests(alone())
        senders = [JID(f"s{number}", "capulet.example", "") for number in range(PER_ACCOUNT + 3)]
        for sender in (*senders, senders[3]):
            requests.received(*presence("subscribe", sender))
        assert requests.of(ROMEO) == [*senders[4:], senders[3]]

    def test_so_many_accounts_have_some(self) -> None:
        requests = ContactRequests(alone())
        accounts = [JID(f"a{number}", "montague.example", "") for number in range(MOST + 1)]
        for account in accounts:
            requests.received(make("presence", type_="subscribe"), JULIET, account)
        assert requests.of(accounts[0]) == []
        assert requests.of(accounts[-1]) == [JULIET]

    def test_followers_ask_the_leader(self) -> None:
        remotes = processes(2)
        leader, follower = (ContactRequests(remote) for remote in remotes)
        for remote in remotes:
            remote.start()
        leader.received(*presence("subscribe", JULIET))
        assert follower.of(ROMEO) == [JULIET]
        follower.answered(ROMEO, JULIET)
        assert leader.of(ROMEO) == []
        follower.answered(ROMEO, JULIET)


class TestAsks:
    def test_many_are_asked_and_answered_in_their_order(self) -> None:
        server = AtServer(FakeRoster())
        asks = ServerAsks(server.router, server.waits, server.remote)
        iqs = [make("iq", make(f"{{{ROSTER}}}query"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(ROMEO)) for n in range(25)]
        answers = asks.each(iqs)
        assert [isinstance(answer, Element) and answer.get("id") for answer in answers] == [f"q{n}" for n in range(25)]
        assert asks.each([]) == []

    def test_answers_that_come_later_let_others_be_asked(self) -> None:
        waiting: list[Element] = []
        server = AtServer(lambda client, stanza: not waiting.append(stanza))
        asks = ServerAsks(server.router, server.waits, server.remote)
        found: list[list[Element | Exception]] = []
        iqs = [make("iq", make("{a}b"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(JULIET)) for n in range(23)]
        asks._begin_all(found.append, iqs, Wait(60.0))
        assert len(waiting) == 10
        for stanza in waiting:  # grows meanwhile
            assert found == []
            server.send(refusal(stanza, stanza_error("item-not-found")))
        assert [isinstance(answer, Element) and answer.get("id") for answer in found[0]] == [f"q{n}" for n in range(23)]

    def test_what_cannot_be_asked_is_an_error_among_the_answers(self) -> None:
        server = AtServer(size=0)
        asks = ServerAsks(server.router, server.waits, server.remote)
        iqs = [make("iq", make("{a}b"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(JULIET)) for n in range(2000)]
        answers = asks.each(iqs)
        assert {(answer.name, answer.row.status) for answer in answers if isinstance(answer, GatewayError)} == {("iq-overload", 503)}
        with pytest.raises(GatewayError, match="iq-overload") as raised:
            asks.one(iqs[0])
        assert raised.value.row.status == 503
        assert len(answers) == 2000

    def test_a_session_that_is_lost_meanwhile(self) -> None:
        server = AtServer()
        server.lost = GatewayError("session-lost", "The session at montague.example broke off; try again")
        asks = ServerAsks(server.router, server.waits, server.remote)
        iqs = [make("iq", make("{a}b"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(JULIET)) for n in range(2000)]
        assert {str(answer) for answer in asks.each(iqs)} == {str(server.lost)}

    def test_no_answer_in_time(self) -> None:
        server = AtServer(lambda client, stanza: stanza.get("id") == "q1")
        asks = ServerAsks(server.router, server.waits, server.remote)
        iqs = [make("iq", make("{a}b"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(JULIET)) for n in range(3)]
        first, second, third = asks.each(iqs, Wait(0.05))
        assert isinstance(first, Element)
        assert isinstance(third, Element)
        assert isinstance(second, GatewayError)
        assert second.name == "server-silent"

    def test_answers_that_are_too_large_together(self) -> None:
        def talks(client: Speaks, stanza: Element) -> bool:
            client.send(result(stanza, child("{a}b", "x" * (MOST_BYTES // 5))))
            return True

        server = AtServer(talks)
        asks = ServerAsks(server.router, server.waits, server.remote)
        iqs = [make("iq", make("{a}b"), type_="get", id_=f"q{n}", from_=str(ROMEO), to_=str(JULIET)) for n in range(8)]
        assert [isinstance(answer, Element) for answer in asks.each(iqs)] == [True] * 4 + [False] * 4

    def test_a_client_that_has_gone(self) -> None:
        server = AtServer(lambda client, stanza: True)
        asks = ServerAsks(server.router, server.waits, server.remote)
        iq = make("iq", make("{a}b"), type_="get", id_="q", from_=str(ROMEO), to_=str(JULIET))
        with pytest.raises(GatewayError, match="client-gone"):
            asks.each([iq], Wait(60.0)._replace(gone=lambda: True))

    def test_a_follower_asks_by_the_leader(self) -> None:
        leader, follower = processes(2)
        server = AtServer(FakeRoster(), remote=leader)
        ServerAsks(server.router, server.waits, leader)
        asks = ServerAsks(server.router, server.waits, follower)
        leader.start()
        follower.start()
        roster = make("iq", make(f"{{{ROSTER}}}query"), type_="get", id_="q0", from_=str(ROMEO), to_=str(ROMEO))
        other = make("iq", make("{a}b"), type_="get", id_="q1", from_=str(ROMEO), to_=str(JULIET))
        assert [isinstance(answer, Element) and answer.get("type") for answer in asks.each([roster, other])] == ["result", "error"]
