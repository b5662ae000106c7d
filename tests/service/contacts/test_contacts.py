"""Accounts and their contacts, hosted and foreign, agree on the state of a subscription (RFC 6121 §3, §4)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from drivers import open_driver
from tests.link.fake import attach
from tests.processes.memory import alone
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import NOT_MINE, Router, Unhandled
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of, make
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.presence import Presences
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.roster_iq import RosterQueries

DOMAIN = "capulet.example"
JULIET = parse_jid(f"juliet@{DOMAIN}")
NURSE = parse_jid(f"nurse@{DOMAIN}")
ROMEO = parse_jid("romeo@montague.example")
BOT = parse_jid(f"bot@{DOMAIN}")


class World:
    """Two hosted accounts, a link that keeps what goes out, and what the accounts are shown."""

    def __init__(self, folder: Path) -> None:
        self.driver = open_driver("sqlite:w.sqlite", folder)
        events = Events(Incidents())
        accounts = Accounts(self.driver, Passwords("SHA-1", 4096), DOMAIN, events)
        for jid in (JULIET, NURSE):
            accounts.register(jid, "secret")
        self.router = Router(frozenset((DOMAIN,)), Pending(8), alone())
        self.sent: list[Element] = []
        self.shown: list[Element] = []
        self.pushes: list[tuple[JID, Element]] = []
        self.full = False
        presences = Presences(self.driver, self.router, lambda _presence, _account, _to: True, events)
        self.contacts = Contacts(
            Roster(self.driver), presences, self.router, accounts,
            bots=frozenset((BOT,)), push=lambda *push: self.pushes.append(push), is_listening=lambda _account: True,
        )  # fmt: skip
        attach(self.router, self._out)
        self.router.subscribe(DOMAIN, self.contacts.handle)
        self.router.subscribe(DOMAIN, RosterQueries(self.contacts).handle)
        self.router.subscribe(DOMAIN, self._show)

    def _out(self, domain: str, stanza: Element) -> None:
        if self.full:
            raise GatewayError("outbox-full")
        self.sent.append(stanza)

    def _show(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        if stanza.tag == "iq":
            return NOT_MINE
        self.shown.append(stanza)
        return None

    def receive(self, text: str) -> Element | None:
        stanza = parse_text(text)
        return self.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))

    def presence(self, kind: str, to: JID = JULIET, from_: JID = ROMEO) -> None:
        assert self.receive(f"<presence from='{from_}' to='{to}' type='{kind}' id='p1'/>") is None

    def ask(self, kind: str, owner: JID = JULIET, to: JID = ROMEO) -> None:
        self.contacts.ask(owner, to, make("presence", type_=kind))

    def state(self, owner: JID = JULIET, jid: JID = ROMEO) -> tuple[str, str] | None:
        contact = self.contacts.get(owner, jid)
        return (contact.state.subscription, contact.state.ask) if contact else None

    def out(self) -> list[tuple[str | None, ...]]:
        """(type, from, to) of what went out, and forget it."""
        rows: list[tuple[str | None, ...]] = [(s.get("type"), s.get("from"), s.get("to")) for s in self.sent]
        self.sent.clear()
        return rows


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.driver.close()


# accounts ask


def test_asking_a_remote_contact(world: World) -> None:
    world.ask("subscribe")
    assert world.state() == ("none", "out")
    assert world.out() == [("subscribe", "juliet@capulet.example", "romeo@montague.example")]
    world.presence("subscribed")
    assert world.state() == ("to", "none")
    assert [s.get("type") for s in world.shown] == ["subscribed"]


def test_asking_twice_sends_twice_and_changes_nothing(world: World) -> None:
    world.ask("subscribe")
    world.ask("subscribe")
    assert [row[0] for row in world.out()] == ["subscribe", "subscribe"]
    assert world.state() == ("none", "out")


def test_both_ways_between_hosted_accounts(world: World) -> None:
    world.ask("subscribe", JULIET, NURSE)
    assert (world.state(JULIET, NURSE), world.state(NURSE, JULIET)) == (("none", "out"), ("none", "in"))
    world.ask("subscribe", NURSE, JULIET)
    assert (world.state(JULIET, NURSE), world.state(NURSE, JULIET)) == (("none", "both"), ("none", "both"))
    world.ask("subscribed", NURSE, JULIET)
    assert (world.state(JULIET, NURSE), world.state(NURSE, JULIET)) == (("to", "in"), ("from", "out"))
    world.ask("subscribed", JULIET, NURSE)
    assert (world.state(JULIET, NURSE), world.state(NURSE, JULIET)) == (("both", "none"), ("both", "none"))
    assert not world.sent


def test_accepting_what_nobody_asked_sends_nothing(world: World) -> None:
    world.contacts.add(JULIET, ROMEO)
    world.ask("subscribed")
    assert world.state() == ("none", "none")
    assert world.out() == []


def test_with_approval_in_advance_the_request_is_answered_at_once(world: World) -> None:
    stanza = make("presence", type_="subscribed", from_=str(JULIET), to_=str(ROMEO))
    assert world.contacts.outgoing(stanza, JULIET, ROMEO)
    contact = world.contacts.get(JULIET, ROMEO)
    assert contact
    assert (contact.approved, contact.listed) == (True, True)
    assert world.out() == []
    world.presence("subscribe")
    assert world.state() == ("from", "none")
    assert world.out() == [("subscribed", "juliet@capulet.example", "romeo@montague.example")]
    assert not world.shown, "an approved request is not shown"


def test_approval_in_advance_can_be_taken_back(world: World) -> None:
    for kind in ("subscribed", "unsubscribed"):
        world.contacts.outgoing(make("presence", type_=kind, to_=str(ROMEO)), JULIET, ROMEO)
    world.presence("subscribe")
    assert world.state() == ("none", "in")


@pytest.mark.parametrize("kind", ["unavailable", "probe", None, "error"])
def test_other_presence_is_not_taken_on_its_way_out(world: World, kind: str | None) -> None:
    assert not world.contacts.outgoing(make("presence", type_=kind, to_=str(ROMEO)), JULIET, ROMEO)
    assert not world.contacts.outgoing(make("presence", type_="subscribe", to_=str(ROMEO)), BOT, ROMEO)


def test_a_request_keeps_what_it_says_and_goes_between_bare_addresses(world: World) -> None:
    stanza = parse_text("<presence type='subscribe' id='s1' xml:lang='en'><status>It is I</status></presence>")
    world.contacts.ask(JULIET, ROMEO.at("orchard"), stanza)
    assert serialise(world.sent[0]) == (
        "<presence id='s1' type='subscribe' xml:lang='en' from='juliet@capulet.example' to='romeo@montague.example'>"
        "<status>It is I</status></presence>"
    )


def test_a_full_outbox_leaves_all_as_it_was(world: World) -> None:
    world.full = True
    with pytest.raises(GatewayError, match="outbox-full"):
        world.ask("subscribe")
    assert world.state() is None
    world.full = False
    world.ask("subscribe")
    world.full = True
    with pytest.raises(GatewayError, match="outbox-full"):
        world.contacts.remove(JULIET, ROMEO)
    assert world.state() == ("none", "out")


# contacts ask


def test_a_stranger_asks_and_is_accepted(world: World) -> None:
    world.presence("subscribe")
    assert world.state() == ("none", "in")
    assert [s.get("type") for s in world.shown] == ["subscribe"]
    table = world.driver.load("juliet", DOMAIN, "roster")
    assert isinstance(table, dict)
    assert table["__hash"][1]["pending"][str(ROMEO)]["attr"]["type"] == "subscribe"
    world.ask("subscribed")
    assert world.state() == ("from", "none")
    assert world.out() == [("subscribed", "juliet@capulet.example", "romeo@montague.example")]


def test_a_request_is_shown_once(world: World) -> None:
    world.presence("subscribe")
    world.presence("subscribe")
    assert len(world.shown) == 1


def test_a_request_of_somebody_who_has_it_is_answered(world: World) -> None:
    world.presence("subscribe")
    world.ask("subscribed")
    world.out()
    world.presence("subscribe")
    assert [row[0] for row in world.out()] == ["subscribed"]
    assert len(world.shown) == 1


@pytest.mark.parametrize("kind", ["subscribed", "unsubscribed", "unsubscribe"])
def test_what_fits_no_state_is_dropped(world: World, kind: str) -> None:
    world.presence(kind)
    assert (world.state(), world.shown, world.out(), world.pushes) == (None, [], [], [])


def test_to_nobody(world: World) -> None:
    for kind in ("subscribe", "probe"):
        world.receive(f"<presence from='{ROMEO}' to='tybalt@{DOMAIN}' type='{kind}'/>")
    assert world.driver.load("tybalt", DOMAIN, "roster") is None
    assert world.out() == []


def test_the_contact_ends_it(world: World) -> None:
    world.presence("subscribe")
    world.ask("subscribed")
    world.ask("subscribe")
    world.presence("subscribed")
    assert world.state() == ("both", "none")
    world.presence("unsubscribed")
    assert world.state() == ("from", "none")
    world.presence("unsubscribe")
    assert world.state() == ("none", "none")


# removing


def test_removing_ends_both_sides_here(world: World) -> None:
    for a, b in ((JULIET, NURSE), (NURSE, JULIET)):
        world.ask("subscribe", a, b)
        world.ask("subscribed", b, a)
    assert world.state(NURSE, JULIET) == ("both", "none")
    assert world.contacts.remove(JULIET, NURSE)
    assert (world.state(JULIET, NURSE), world.state(NURSE, JULIET)) == (None, ("none", "none"))
    assert not world.contacts.remove(JULIET, NURSE)


@pytest.mark.parametrize(
    ("steps", "ends"),
    [
        (["ask subscribe"], ["unsubscribe"]),
        (["get subscribe"], ["unsubscribed"]),
        (["get subscribe", "ask subscribed"], ["unsubscribed"]),
        (["ask subscribe", "get subscribed"], ["unsubscribe"]),
        (["ask subscribe", "get subscribe"], ["unsubscribe", "unsubscribed"]),
        ([], []),
    ],
)
def test_removing_tells_the_contact_what_has_ended(world: World, steps: list[str], ends: list[str]) -> None:
    world.contacts.add(JULIET, ROMEO)
    for step in steps:
        who, kind = step.split()
        (world.ask if who == "ask" else world.presence)(kind)
    world.out()
    assert world.contacts.remove(JULIET, ROMEO)
    assert [row[0] for row in world.out()] == ends


def test_an_account_that_goes_ends_everything(world: World) -> None:
    world.ask("subscribe", JULIET, NURSE)
    world.ask("subscribe")
    world.contacts.account_removed(JULIET)
    assert (world.contacts.all(JULIET), world.contacts.all(NURSE)) == ([], [])
    assert [row[0] for row in world.out()] == ["subscribe", "unsubscribe"]


# adding


def test_adding_keeps_what_is_there(world: World) -> None:
    world.presence("subscribe")
    world.contacts.add(JULIET, ROMEO, "Romeo", ("Friends",))
    world.contacts.add(JULIET, ROMEO)
    (contact,) = world.contacts.all(JULIET)
    assert (contact.name, contact.groups, contact.listed, contact.state.ask) == ("Romeo", ("Friends",), True, "in")


def test_who_is_known(world: World) -> None:
    assert all(world.contacts.known(jid) for jid in (NURSE, NURSE.at("x"), BOT, ROMEO, parse_jid("montague.example")))
    assert not any(world.contacts.known(parse_jid(nobody)) for nobody in (f"tybalt@{DOMAIN}", DOMAIN))


def test_adding_sends_nothing(world: World) -> None:
    world.contacts.add(JULIET, ROMEO.at("orchard"))
    assert [contact.jid for contact in world.contacts.all(JULIET)] == [ROMEO]
    assert world.out() == []


# presence


def befriend(world: World) -> None:
    world.presence("subscribe")
    world.ask("subscribed")
    world.ask("subscribe")
    world.presence("subscribed")
    world.out()


def say(world: World, text: str) -> None:
    assert world.router.send(parse_text(text)) is None


def test_probes(world: World) -> None:
    world.presence("probe")
    assert world.out() == [("unsubscribed", str(JULIET), str(ROMEO))]
    befriend(world)
    world.presence("probe", from_=ROMEO.at("orchard"))
    assert world.out() == [("unavailable", str(JULIET), f"{ROMEO}/orchard")]
    say(world, f"<presence from='{JULIET}/balcony'><show>away</show></presence>")
    world.out()
    world.presence("probe")
    assert [s.findtext("show") for s in world.sent] == ["away"]
    assert world.out() == [(None, f"{JULIET}/balcony", str(ROMEO))]


def test_presence_goes_to_who_may_see_it(world: World) -> None:
    befriend(world)
    world.ask("subscribe", JULIET, NURSE)
    world.out()
    say(world, f"<presence from='{JULIET}/balcony'/>")
    assert world.out() == [(None, f"{JULIET}/balcony", str(ROMEO)), ("probe", f"{JULIET}/balcony", str(ROMEO))]
    say(world, f"<presence from='{JULIET}/balcony'><show>dnd</show></presence>")
    assert world.out() == [(None, f"{JULIET}/balcony", str(ROMEO))]
    say(world, f"<presence from='{JULIET}/balcony' type='unavailable'/>")
    assert world.out() == [("unavailable", f"{JULIET}/balcony", str(ROMEO))]
    world.presence("probe")
    assert world.out() == [("unavailable", str(JULIET), str(ROMEO))]


def test_who_is_accepted_sees_at_once_who_is_removed_no_more(world: World) -> None:
    say(world, f"<presence from='{JULIET}/balcony'/>")
    world.presence("subscribe")
    world.ask("subscribed")
    assert [row[0] for row in world.out()] == ["subscribed", None]
    world.ask("unsubscribed")
    assert [row[:2] for row in world.out()] == [("unsubscribed", str(JULIET)), ("unavailable", f"{JULIET}/balcony")]
    world.presence("subscribe")
    world.ask("subscribed")
    world.out()
    world.presence("unsubscribe")
    assert world.out() == [("unavailable", f"{JULIET}/balcony", str(ROMEO))]


def test_a_directed_presence_is_no_broadcast(world: World) -> None:
    befriend(world)
    say(world, f"<presence from='{JULIET}/balcony' to='{JULIET}'/>")
    assert world.out() == []


def test_resources_are_bounded(world: World) -> None:
    for n in range(40):
        say(world, f"<presence from='{JULIET}/{n}'/>")
    befriend(world)
    world.presence("probe")
    assert len(world.out()) == 32


# pushes and iqs


def pushed(world: World) -> list[str]:
    texts = [serialise(iq[0][0]).replace(" xmlns='jabber:iq:roster'", "") for _, iq in world.pushes]
    world.pushes.clear()
    return texts


def test_pushes_show_the_item_and_not_the_request(world: World) -> None:
    world.presence("subscribe")
    assert pushed(world) == []
    world.contacts.add(JULIET, ROMEO, "Romeo")
    assert pushed(world) == ["<item jid='romeo@montague.example' subscription='none' name='Romeo'/>"]
    world.ask("subscribe")
    assert pushed(world) == ["<item jid='romeo@montague.example' subscription='none' ask='subscribe' name='Romeo'/>"]
    world.contacts.remove(JULIET, ROMEO)
    assert pushed(world) == ["<item jid='romeo@montague.example' subscription='remove'/>"]


def iq(world: World, kind: str, query: str, from_: str = f"{JULIET}/balcony", to: str = str(JULIET)) -> Element:
    xmlns = "xmlns='jabber:iq:roster'"
    answer = world.receive(f"<iq type='{kind}' id='r1' from='{from_}' to='{to}'>{query.replace('XMLNS', xmlns)}</iq>")
    assert answer is not None
    return answer


def test_a_roster_by_iq(world: World) -> None:
    item = f"<item jid='{ROMEO}' name='Romeo'><group>Friends</group></item>"
    assert iq(world, "set", f"<query XMLNS>{item}</query>").get("type") == "result"
    answer = iq(world, "get", "<query XMLNS/>")
    assert serialise(answer[0]) == (
        "<query xmlns='jabber:iq:roster' ver='1'><item jid='romeo@montague.example' subscription='none' name='Romeo'>"
        "<group>Friends</group></item></query>"
    )
    assert len(iq(world, "get", "<query XMLNS ver='1'/>")) == 0
    assert iq(world, "set", f"<query XMLNS><item jid='{ROMEO}' subscription='remove'/></query>").get("type") == "result"
    assert world.contacts.all(JULIET) == []


LONG = "x" * 1024


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("<query XMLNS/>", "bad-request"),
        ("<query XMLNS><item jid='a@b'/><item jid='c@d'/></query>", "bad-request"),
        ("<query XMLNS><other/></query>", "bad-request"),
        ("<query XMLNS><item jid='@b'/></query>", "jid-malformed"),
        ("<query XMLNS><item/></query>", "jid-malformed"),
        ("<query XMLNS><item jid='pending'/></query>", "jid-malformed"),
        ("<query XMLNS><item jid='a@b' subscription='remove'/></query>", "item-not-found"),
        (f"<query XMLNS><item jid='a@b' name='{LONG}'/></query>", "not-acceptable"),
        (f"<query XMLNS><item jid='a@b'><group>{LONG}</group></item></query>", "not-acceptable"),
        ("<query XMLNS><item jid='a@b'><group/></item></query>", "not-acceptable"),
        ("<query XMLNS><item jid='a@b'><group>__hash</group></item></query>", "not-acceptable"),
        ("<query XMLNS><item jid='a@b'><group>g</group><group>g</group></item></query>", "bad-request"),
    ],
)
def test_sets_that_are_refused(world: World, query: str, condition: str) -> None:
    assert condition_of(iq(world, "set", query)).condition == condition
    assert world.contacts.all(JULIET) == []


def test_other_peoples_rosters_are_not_shown(world: World) -> None:
    world.contacts.add(JULIET, ROMEO)
    for asker in (f"{NURSE}/x", f"{ROMEO}/x"):
        assert condition_of(iq(world, "get", "<query XMLNS/>", from_=asker)).condition == "service-unavailable"


def test_a_presence_to_many_is_handed_over_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"subscription": "both", "groups": {}}
    names = [f"u{n:03}@montague.example" for n in range(600)]
    world.driver.store("juliet", DOMAIN, "roster", dict.fromkeys((*names, str(NURSE)), both))
    batches: list[int] = []
    send_out = world.router.send_out

    def counted(domain: str, stanzas: Any, texts: Any, notes: Any = ()) -> Any:
        batches.append(len(stanzas))
        return send_out(domain, stanzas, texts, notes)

    monkeypatch.setattr(world.router, "send_out", counted)
    presence = "<presence from='{0}/r' to='{0}'><status>&lt;here&gt;</status></presence>"
    said = parse_text(presence.format(JULIET))
    del said.attrib["to"]
    assert world.router.deliver(said, parse_jid(f"{JULIET}/r"), JULIET) is None
    told = [stanza for stanza in world.sent if stanza.get("type") is None]
    assert [stanza.get("to") for stanza in told] == names
    assert {stanza.findtext("status") for stanza in told} == {"<here>"}
    assert [stanza.get("to") for stanza in world.sent if stanza.get("type") == "probe"] == names
    assert max(batches) > 200
    assert sum(batches) == 1200
    world.full = True  # who is hosted here is told all the same
    before = len(world.shown)
    world.router.deliver(said, parse_jid(f"{JULIET}/r"), JULIET)
    assert [stanza.get("to") for stanza in world.shown[before:]].count(str(NURSE)) == 1
