"""Kick, ban, promote, configure and destroy: who may, and what follows (XEP-0045 §8, §9, §10)."""

from __future__ import annotations

import pytest

from tests.service.muc.hall import JULIET, NURSE, ROMEO, SERVICE, TYBALT, USER, Hall, codes, error, item
from xmpp_rest.protocol.element import serialise

OWNERS = [["romeo@montague.example", "owner"]]
BARE = {who: who.partition("/")[0] for who in (ROMEO, JULIET, NURSE, TYBALT)}


def stage(hall: Hall, **affiliations: str) -> None:
    """A room of Romeo's where everybody is; keywords are affiliations by localpart."""
    entries = [[f"{name}@verona.example", word] for name, word in affiliations.items()]
    hall.rooms.create("balcony", {}, OWNERS + entries, [])
    hall.enter(ROMEO, JULIET, NURSE, TYBALT)


def role(nick: str, word: str) -> str:
    return f"<item nick='{nick}' role='{word}'><reason>enough</reason></item>"


def affiliation(who: str, word: str) -> str:
    return f"<item jid='{BARE[who]}' affiliation='{word}'><reason>enough</reason></item>"


def roles(hall: Hall) -> dict[str, str]:
    return {nick: word for _, nick, word in hall.rooms.occupants("balcony")}


# roles


def test_a_kick(hall: Hall) -> None:
    stage(hall)
    assert hall.admin(ROMEO, role("Tybalt", "none")).get("type") == "result"
    (own,) = hall.take(TYBALT)
    assert (own.get("type"), codes(own), item(own)["role"]) == ("unavailable", {"307", "110"}, "none")
    assert own.findtext(f"{USER}x/{USER}item/{USER}reason") == "enough"
    (seen,) = hall.take(JULIET)
    assert codes(seen) == {"307"}
    actor = seen.find(f"{USER}x/{USER}item/{USER}actor")
    assert actor is not None
    assert actor.get("nick") == "Romeo"
    assert "Tybalt" not in roles(hall)


# who asks, with which affiliation; of whom, with which; the new role; the refusal
@pytest.mark.parametrize(
    ("actor", "target", "word", "refusal"),
    [
        ("none", "none", "none", "forbidden"),
        ("member", "none", "none", "forbidden"),
        ("admin", "none", "none", None),
        ("admin", "member", "visitor", None),
        ("admin", "none", "moderator", None),
        ("admin", "admin", "none", "not-allowed"),
        ("admin", "admin", "participant", "not-allowed"),
        ("admin", "owner", "none", "not-allowed"),
        ("owner", "admin", "none", None),
        ("owner", "admin", "visitor", "not-allowed"),
        ("owner", "owner", "visitor", "not-allowed"),
        ("outcast-word", "none", "juggler", "bad-request"),
    ],
)
def test_who_may_change_roles(hall: Hall, actor: str, target: str, word: str, refusal: str | None) -> None:
    words = {k: v for k, v in (("juliet", actor), ("tybalt", target)) if v in ("member", "admin", "owner")}
    stage(hall, **words)
    answer = hall.admin(JULIET, role("Tybalt", word))
    assert (error(answer)[1] if answer.get("type") == "error" else None) == refusal
    before = "moderator" if target in ("admin", "owner") else "participant"
    assert roles(hall).get("Tybalt", "none") == (before if refusal else word)


def test_a_moderator_without_affiliation(hall: Hall) -> None:
    """Made by role: kicks and takes voice, makes no moderators, and does not touch others."""
    stage(hall)
    hall.admin(ROMEO, role("Juliet", "moderator"), role("Nurse", "moderator"))
    assert error(hall.admin(JULIET, role("Tybalt", "moderator")))[1] == "not-allowed"
    assert error(hall.admin(JULIET, role("Nurse", "none")))[1] == "not-allowed"
    assert error(hall.admin(JULIET, role("Romeo", "none")))[1] == "not-allowed"
    assert hall.admin(JULIET, role("Tybalt", "visitor")).get("type") == "result"
    assert error(hall.say(TYBALT, "What, drawn")) == ("auth", "forbidden")
    assert hall.admin(JULIET, role("Tybalt", "participant")).get("type") == "result"
    assert hall.say(TYBALT, "What, drawn") is None
    assert hall.admin(JULIET, role("Tybalt", "none")).get("type") == "result"


def test_one_wrong_change_and_nothing_is_changed(hall: Hall) -> None:
    stage(hall)
    assert error(hall.admin(ROMEO, role("Tybalt", "none"), role("Paris", "none"))) == ("cancel", "item-not-found")
    assert len(roles(hall)) == 4


