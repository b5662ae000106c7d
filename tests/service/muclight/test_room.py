"""Rules for changes of MUC Light rooms (XEP Multi-User Chat Light §5.1, §5.3, §5.4)."""

from __future__ import annotations

import pytest

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muclight.room import (
    MEMBER,
    NONE,
    OWNER,
    MucLightRoom,
    NewAffiliation,
    Rules,
    changed,
    configured,
    first_affiliations,
    new_room,
)

COVEN = parse_jid("coven@muclight.shakespeare.example")
NAMES = ("crone1", "hag77", "hag88", "hag66", "hecate")
CRONE, HAG77, HAG88, HAG66, HECATE = (parse_jid(f"{name}@shakespeare.example") for name in NAMES)
USERS = dict(zip(NAMES, (CRONE, HAG77, HAG88, HAG66, HECATE), strict=True))
RULES = Rules()


def room(**affiliations: str) -> MucLightRoom:
    return new_room(COVEN, {"roomname": "A Dark Cave"}, {USERS[name]: affiliation for name, affiliation in affiliations.items()})


def wanted(text: str) -> list[NewAffiliation]:
    """`hag66=member hag88=none`"""
    return [NewAffiliation(USERS[name], affiliation) for name, affiliation in (part.split("=") for part in text.split())]


def shown(changes: list[NewAffiliation]) -> str:
    return " ".join(f"{user.local}={affiliation}" for user, affiliation in changes)


THREE = {"crone1": OWNER, "hag77": MEMBER, "hag88": MEMBER}

GOOD = [
    # the example of the XEP
    ("crone1", "hag66=member hag77=owner hag88=none", "hag77=owner hag66=member hag88=none crone1=member"),
    ("crone1", "hag66=member", "hag66=member"),
    ("crone1", "hag88=none", "hag88=none"),
    ("crone1", "hag77=owner", "hag77=owner crone1=member"),
    ("crone1", "crone1=none hag88=owner", "hag88=owner crone1=none"),
    ("crone1", "crone1=none", "hag77=owner crone1=none"),
    ("crone1", "crone1=none hag77=none", "hag88=owner crone1=none hag77=none"),
    ("crone1", "crone1=none hecate=member", "hag77=owner crone1=none hecate=member"),
    ("crone1", "crone1=member", "hag77=owner crone1=member"),
    ("crone1", "crone1=member hag88=owner", "hag88=owner crone1=member"),
    ("crone1", "hecate=owner", "hecate=owner crone1=member"),
    ("crone1", "crone1=none hag77=none hag88=none", "crone1=none hag77=none hag88=none"),
    ("hag77", "hag77=none", "hag77=none"),
]


@pytest.mark.parametrize(("actor", "ask", "changes"), GOOD)
def test_changes_and_what_follows_from_them(actor: str, ask: str, changes: str) -> None:
    before = room(**THREE)
    after, done = changed(before, USERS[actor], wanted(ask), RULES)
    assert shown(done) == changes
    result = dict(after.affiliations) if after else {}
    assert {user: affiliation for user, affiliation in done if affiliation != NONE}.items() <= result.items()
    assert not {user for user, affiliation in done if affiliation == NONE} & result.keys()
    if after:
        assert list(result.values()).count(OWNER) == 1
        assert after.version != before.version
        assert after.birth == before.birth
    else:
        assert not result


BAD = [
    ("hecate", "hecate=member", "not-occupant"),
    ("hecate", "crone1=none", "not-occupant"),
    *(("crone1", ask, "bad-room-change") for ask in ["", "hag66=member hag66=member", "hag66=member hag66=none", "hag77=member"]),
    ("crone1", "crone1=owner", "bad-room-change"),
    ("crone1", "hag66=none", "bad-room-change"),
    ("crone1", "hag77=owner hag88=owner", "bad-room-change"),
    *(("hag77", ask, "not-owner") for ask in ["hag88=none", "hag77=owner", "hag66=member", "hag77=none hag88=none"]),
    ("hag77", "crone1=member", "not-owner"),
]


@pytest.mark.parametrize(("actor", "ask", "name"), BAD)
def test_changes_that_are_refused(actor: str, ask: str, name: str) -> None:
    with pytest.raises(GatewayError, match=name):
        changed(room(**THREE), USERS[actor], wanted(ask), RULES)


