"""Accounts of real servers in rooms and with files, by the gateway: beside a hosted account and a client of their own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from .foreign_guest import ForeignGuest, ServerRoom, VisitedGateway, content_of
from .gateway import Sections
from .muc import MUC, Guest
from .tls_servers import FOREIGN, FOREIGN_ROOMS, ForeignUser, TLSServer
from .users import EventLoop
from .xmppserver import GATEWAY

SETTINGS: Sections = {
    "gateway": {"rooms_domain": ""},
    "rooms_anywhere": {"retry_max": 1, "reflection_timeout": 5, "hold": 60},
    "sessions": {"keepalive": 5},
    "server": {"workers": 3},
}


@pytest.fixture(scope="module")
def visited(tls_server: TLSServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VisitedGateway]:
    gateway = VisitedGateway(tmp_path_factory.mktemp("gateway"), tls_server, SETTINGS)
    try:
        gateway.start()
        gateway.register("nurse")
        gateway.wait_state("online")
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def romeo(visited: VisitedGateway) -> ForeignGuest:
    return ForeignGuest(visited, "romeo")


@pytest.fixture
def benvolio(visited: VisitedGateway) -> ForeignGuest:
    return ForeignGuest(visited, "benvolio")


@pytest.fixture
def nurse(visited: VisitedGateway) -> Guest:
    return Guest(visited, "nurse")


@pytest.fixture(scope="module")
def owner(tls_server: TLSServer, event_loop_thread: EventLoop) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "juliet")
    user.connect()
    yield user
    user.close()


@pytest.fixture
def garden(owner: ForeignUser) -> ServerRoom:
    return ServerRoom(owner, f"garden-{uuid4().hex[:8]}", persistentroom="1")


def outcome_until(guest: Guest, identifier: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (found := guest.outcome(identifier)).get("state") != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def kept_until(guest: ForeignGuest, room: str, bodies: list[str]) -> None:
    deadline = time.monotonic() + 60
    while (found := [message.get("body") for message in guest.messages(room)]) != bodies:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_two_accounts_elsewhere_and_a_hosted_one_in_one_room(
    romeo: ForeignGuest, benvolio: ForeignGuest, nurse: Guest, garden: ServerRoom
) -> None:
    answer = romeo.say(garden.room, "Hark", id="m1", Nick=quote("Ρωμαίος"))
    assert answer.status == 200, answer.data
    shown = answer.json()
    assert (shown["from"], shown["to"], shown["body"]) == (f"{garden.room}/Ρωμαίος", romeo.occupant, "Hark")
    assert garden.hears("Hark").get("from") == f"{garden.room}/Ρωμαίος"
    told = romeo.outcome("m1")
    assert (told["state"], told["room"]) == ("reflected", garden.room)
    joined = benvolio.put(garden.room, {"nick": "benvolio", "stay": True})
    assert (joined.status, joined.json()["state"]) == (201, "in"), joined.data
    assert nurse.put(garden.room).status == 201
    romeo.until_listed(garden.room, "nurse")
    assert {occupant["nick"] for occupant in romeo.view(garden.room)["occupants"]} == {"Juliet", "benvolio", "nurse", "Ρωμαίος"}
    assert nurse.say(garden.room, "Anon", id="n1").status == 200
    assert benvolio.say(garden.room, "Soft", None, id="b1").status == 202
    outcome_until(benvolio, "b1", "reflected")
    kept_until(romeo, garden.room, ["Hark", "Anon", "Soft"])
    kept_until(benvolio, garden.room, ["Anon", "Soft"])
    assert romeo.ask("DELETE", f"/{garden.room}?reason=Good%20night").status == 204
    garden.sees("Ρωμαίος", "unavailable")
    assert romeo.ask("GET", f"/{garden.room}").status == 404


def test_order_is_kept(romeo: ForeignGuest, garden: ServerRoom) -> None:
    bodies = [f"word {number}" for number in range(30)]
    assert romeo.say(garden.room, bodies[0]).status == 200
    for body in bodies[1:]:
        assert romeo.say(garden.room, body, None).status == 202
    kept_until(romeo, garden.room, bodies)


def test_what_occupants_do(romeo: ForeignGuest, benvolio: ForeignGuest, garden: ServerRoom) -> None:
    for guest in romeo, benvolio:
        assert guest.put(garden.room).status == 201
    romeo.until_listed(garden.room, "benvolio")
    assert romeo.ask("POST", f"/{garden.room}/kick", {"nick": "benvolio"}).status == 403
    garden.change("nick='romeo'", "role='moderator'")
    assert romeo.ask("PUT", f"/{garden.room}/subject", {"subject": "Tonight"}).status == 204
    deadline = time.monotonic() + 30
    while romeo.ask("POST", f"/{garden.room}/kick", {"nick": "benvolio", "reason": "Peace"}).status != 204:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    reason = benvolio.until(garden.room, "out")["reason"]
    assert (reason["condition"], reason["text"], reason["rejoin"]) == ("not-allowed", "Peace", False)
    answer = benvolio.say(garden.room, "Why", None)
    assert (answer.status, answer.json()["error"]["condition"]) == (403, "not-allowed")
    assert benvolio.put(garden.room, {"nick": "cousin"}).status == 201
    assert benvolio.put(garden.room, {"nick": "benvolio"}).json()["nick"] == "benvolio"


def test_invitations(romeo: ForeignGuest, owner: ForeignUser, garden: ServerRoom) -> None:
    assert romeo.put(garden.room).status == 201
    invitation = {"to": f"juliet@{FOREIGN}", "reason": "Come", "direct": True}
    assert romeo.ask("POST", f"/{garden.room}/invite", invitation).status == 204
    told = owner.wait(lambda s: s.find("{jabber:x:conference}x") is not None)
    assert (told.get("from"), told.find("{jabber:x:conference}x").get("jid")) == (romeo.occupant, garden.room)  # type: ignore[union-attr]
    assert romeo.ask("POST", f"/{garden.room}/invite", {"to": f"mercutio@{FOREIGN}"}).status in (204, 403)  # ejabberd asks for moderators


def test_what_is_refused(romeo: ForeignGuest, owner: ForeignUser, garden: ServerRoom) -> None:
    name = uuid4().hex[:8]
    answer = romeo.say(f"typo-{name}@{FOREIGN_ROOMS}", "x")
    assert (answer.status, answer.json()["error"]["condition"]) == (404, "item-not-found")
    members = ServerRoom(owner, f"members-{name}", membersonly="1")
    assert romeo.put(members.room).status == 403
    assert romeo.put(garden.room, {"nick": "Juliet"}).status == 409
    assert romeo.ask("GET", "?of=nurse@" + GATEWAY).status == 403


def test_rooms_end_with_the_session(romeo: ForeignGuest, garden: ServerRoom) -> None:
    assert romeo.put(garden.room, {"stay": True}).status == 201
    garden.sees("romeo")
    romeo.log_out()
    garden.sees("romeo", "unavailable")
    assert romeo.ask("GET", "").json() == {"rooms": []}


def test_a_presence_joins_and_leaves_as_well(romeo: ForeignGuest, garden: ServerRoom) -> None:
    join = f"<presence to='{garden.room}/mask'><x xmlns='{MUC}'/></presence>"
    assert romeo.gateway.post_xml(join, romeo.user).status == 202
    garden.sees("mask")
    answer = romeo.say(garden.room, "Hark")
    assert (answer.status, answer.headers["Nick"]) == (200, "mask"), answer.data
    assert romeo.ask("GET", f"/{garden.room}").status == 404
    assert romeo.gateway.post_xml(f"<presence type='unavailable' to='{garden.room}/mask'/>", romeo.user).status == 202
    garden.sees("mask", "unavailable")
    # and who was brought in by the gateway may leave so too
    assert romeo.put(garden.room).status == 201
    garden.sees("romeo")
    assert romeo.gateway.post_xml(f"<presence type='unavailable' to='{garden.room}/romeo'/>", romeo.user).status == 202
    garden.sees("romeo", "unavailable")
    assert romeo.ask("GET", f"/{garden.room}").status == 404


def test_a_room_of_another_service(romeo: ForeignGuest, nurse: Guest) -> None:
    """The conference of the gateway itself, which the account's server reaches as any other."""
    room = f"balcony-{uuid4().hex[:8]}@conference.{GATEWAY}"
    assert nurse.put(room, {"create": True}).status == 201
    answer = romeo.say(room, "Hark")
    assert answer.status == 200, answer.data
    nurse.until_listed(room, "romeo")
    assert romeo.ask("DELETE", f"/{room}").status == 204


