"""One request says something in a room of a real server: who was not in is, and the answer tells what became of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from .conftest import ONE_STREAM
from .gateway import PASSWORD, ROOT, Gateway, Sections
from .muc import MUC, Guest, OwnRoom, codes
from .proxy import Proxy
from .users import User
from .xmppserver import CONFERENCE, GATEWAY

SETTINGS: Sections = {**ONE_STREAM, "rooms_anywhere": {"retry_max": 1, "reflection_timeout": 5, "hold": 60}}


@pytest.fixture(scope="module")
def anywhere(proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), proxy.port, SETTINGS)
    gateway.start()
    for name in "romeo", "mercutio":
        gateway.register(name)
    gateway.wait_state("online")
    yield gateway
    gateway.stop()


@pytest.fixture
def romeo(anywhere: Gateway) -> Guest:
    return Guest(anywhere, "romeo")


@pytest.fixture
def garden(juliet: User) -> OwnRoom:
    return OwnRoom(juliet, f"garden-{uuid4().hex[:8]}", persistentroom="1")


def error_of(answer: Any) -> tuple[int, str]:
    """Status and condition of an error of /rest."""
    error = answer.json()["error"]
    assert error["text"]
    assert answer.json()["code"] == answer.status
    return answer.status, error["condition"]


def outcome_until(guest: Guest, identifier: str, state: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while (found := guest.outcome(identifier)).get("state") != state:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_who_speaks_is_joined(romeo: Guest, garden: OwnRoom) -> None:
    answer = romeo.say(garden.room, "Hark", id="m1", Nick=quote("Ρωμαίος"))
    assert answer.status == 200, answer.data
    assert (answer.headers["Stanza-Id"], answer.headers["Nick"]) == ("m1", quote("Ρωμαίος"))
    assert answer.headers["Preference-Applied"] == "wait=10"
    shown = answer.json()
    assert (shown["type"], shown["from"], shown["to"], shown["body"]) == ("groupchat", f"{garden.room}/Ρωμαίος", romeo.occupant, "Hark")
    heard = garden.hears("Hark")
    assert (heard.get("id"), heard.get("from")) == ("m1", f"{garden.room}/Ρωμαίος")
    assert heard.find("{http://jabber.org/protocol/nick}nick") is None  # the field adds none
    told = romeo.outcome("m1")
    assert (told["state"], told["room"], told["nick"]) == ("reflected", garden.room, "Ρωμαίος")
    assert told["stanza_id"] is None or told["stanza_id"]["by"] == garden.room
    view = romeo.view(garden.room)
    assert (view["state"], view["by"], view["stay"]) == ("in", "demand", False)
    # at once now, and under the nick that one has
    answer = romeo.say(garden.room, "Soft", None, id="m2", Nick="Montague")
    assert (answer.status, answer.headers["Nick"]) == (202, quote("Ρωμαίος"))
    outcome_until(romeo, "m2", "reflected")
    assert romeo.ask("DELETE", f"/{garden.room}").status == 204


def test_a_line_of_text_is_enough(romeo: Guest, garden: OwnRoom) -> None:
    path = f"/rest/message/groupchat/{garden.room}"
    answer = romeo.gateway.request("POST", path, "What light", "text/plain", "romeo", Prefer="wait=10", Accept="application/json")
    assert (answer.status, answer.json()["body"]) == (200, "What light"), answer.data
    garden.hears("What light")
    assert answer.headers["Nick"] == "romeo"
    told = romeo.outcome(answer.headers["Stanza-Id"])
    assert told["state"] == "reflected"
    assert told["stanza_id"] is None or told["stanza_id"]["by"] == garden.room  # by version, and by whether there is an archive


@pytest.mark.skipif(shutil.which("curl") is None, reason="the host has curl, and the smallest Debian 13 has not")
def test_the_line_of_the_page(romeo: Guest, garden: OwnRoom) -> None:
    """docs/rooms.md has it, and so it is run, but for what is the reader's own: account, place, room."""
    page = (ROOT / "docs/rooms.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\$ (curl .*-d 'Hark')$", page, re.MULTILINE)
    own = {
        "juliet:R0m30-forever": f"'romeo@{GATEWAY}:{PASSWORD}'",
        "127.0.0.1:8080": f"127.0.0.1:{romeo.gateway.port}",
        "garden@conference.example.org": garden.room,
    }
    for shown, meant in own.items():
        line = line.replace(shown, meant)
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["from"] == f"{garden.room}/romeo"
    garden.hears("Hark")
    done = subprocess.run(
        ["sh", "-c", line.replace(garden.room, f"typo-{uuid4().hex[:8]}@{CONFERENCE}")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["error"]["condition"] == "item-not-found"


def test_what_is_refused(romeo: Guest, juliet: User, garden: OwnRoom) -> None:
    name = uuid4().hex[:8]
    assert error_of(romeo.say(f"typo-{name}@{CONFERENCE}", "x")) == (404, "item-not-found")
    assert error_of(romeo.say(f"typo-{name}@{CONFERENCE}", "x", None)) == (404, "item-not-found")
    info = juliet.iq(f"typo-{name}@{CONFERENCE}", "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    assert info.get("type") == "error"
    members = OwnRoom(juliet, f"members-{name}", membersonly="1")
    answer = romeo.say(members.room, "x")
    assert error_of(answer) == (403, "registration-required")
    assert answer.json()["error"]["by"].partition("/")[0] == members.room
    assert error_of(romeo.say(garden.room, "x", Nick="Juliet")) == (409, "conflict")
    assert error_of(romeo.say(garden.room, "x", Nick="%20")) == (422, "jid-malformed")
    # in, but without a voice
    moderated = OwnRoom(juliet, f"moderated-{name}", moderatedroom="1")
    moderated.change(f"jid='romeo@{GATEWAY}'", "affiliation='none'")
    assert romeo.put(moderated.room).status == 201
    moderated.change("nick='romeo'", "role='visitor'")
    answer = romeo.say(moderated.room, "x", id=f"v-{name}")
    assert error_of(answer) == (403, "forbidden")
    assert answer.headers["Stanza-Id"] == f"v-{name}"
    assert romeo.say(moderated.room, "x", None, id=f"w-{name}").status == 202
    told = outcome_until(romeo, f"w-{name}", "refused")
    assert told["error"]["condition"] == "forbidden"


def test_in_a_batch_one_joins_for_all(romeo: Guest, garden: OwnRoom) -> None:
    other = f"typo-{uuid4().hex[:8]}@{CONFERENCE}"
    lines = [{"kind": "message", "type": "groupchat", "to": to, "body": body} for to, body in
             ((garden.room, "one"), (other, "x"), (garden.room, "two"), (other, "y"), (f"mercutio@{GATEWAY}", "z"))]  # fmt: skip
    body = "".join(json.dumps(line) + "\n" for line in lines)
    answer = romeo.gateway.request("POST", "/rest", body, "application/x-ndjson", "romeo")
    results = [json.loads(line) for line in answer.data.splitlines()]
    assert [row["outcome"] for row in results][:3] == ["accepted", "error", "accepted"], results
    assert (results[1]["code"], results[1]["error"]["condition"]) == (404, "item-not-found")
    assert results[3]["outcome"] == "error"
    assert results[4]["outcome"] == "accepted"
    garden.hears("one")
    garden.hears("two")


def test_put_out_one_is_refused_at_once(romeo: Guest, garden: OwnRoom) -> None:
    assert romeo.say(garden.room, "Hark").status == 200
    garden.change("nick='romeo'", "role='none'")
    romeo.until(garden.room, "out")
    for wait in 10, None:
        answer = romeo.say(garden.room, "Why?", wait)
        assert error_of(answer) == (403, "not-allowed")
        assert "Too loud" in answer.json()["error"]["text"]
    assert romeo.put(garden.room).status == 201
    assert romeo.say(garden.room, "Here again").status == 200
    garden.destroy()
    romeo.until(garden.room, "out")
    assert error_of(romeo.say(garden.room, "Hark")) == (410, "gone")


def test_a_room_that_forgot_one_is_joined_again(romeo: Guest, garden: OwnRoom) -> None:
    assert romeo.say(garden.room, "Hark").status == 200
    garden.hears("Hark")
    # as a room that has lost the occupant, behind the gateway's back
    component = romeo.gateway.request(
        "POST", "/rest", f"<presence from='{romeo.occupant}' to='{garden.room}/romeo' type='unavailable'/>", "application/xmpp+xml"
    )
    assert component.status == 202
    garden.sees("romeo", "unavailable")
    answer = romeo.say(garden.room, "Still here", id="again")
    assert answer.status == 200, answer.data
    assert garden.hears("Still here").get("id") == "again"
    assert romeo.view(garden.room)["state"] == "in"


def test_what_is_said_while_the_link_is_down_waits(romeo: Guest, garden: OwnRoom, proxy: Proxy) -> None:
    assert romeo.say(garden.room, "Hark").status == 200
    proxy.up = False
    proxy.cut()
    romeo.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    try:
        for n in range(3):
            answer = romeo.say(garden.room, f"held {n}", None, id=f"held-{n}")
            assert (answer.status, answer.headers["Stanza-Id"]) == (202, f"held-{n}"), answer.data
        assert romeo.outcome("held-0")["state"] == "accepted"
        assert romeo.gateway.status()["rooms"]["held"] == 3
        answer = romeo.say(garden.room, "held 3", 1)
        assert error_of(answer) == (504, "remote-server-timeout")
        elsewhere = Guest(romeo.gateway, "mercutio").say(garden.room, "x", None)
        assert (elsewhere.status, "Retry-After" in elsewhere.headers) == (503, True)  # nothing is kept of who is not in
        garden.juliet.send_message(garden.room, "Anybody?", "groupchat")  # Prosody finds out, and puts romeo out
        garden.hears("Anybody?")
    finally:
        proxy.up = True
        romeo.gateway.wait_state("online")
    heard = [garden.juliet.wait(lambda s: (s.findtext("{*}body") or "").startswith("held ")).findtext("{*}body") for _ in range(4)]
    assert heard == [f"held {n}" for n in range(4)]
    outcome_until(romeo, "held-2", "reflected")


def test_what_is_held_outlives_a_killed_gateway(romeo: Guest, garden: OwnRoom, proxy: Proxy) -> None:
    assert romeo.put(garden.room).status == 201
    proxy.up = False
    proxy.cut()
    romeo.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    for n in range(2):
        assert romeo.say(garden.room, f"kept {n}", None, id=f"kept-{n}").status == 202
    romeo.gateway.kill()
    proxy.up = True
    romeo.gateway.start()
    for n in range(2):
        assert garden.hears(f"kept {n}", 60).get("id") == f"kept-{n}"


def test_the_component_and_other_ways(romeo: Guest, garden: OwnRoom) -> None:
    gateway = romeo.gateway
    answer = gateway.post_json({"kind": "message", "type": "groupchat", "to": garden.room, "body": "From the house"}, Prefer="wait=10")
    assert answer.status == 200, answer.data
    assert answer.json()["from"] == f"{garden.room}/gateway"  # its first label
    message = {"type": "groupchat", "from": f"romeo@{GATEWAY}", "to": garden.room, "subject": "", "body": "By command"}
    answer = gateway.post_json(message, "admin", "/api/send_message")
    assert (answer.status, answer.json()) == (200, 0), answer.data
    garden.hears("By command")
    wrong = gateway.post_json({**message, "to": f"typo-{uuid4().hex[:8]}@{CONFERENCE}"}, "admin", "/api/send_message")
    assert wrong.status == 404, wrong.data
    # a raw occupant is as it always was
    gateway.send(f"<presence from='ghost@{GATEWAY}/x' to='{garden.room}/Ghost'><x xmlns='{MUC}'/></presence>")
    garden.sees("Ghost")
    raw = gateway.post_xml(
        f"<message from='ghost@{GATEWAY}/x' to='{garden.room}' type='groupchat'><body>boo</body></message>", Prefer="wait=10"
    )
    assert raw.status == 200, raw.data
    assert garden.hears("boo").get("from") == f"{garden.room}/Ghost"
    listed = gateway.request("GET", f"/rest/rooms?of=ghost@{GATEWAY}")
    assert listed.json() == {"rooms": []}


def test_never_a_bounce(romeo: Guest, garden: OwnRoom) -> None:
    """Who answers the traffic of a room with an error is put out of it."""
    assert romeo.say(garden.room, "Hark").status == 200
    garden.sees("romeo")
    for n in range(3):
        garden.juliet.send_message(f"{garden.room}/romeo", f"psst {n}")
        garden.juliet.send_message(garden.room, f"hm {n}", "groupchat")
        garden.juliet.send_message(f"romeo@{GATEWAY}/nowhere", f"direct {n}", "groupchat")
        garden.juliet.send_message(f"nobody@{GATEWAY}", f"direct {n}", "groupchat")
        garden.hears(f"hm {n}")
    garden.juliet.iq(f"romeo@{GATEWAY}", "<ping xmlns='urn:xmpp:ping'/>")
    assert garden.nicks() == {"romeo"}
    assert not [s for s in garden.juliet.drain() if s.get("type") == "error" or "333" in codes(s)]
