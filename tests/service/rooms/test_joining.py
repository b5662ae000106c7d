"""How actors come into rooms (rooms-anywhere §3.2, §4)."""

from __future__ import annotations

from tests.conftest import DOMAIN
from tests.service.rooms.scripted import ROOM, Scripted
from xmpp_rest.protocol.namespaces import MUC
from xmpp_rest.service.rooms.values import Subject, Wish

OCCUPANT = f"juliet@{DOMAIN}/xmpp-rest"


def test_it_asks_what_the_room_is_and_comes_in(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter(Wish(history=3, password="s3same", by="request", stay=True)) is None
    view = scripted.view()
    assert view is not None
    assert (view.occupant, view.nick, view.state, view.by, view.stay) == (OCCUPANT, "juliet", "in", "request", True)
    assert (view.name, view.persistent, view.role, view.subject) == ("Garden", True, "participant", Subject("Tonight", "other"))
    assert ([o.nick for o in view.occupants], view.occupants_total) == (["juliet", "other"], 2)
    (presence,) = scripted.presences()
    assert (presence.get("from"), presence.get("to")) == (OCCUPANT, f"{ROOM}/juliet")
    assert presence.find(f"{{{MUC}}}x/{{{MUC}}}history[@maxstanzas='3']") is not None
    assert presence.findtext(f"{{{MUC}}}x/{{{MUC}}}password") == "s3same"
    assert scripted.enter() is None
    assert len(scripted.presences()) == 1