def test_streams_tell_what_is_heard_and_what_becomes_of_memberships(romeo: ForeignGuest, garden: ServerRoom) -> None:
    with romeo.listening("/rest/stream") as events, romeo.listening("/api/sse?rooms") as of_client:
        assert romeo.put(garden.room).status == 201
        assert romeo.say(garden.room, "Hark").status == 200
        garden.juliet.send_message(garden.room, "Ay me", "groupchat")
        told = list(islice(((event.name, json.loads(event.data)) for event in events), 4))
        assert [(name, data["state"]) for name, data in told[:2]] == [("room", "joining"), ("room", "in")]
        said = [(name, data["body"], data["from"]) for name, data in told[2:]]
        assert said == [("message", "Hark", f"{garden.room}/romeo"), ("message", "Ay me", f"{garden.room}/Juliet")]
        shown = list(islice((json.loads(event.data) for event in of_client if event.name == "muc.message"), 2))
        assert [(one["nick"], one["body"], one["own"]) for one in shown] == [("romeo", "Hark", True), ("Juliet", "Ay me", False)]


# -- files


def test_a_file_goes_to_the_service_of_the_own_server(romeo: ForeignGuest, owner: ForeignUser, garden: ServerRoom) -> None:
    answer = romeo.send_file(b"rose", f"to=juliet@{FOREIGN}&to={garden.room}&name=rose.png&caption=Look", Prefer="wait=10")
    assert answer.status == 201, answer.data
    said = answer.json()
    assert (said["id"], said["size"], said["media_type"]) == (None, 4, "image/png")
    assert [(one["type"], one["outcome"]) for one in said["messages"]] == [("chat", "accepted"), ("groupchat", "reflected")], said
    assert content_of(said["url"]) == b"rose"
    found = owner.wait(lambda s: s.get("type") == "chat" and s.findtext("{*}body") == said["url"])
    assert found.get("from") == romeo.occupant
    assert garden.hears(said["url"]).findtext("{jabber:x:oob}x/{jabber:x:oob}url") == said["url"]
    assert romeo.gateway.request("GET", "/rest/files", user=romeo.user).status == 403


def test_files_that_are_refused(romeo: ForeignGuest, garden: ServerRoom) -> None:
    answer = romeo.send_file(b"x" * (1 << 20) + b"x", f"to=juliet@{FOREIGN}&name=rose.png")
    assert (answer.status, answer.json()["max_size"]) == (413, 1 << 20), answer.data
    answer = romeo.send_file(b"rose", f"to=juliet@{FOREIGN}&name=rose.png&from=benvolio@{FOREIGN}")
    assert (answer.status, answer.json()["condition"]) == (403, "forbidden")
    answer = romeo.send_file(b"rose", f"to=typo-{uuid4().hex[:8]}@{FOREIGN_ROOMS}&type=groupchat&name=rose.png")
    assert (answer.status, answer.json()["condition"]) == (404, "item-not-found"), answer.data
