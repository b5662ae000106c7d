"""Quotas of rooms: owned rooms and foreign occupants are bounded, and leaving is always possible."""

from __future__ import annotations

import pytest

from tests.api.client.calls import refused
from tests.api.client.rooms import CLUB, Rooms
from tests.conftest import DOMAIN, PASSWORD, MakeApp
from xmpp_rest.protocol.jid import parse_jid

JULIET, NURSE, TYBALT = (f"{name}@{DOMAIN}" for name in ("juliet", "nurse", "tybalt"))
ROMEO, PARIS, MERCUTIO = (f"{name}@montague.example" for name in ("romeo", "paris", "mercutio"))


def apis(make_app: MakeApp, **settings: str) -> tuple[Rooms, Rooms]:
    app = make_app(**settings)
    for user in (JULIET, NURSE, TYBALT):
        app.extensions["gateway"].parts.accounts.register(parse_jid(user), PASSWORD)
    return Rooms(app, JULIET), Rooms(app, NURSE)


def test_rooms_of_one_owner(make_app: MakeApp) -> None:
    juliet, nurse = apis(make_app, rooms_per_owner="2")
    for name in ("garden", "balcony"):
        juliet.create(name, participants=[NURSE])
    status, text = refused(juliet("PUT", "/orchard", CLUB))
    assert (status, text) == (403, f"{JULIET} owns 2 rooms, and may own 2 ([rooms] per_owner)")
    assert refused(juliet("POST", "", CLUB))[0] == 403
    assert juliet.ids() == {"garden", "balcony"}
    nurse.create("kitchen", participants=[JULIET])  # to be in a room is not to own it
    juliet.done("DELETE", f"/garden/users/{JULIET}")  # the nurse owns it from now on
    juliet.create("orchard")
    assert refused(juliet("PUT", "/crypt", CLUB))[0] == 403
    assert refused(nurse("PUT", "/crypt", CLUB))[0] == 403


def test_leaving_is_possible_whatever_the_heir_owns(make_app: MakeApp) -> None:
    juliet, nurse = apis(make_app, rooms_per_owner="1")
    juliet.create("garden", participants=[NURSE])
    nurse.create("kitchen")
    juliet.done("DELETE", f"/garden/users/{JULIET}")
    assert nurse.roles("garden") == {NURSE: "owner"}
    juliet.create("orchard")


def test_people_of_other_servers_in_all_rooms_of_one_owner(make_app: MakeApp) -> None:
    juliet, nurse = apis(make_app, rooms_foreign_per_owner="2")
    juliet.create("garden", participants=[ROMEO, NURSE])
    juliet.create("balcony", participants=[ROMEO])
    status, text = refused(juliet("POST", "/garden/users", {"user": PARIS}))
    assert status == 403
    assert text == f"3 occupants of other servers would be in the rooms of {JULIET}; there may be 2 at most ([rooms] foreign_per_owner)"
    assert refused(juliet("PUT", "/orchard", CLUB | {"participants": [PARIS]}))[0] == 403
    juliet.done("POST", "/garden/users", {"user": TYBALT})  # is at home here
    nurse.create("kitchen", participants=[PARIS, MERCUTIO])
    juliet.done("DELETE", f"/balcony/users/{ROMEO}")
    juliet.done("POST", "/garden/users", {"user": PARIS})
    assert juliet.roles("garden").keys() == {JULIET, NURSE, TYBALT, ROMEO, PARIS}


@pytest.mark.parametrize("settings", [{"rooms_foreign_per_owner": "1"}, {"rooms_per_owner": "1"}])
def test_a_lower_limit_than_what_is_there_removes_nobody(make_app: MakeApp, tmp_path: object, settings: dict[str, str]) -> None:
    storage = {"storage_url": f"sqlite:{tmp_path}/shared.sqlite", "server_data_dir": f"{tmp_path}/shared"}
    juliet, _ = apis(make_app, **storage)
    for name in ("garden", "balcony"):
        juliet.create(name, participants=[ROMEO, PARIS])
    juliet.client.application.extensions["gateway"].stop()
    juliet = Rooms(make_app(**storage, **settings), JULIET)
    assert juliet.roles("garden") == {JULIET: "owner", ROMEO: "member", PARIS: "member"}
    juliet.done("POST", "/garden/users", {"user": NURSE})
    juliet.done("DELETE", f"/garden/users/{ROMEO}")
    assert refused(juliet("PUT", "/orchard", CLUB | {"participants": [MERCUTIO]}))[0] == 403