# affiliations


def test_a_ban(hall: Hall) -> None:
    stage(hall)
    assert hall.admin(ROMEO, affiliation(TYBALT, "outcast")).get("type") == "result"
    (own,) = hall.take(TYBALT)
    assert (own.get("type"), codes(own), item(own)["affiliation"]) == ("unavailable", {"301", "110"}, "outcast")
    assert codes(hall.take(JULIET)[0]) == {"301"}
    assert error(hall.presence(TYBALT)) == ("auth", "forbidden")
    assert hall.rooms.affiliations("balcony")[1] == ["tybalt@verona.example", "outcast", "enough"]
    assert hall.admin(ROMEO, affiliation(TYBALT, "none")).get("type") == "result"
    assert hall.presence(TYBALT) is None


@pytest.mark.parametrize(
    ("actor", "target", "word", "refusal"),
    [
        ("none", "none", "member", "forbidden"),
        ("member", "none", "outcast", "forbidden"),
        ("admin", "none", "member", None),
        ("admin", "none", "outcast", None),
        ("admin", "member", "none", None),
        ("admin", "none", "admin", "not-allowed"),
        ("admin", "none", "owner", "not-allowed"),
        ("admin", "admin", "none", "not-allowed"),
        ("admin", "owner", "outcast", "not-allowed"),
        ("owner", "owner", "outcast", None),
        ("owner", "admin", "owner", None),
        ("owner", "none", "emperor", "bad-request"),
    ],
)
def test_who_may_change_affiliations(hall: Hall, actor: str, target: str, word: str, refusal: str | None) -> None:
    stage(hall, **{k: v for k, v in (("juliet", actor), ("tybalt", target)) if v != "none"})
    answer = hall.admin(JULIET, affiliation(TYBALT, word))
    assert (error(answer)[1] if answer.get("type") == "error" else None) == refusal
    assert hall.rooms.affiliation("balcony", TYBALT) == (target if refusal else word)


@pytest.mark.parametrize(("word", "becomes"), [("member", "participant"), ("admin", "moderator"), ("owner", "moderator"), ("none", "participant")])
def test_an_affiliation_gives_a_role(hall: Hall, word: str, becomes: str) -> None:
    stage(hall, nurse="member")
    hall.admin(ROMEO, f"<item nick='Nurse' affiliation='{word}'/>")
    assert roles(hall)["Nurse"] == becomes
    if word != "member":
        (seen,) = hall.take(JULIET)
        assert item(seen) == {"affiliation": word, "role": becomes}


def test_the_last_owner_stays(hall: Hall) -> None:
    stage(hall)
    assert error(hall.admin(ROMEO, affiliation(ROMEO, "admin"))) == ("cancel", "conflict")
    assert error(hall.admin(ROMEO, affiliation(ROMEO, "outcast"))) == ("cancel", "conflict")
    assert hall.admin(ROMEO, affiliation(JULIET, "owner"), affiliation(ROMEO, "none")).get("type") == "result"
    assert error(hall.admin(ROMEO, affiliation(TYBALT, "member"))) == ("auth", "forbidden")


def test_losing_membership_of_a_room_for_members(hall: Hall) -> None:
    stage(hall, juliet="member", nurse="member")
    hall.rooms.set_option("balcony", "members_only", "true")
    (sent_away,) = [p for p in hall.take(TYBALT) if p.tag == "presence"]
    assert codes(sent_away) == {"322", "110"}
    hall.inbox.clear()
    hall.admin(ROMEO, affiliation(JULIET, "none"))
    (own,) = hall.take(JULIET)
    assert (own.get("type"), codes(own)) == ("unavailable", {"321", "110"})
    assert sorted(roles(hall)) == ["Nurse", "Romeo"]


@pytest.mark.parametrize(
    ("who", "wanted", "found"),
    [
        (ROMEO, "affiliation='owner'", ["romeo@montague.example"]),
        (ROMEO, "affiliation='outcast'", []),
        (ROMEO, "role='participant'", [NURSE, TYBALT]),
        (ROMEO, "affiliation='none'", "bad-request"),
        (ROMEO, "", "bad-request"),
        (JULIET, "affiliation='admin'", ["juliet@verona.example"]),
        (NURSE, "affiliation='owner'", "forbidden"),
        (NURSE, "role='moderator'", "forbidden"),
    ],
)
def test_lists(hall: Hall, who: str, wanted: str, found: list[str] | str) -> None:
    stage(hall, juliet="admin")
    answer = hall.admin(who, f"<item {wanted}/>", kind="get")
    if isinstance(found, str):
        assert error(answer)[1] == found
    else:
        assert [i.get("jid") for i in answer[0]] == found