def test_an_owner_who_is_alone_cannot_step_down() -> None:
    with pytest.raises(GatewayError, match="the room must have an owner"):
        changed(room(crone1=OWNER), CRONE, wanted("crone1=member"), RULES)


@pytest.mark.parametrize(
    ("ask", "name"), [("hag66=member hecate=member", ""), ("hag66=owner", "not-owner"), ("hag88=none", "not-owner"), ("hag88=member", "not-owner")]
)
def test_what_members_may_do_where_all_can_invite(ask: str, name: str) -> None:
    rules = Rules(all_can_invite=True)
    if name:
        with pytest.raises(GatewayError, match=name):
            changed(room(**THREE), HAG77, wanted(ask), rules)
    else:
        assert shown(changed(room(**THREE), HAG77, wanted(ask), rules)[1]) == ask


def test_the_number_of_occupants_is_bounded_and_may_shrink() -> None:
    rules = Rules(max_occupants=3)
    with pytest.raises(GatewayError, match="room-full"):
        changed(room(**THREE), CRONE, wanted("hag66=member"), rules)
    assert changed(room(**THREE), CRONE, wanted("hag66=member hag88=none"), rules)[0]
    assert changed(room(**THREE), CRONE, wanted("hag88=none"), Rules(max_occupants=1))[0], "the setting was larger before"


@pytest.mark.parametrize("address", ["שלום@shakespeare.example", f"{'x' * 1000}@{'y' * 63}.example"])
def test_addresses_that_are_no_nicknames(address: str) -> None:
    user = parse_jid(address)
    with pytest.raises(GatewayError, match="bad-room-change"):
        changed(room(**THREE), CRONE, [NewAffiliation(user, MEMBER)], RULES)
    with pytest.raises(GatewayError, match="bad-room-change"):
        new_room(COVEN, {}, {user: OWNER})


# creation


def first(text: str, rules: Rules = RULES) -> dict[JID, str]:
    return first_affiliations(CRONE, wanted(text), rules)


def test_who_is_in_a_new_room() -> None:
    assert first("") == {CRONE: OWNER}
    assert first("hag77=member hag88=member") == {CRONE: OWNER, HAG77: MEMBER, HAG88: MEMBER}
    assert first("hag77=owner hag88=member") == {CRONE: MEMBER, HAG77: OWNER, HAG88: MEMBER}


@pytest.mark.parametrize("text", ["hag77=none", "crone1=member", "crone1=owner", "hag77=owner hag88=owner", "hag77=member hag77=member"])
def test_who_cannot_be_named(text: str) -> None:
    with pytest.raises(GatewayError, match="bad-room-change"):
        first(text)


def test_a_new_room_is_bounded() -> None:
    with pytest.raises(GatewayError, match="room-full"):
        first("hag77=member hag88=member", Rules(max_occupants=2))


# configuration


def test_fields() -> None:
    assert new_room(COVEN, {}, {CRONE: OWNER}).config == {"roomname": "Untitled", "subject": ""}
    before = room(**THREE)
    after = configured(before, CRONE, {"subject": "Round about the cauldron go"}, RULES)
    assert after.config == {"roomname": "A Dark Cave", "subject": "Round about the cauldron go"}
    assert after.version != before.version
    assert configured(after, CRONE, {"roomname": "A Dark Cave"}, RULES) is after


@pytest.mark.parametrize("field", ["version", "prev-version", "colour", ""])
def test_fields_that_are_none(field: str) -> None:
    with pytest.raises(GatewayError, match="bad-room-change"):
        configured(room(**THREE), CRONE, {field: "x"}, RULES)
    with pytest.raises(GatewayError, match="bad-room-change"):
        new_room(COVEN, {field: "x"}, {CRONE: OWNER})


def test_who_configures() -> None:
    for user, name in ((HAG77, "not-owner"), (HECATE, "not-occupant")):
        with pytest.raises(GatewayError, match=name):
            configured(room(**THREE), user, {"subject": "x"}, RULES)
    everybody = Rules(all_can_configure=True)
    assert configured(room(**THREE), HAG77, {"subject": "x"}, everybody).config["subject"] == "x"
    with pytest.raises(GatewayError, match="not-occupant"):
        configured(room(**THREE), HECATE, {"subject": "x"}, everybody)