# the configuration and the end


def test_the_form(hall: Hall) -> None:
    hall.enter(ROMEO, JULIET)
    answer = hall.iq(ROMEO, "<query xmlns='http://jabber.org/protocol/muc#owner'/>", "get")
    form = serialise(answer)
    for row in ("'muc#roomconfig_membersonly' type='boolean'", "<value>http://jabber.org/protocol/muc#roomconfig</value>"):
        assert row in form
    assert hall.configure(title="x", roomname="Verona", membersonly="0", whois="anyone", presencebroadcast="moderator", unknown="x").get("type") == "result"
    options = hall.rooms.options("balcony")
    assert (options["title"], options["anonymous"], options["presence_broadcast"]) == ("Verona", "false", "[moderator]")
    (told,) = hall.take(JULIET)
    assert (told.get("type"), codes(told)) == ("groupchat", {"104", "172"})
    assert error(hall.iq(JULIET, "<query xmlns='http://jabber.org/protocol/muc#owner'/>", "get")) == ("auth", "forbidden")
    assert error(hall.configure(JULIET)) == ("auth", "forbidden")


@pytest.mark.parametrize("fields", [{"maxusers": "many"}, {"passwordprotectedroom": "1"}, {"whois": "somebody"}, {"membersonly": "maybe"}])
def test_forms_that_cannot_be(hall: Hall, fields: dict[str, str]) -> None:
    hall.enter(ROMEO)
    before = hall.rooms.options("balcony")
    assert error(hall.configure(**fields)) == ("modify", "not-acceptable")
    assert hall.rooms.options("balcony") == before


@pytest.mark.parametrize("payload", ["", "<x xmlns='jabber:x:data' type='result'/>"])
def test_owner_queries_that_cannot_be(hall: Hall, payload: str) -> None:
    hall.enter(ROMEO)
    assert error(hall.iq(ROMEO, f"<query xmlns='http://jabber.org/protocol/muc#owner'>{payload}</query>")) == ("modify", "bad-request")


def test_a_form_that_is_cancelled(hall: Hall) -> None:
    """Before a new room is configured this ends it; later it changes nothing."""
    cancel = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='cancel'/></query>"
    hall.enter(ROMEO)
    assert hall.iq(ROMEO, cancel).get("type") == "result"
    assert hall.rooms.names() == []
    hall.enter(ROMEO)
    hall.configure()
    assert hall.iq(ROMEO, cancel).get("type") == "result"
    assert hall.rooms.names() == ["balcony"]


def test_a_room_is_destroyed(hall: Hall) -> None:
    stage(hall)
    destroy = f"<query xmlns='http://jabber.org/protocol/muc#owner'><destroy jid='garden@{SERVICE}'><reason>moved</reason></destroy></query>"
    assert error(hall.iq(JULIET, destroy)) == ("auth", "forbidden")
    assert hall.iq(ROMEO, destroy).get("type") == "result"
    (told,) = hall.take(JULIET)
    found = told.find(f"{USER}x/{USER}destroy")
    assert found is not None
    assert (told.get("type"), found.get("jid"), found.findtext(f"{USER}reason")) == ("unavailable", f"garden@{SERVICE}", "moved")
    assert error(hall.say(ROMEO, "Where")) == ("cancel", "item-not-found")


def test_a_room_of_the_same_name_starts_empty(hall: Hall) -> None:
    hall.enter(ROMEO)
    hall.say(ROMEO, "secret")
    hall.rooms.destroy("balcony", "", False)
    hall.enter(TYBALT)
    assert hall.rooms.history("balcony") == []
    assert hall.iq(TYBALT, "<query xmlns='urn:xmpp:mam:2'/>").get("type") == "result"
    assert hall.take(TYBALT) == []


def test_persistence_and_its_end(hall: Hall) -> None:
    hall.enter(ROMEO)
    hall.configure(persistentroom="1")
    hall.leave(ROMEO)
    assert hall.rooms.names() == ["balcony"]
    hall.enter(ROMEO)
    hall.configure(persistentroom="0")
    hall.leave(ROMEO)
    assert hall.rooms.names() == []
    assert list(hall.gateway.driver.users(SERVICE)) == []
