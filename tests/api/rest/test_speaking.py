"""Messages to rooms on other servers (rooms-anywhere §3)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from threading import Thread
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.api.rest.rooms_elsewhere import JULIET, NDJSON, OCCUPANT, Elsewhere, stamped
from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from tests.link.attached import until
from tests.link.network import Network
from tests.service.rooms.scripted import ACTOR, ROOM, ScriptedRoom
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import child, copied, make


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.server.close()


@pytest.fixture
def elsewhere(make_app: MakeApp, network: Network) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(make_app, network)
    yield elsewhere
    elsewhere.stop()


def test_it_comes_in_and_is_written(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    response = elsewhere.post(id="m1")
    assert (response.status_code, response.headers["Stanza-Id"], response.headers["Nick"], response.data) == (202, "m1", "juliet", b"")
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")
    (message,) = elsewhere.messages
    assert (message.get("from"), message.get("to"), message.get("id"), message.get("type")) == (OCCUPANT, ROOM, "m1", "groupchat")
    assert [e.get("id") for e in message.iterfind(f"{{{STANZA_ID}}}origin-id")] == ["m1"]
    outcome = elsewhere.outcome("m1")
    assert {key: outcome[key] for key in ("id", "state", "room", "nick", "stanza_id")} == {
        "id": "m1", "state": "reflected", "room": ROOM, "nick": "juliet", "stanza_id": None,
    }  # fmt: skip
    assert elsewhere.post("Again").status_code == 202
    until(lambda: elsewhere.bodies == ["Hello", "Again"])
    assert len(elsewhere.presences()) == 1


def test_with_wait_the_answer_is_what_the_room_shows(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    response = elsewhere.wait()
    assert (response.status_code, response.headers["Preference-Applied"], response.headers["Nick"]) == (200, "wait=20", "juliet")
    shown = response.get_json()
    assert (shown["from"], shown["to"], shown["body"], shown["type"]) == (f"{ROOM}/juliet", OCCUPANT, "Hello", "groupchat")


@pytest.mark.parametrize(
    ("condition", "status"),
    [("forbidden", 403), ("not-authorized", 403), ("registration-required", 403), ("not-allowed", 403), ("service-unavailable", 404)],
)
def test_a_refused_join_sends_nothing(elsewhere: Elsewhere, condition: str, status: int) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: condition
    for response in (elsewhere.post(id="m1"), elsewhere.wait(id="m2")):
        error = response.get_json()
        assert (response.status_code, error["type"], error["code"]) == (status, "error", status)
        assert (error["error"]["condition"], error["error"]["code"], error["error"]["by"]) == (condition, status, f"{ROOM}/juliet")
        assert error["error"]["text"]
        assert "Nick" not in response.headers
        assert response.headers["Stanza-Id"]
    assert elsewhere.messages == []
    assert elsewhere.outcome("m1")["state"] == "404"


@pytest.mark.parametrize(
    ("condition", "status"), [("forbidden", 403), ("policy-violation", 403), ("bad-request", 422), ("internal-server-error", 502)]
)
def test_what_the_room_refuses_is_told_with_its_condition(elsewhere: Elsewhere, condition: str, status: int) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: condition
    response = elsewhere.wait(id="m1")
    error = response.get_json()["error"]
    assert (response.status_code, error["condition"], error["by"]) == (status, condition, ROOM)
    assert (response.headers["Stanza-Id"], response.headers["Nick"], response.headers["Preference-Applied"]) == ("m1", "juliet", "wait=20")
    outcome = elsewhere.outcome("m1")
    assert (outcome["state"], outcome["error"]["condition"]) == ("refused", condition)
    assert elsewhere.post(id="m2").status_code == 202
    until(lambda: elsewhere.outcome("m2")["state"] == "refused")


def test_a_room_that_shows_nothing(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_reflection_timeout="0.2")
    elsewhere.room.rules["message"] = lambda _: ""
    key = {"Idempotency-Key": "k1"}
    response = elsewhere.wait(seconds=1, id="m1", fields=key)
    error = response.get_json()["error"]
    assert (response.status_code, error["condition"]) == (504, "remote-server-timeout")
    assert error["text"] == "The room did not show the message within 1 s; ask /rest/outcome/m1"
    assert response.headers["Stanza-Id"] == "m1"
    assert elsewhere.outcome("m1")["state"] in ("written", "confirmed")
    again = elsewhere.wait(seconds=1, id="m1", fields=key)
    assert (again.status_code, again.headers["Stanza-Id"], again.headers["Idempotent-Replayed"]) == (504, "m1", "true")
    assert len(elsewhere.messages) == 1
    (message,) = elsewhere.messages  # late, but shown
    elsewhere.say(_shown(message))
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")


def test_a_room_that_gives_ids_of_its_own(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post(id="m1").status_code == 202
    until(lambda: len(elsewhere.messages) == 1)
    shown = _shown(elsewhere.messages[0])
    shown.set("id", "another")
    shown.append(stamped("s1"))
    shown.append(stamped("forged", "montague.example"))
    elsewhere.say(shown)
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")
    assert elsewhere.outcome("m1")["stanza_id"] == {"id": "s1", "by": ROOM}


def test_what_others_say_is_no_reflection(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_reflection_timeout="60")
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post(id="m1").status_code == 202
    until(lambda: len(elsewhere.messages) == 1)
    forged = _shown(elsewhere.messages[0])
    forged.set("from", f"{ROOM}/other")
    elsewhere.say(forged)
    real = _shown(elsewhere.messages[0])
    elsewhere.say(real)
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")
    assert elsewhere.outcome("m1")["nick"] == "juliet"


def test_a_room_that_has_forgotten_its_occupant(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.wait("One").status_code == 200
    elsewhere.room.occupants.pop(OCCUPANT)
    response = elsewhere.wait("Two", id="m2")
    assert (response.status_code, response.get_json()["body"]) == (200, "Two")
    assert elsewhere.bodies == ["One", "Two", "Two"]
    assert [m.get("id") for m in elsewhere.messages[1:]] == ["m2", "m2"]
    assert len(elsewhere.presences()) == 2


def test_it_is_written_once_more_and_no_more(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: "not-acceptable"
    response = elsewhere.wait(id="m1")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (409, "not-acceptable")
    assert len(elsewhere.messages) == 2


def test_a_room_that_asks_to_slow_down(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.wait("One").status_code == 200
    refusals = ["resource-constraint"] * 4  # Two, Three and Four, which are written at once, and Two once more
    elsewhere.room.rules["message"] = lambda _: refusals.pop() if refusals else None
    lines = b"".join(b'{"type":"groupchat","to":"%s","id":"%s","body":"%s"}\n' % (ROOM.encode(), b, b) for b in (b"Two", b"Three", b"Four"))
    response = elsewhere.client.post("/rest", data=lines, headers=JULIET | {"Content-Type": NDJSON})
    assert [json.loads(line)["outcome"] for line in response.data.splitlines()] == ["accepted"] * 3
    until(lambda: all(elsewhere.outcome(i)["state"] == "reflected" for i in ("Two", "Three", "Four")))
    assert [m.get("id") for m in elsewhere.messages[1:]] == ["Two", "Three", "Four", "Two", "Two", "Three", "Four"]


def test_until_the_time_for_holding_is_over(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_hold="0.5")
    elsewhere.room.rules["message"] = lambda _: "resource-constraint"
    response = elsewhere.wait(id="m1")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (503, "resource-constraint")
    assert elsewhere.outcome("m1")["state"] == "refused"


@pytest.mark.parametrize("fields", [{}, {"Prefer": "wait=0"}])
def test_without_waiting(elsewhere: Elsewhere, fields: dict[str, str]) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: "forbidden"
    response = elsewhere.post(id="m1", fields=fields)
    assert (response.status_code, "Preference-Applied" in response.headers) == (202, False)
    until(lambda: elsewhere.outcome("m1")["state"] == "refused")


def test_the_nick(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    for bad in ("", "%20", "%FF", "é", "x" * 1024, "%00"):
        response = elsewhere.post(fields={"Nick": bad})
        assert (response.status_code, response.get_json()["error"]["condition"]) == (422, "jid-malformed"), bad
    assert elsewhere.post(fields={"Nick": "other"}).status_code == 409
    response = elsewhere.wait(fields={"Nick": "R%C3%A9my%20M%C3%BCller"}, nick="Ignored")
    assert (response.status_code, response.headers["Nick"]) == (200, "R%C3%A9my%20M%C3%BCller")
    assert elsewhere.room.occupants[OCCUPANT] == "Rémy Müller"
    assert response.get_json()["nick"] == "Ignored"
    assert elsewhere.wait(fields={"Nick": "Other%20one"}).headers["Nick"] == "R%C3%A9my%20M%C3%BCller"
    assert len(elsewhere.presences()) == 2


def test_the_nick_in_the_message(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.post(nick="other").status_code == 409
    assert elsewhere.wait(nick="Jules").headers["Nick"] == "Jules"


def test_rooms_that_are_not_joined(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_no_join="conference.montague.example")
    response = elsewhere.post(id="m1")
    assert (response.status_code, "Nick" in response.headers) == (202, False)
    until(lambda: elsewhere.outcome("m1")["state"] == "refused")
    assert elsewhere.presences() == []


def test_nobody_is_joined_where_that_is_not_wanted(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_join="never")
    response = elsewhere.post()
    assert (response.status_code, response.get_json()["error"]["condition"]) == (409, "not-acceptable")
    assert response.get_json()["error"]["text"] == f"Not in the room; PUT /rest/rooms/{ROOM} joins it"
    assert elsewhere.enter() is None
    assert elsewhere.wait().status_code == 200


def test_a_room_that_is_not_there_is_not_made(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    response = elsewhere.post(to="gardn@conference.montague.example")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (404, "item-not-found")
    assert elsewhere.presences() == []


def test_who_was_put_out(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.wait().status_code == 200
    elsewhere.put_out("307", "110")
    elsewhere.until_state("out")
    response = elsewhere.post(id="m1")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (403, "not-allowed")
    lines = b'{"type":"groupchat","to":"%s","id":"m2","body":"Hello"}' % ROOM.encode()
    line = json.loads(elsewhere.client.post("/rest", data=lines, headers=JULIET | {"Content-Type": NDJSON}).data)
    assert (line["outcome"], line["error"]["condition"]) == ("refused", "not-allowed")
    assert len(elsewhere.presences()) == 1


@pytest.mark.parametrize("answer", ["not-acceptable", ""])
def test_what_was_under_way_when_an_account_was_put_out_is_refused(elsewhere: Elsewhere, answer: str) -> None:
    elsewhere.start(rooms_anywhere_reflection_timeout="0.5")
    assert elsewhere.wait().status_code == 200

    def kick(_: Element) -> str:
        elsewhere.put_out("307", "110")
        return answer

    elsewhere.rooms[ROOM].rules["message"] = kick
    response = elsewhere.wait(id="m1")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (403, "not-allowed")
    assert [stanza.get("id") for stanza in elsewhere.messages][1:] == ["m1"]
    assert len(elsewhere.presences()) == 1


def test_a_batch(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    gone = "gardn@conference.montague.example"
    stanzas = [{"to": ROOM, "id": "r1"}, {"to": gone, "id": "g1"}, {"to": "romeo@montague.example", "type": "chat", "id": "p1"}]
    stanzas += [{"to": ROOM, "id": "r2"}, {"to": gone, "id": "g2"}]
    lines = "\n".join(json.dumps({"type": "groupchat", "body": "x"} | stanza) for stanza in stanzas)
    response = elsewhere.client.post("/rest", data=lines, headers=JULIET | {"Content-Type": NDJSON})
    answers = [json.loads(line) for line in response.data.splitlines()]
    assert [(a["id"], a["outcome"], a.get("code")) for a in answers] == [
        ("r1", "accepted", None), ("g1", "error", 404), ("p1", "accepted", None), ("r2", "accepted", None), ("g2", "error", 404),
    ]  # fmt: skip
    assert answers[1]["error"]["condition"] == "item-not-found"
    until(lambda: [m.get("id") for m in elsewhere.messages] == ["r1", "r2"])


def test_refused_joins_are_not_tried_again_in_a_batch(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: "not-authorized"
    iq = '{"kind":"iq","type":"get","to":"conference.montague.example","ping":true}\n'
    line = f'{{"type":"groupchat","to":"{ROOM}","body":"x"}}\n'
    response = elsewhere.client.post(
        "/rest", data=line + iq + line, headers=JULIET | {"Content-Type": NDJSON, "Prosody-Rest-Timeout": "0.2"}
    )
    answers = [json.loads(line) for line in response.data.splitlines()]
    assert [answers[n]["code"] for n in (0, 2)] == [403, 403]
    assert len(elsewhere.presences()) == 1


def test_a_key_is_free_after_a_refusal(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    key = {"Idempotency-Key": "k1"}
    elsewhere.room.rules["join"] = lambda _: "not-authorized"
    assert elsewhere.wait(id="m1", fields=key).status_code == 403
    del elsewhere.room.rules["join"]
    assert elsewhere.wait(id="m1", fields=key).status_code == 200
    replayed = elsewhere.wait(id="m1", fields=key)
    assert (replayed.status_code, replayed.headers["Nick"], replayed.get_json()["id"]) == (200, "juliet", "m1")
    assert len(elsewhere.messages) == 1
    assert elsewhere.post(id="m2", fields={"Idempotency-Key": "k2"}).status_code == 202
    replayed = elsewhere.post(id="m2", fields={"Idempotency-Key": "k2"})
    assert (replayed.status_code, replayed.headers["Nick"], replayed.headers["Stanza-Id"]) == (202, "juliet", "m2")


def test_a_recipient_in_the_room_is_spoken_to_as_ever(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.post(to=f"{ROOM}/other").status_code == 202
    until(lambda: len(elsewhere.came) == 1)
    assert (elsewhere.came[0].get("from"), elsewhere.came[0].get("to")) == (f"juliet@{DOMAIN}", f"{ROOM}/other")


def test_who_has_come_in_by_itself(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    raw = f"juliet@{DOMAIN}/raw"
    joins = {"kind": "presence", "from": raw, "to": f"{ROOM}/Jules", "muc": {}}
    assert elsewhere.client.post("/rest", json=joins, headers=JULIET).status_code == 202
    until(lambda: raw in elsewhere.room.occupants)
    response = elsewhere.wait(sender=raw, id="m1")
    assert (response.status_code, response.headers["Nick"], response.get_json()["to"]) == (200, "Jules", raw)
    assert elsewhere.outcome("m1")["nick"] == "Jules"
    assert [m.get("from") for m in elsewhere.messages] == [raw]
    assert elsewhere.wait(sender=f"juliet@{DOMAIN}/else").headers["Nick"] == "juliet"
    assert elsewhere.messages[-1].get("from") == OCCUPANT
    elsewhere.room.rules["message"] = lambda _: "forbidden"
    assert elsewhere.wait(sender=raw).status_code == 403


def test_the_domain_itself_speaks(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    stanza = {"type": "groupchat", "to": ROOM, "body": "Hello"}
    response = elsewhere.client.post("/rest", json=stanza, headers={"Authorization": TOKEN, "Prefer": "wait=20"})
    assert (response.status_code, response.headers["Nick"]) == (200, "capulet")
    assert elsewhere.messages[0].get("from") == f"{DOMAIN}/xmpp-rest"


def test_by_path_and_as_text(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    fields = JULIET | {"Prefer": "wait=20", "Content-Type": "text/plain"}
    response = elsewhere.client.post(f"/rest/message/groupchat/{ROOM}", data="Hello", headers=fields)
    assert (response.status_code, elsewhere.bodies) == (200, ["Hello"])


def test_commands(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    admin = basic(f"admin@{DOMAIN}")
    said = {"type": "groupchat", "from": f"juliet@{DOMAIN}", "to": ROOM, "subject": "", "body": "Hello"}
    response = elsewhere.client.post("/api/send_message", json=said, headers=admin)
    assert (response.status_code, response.get_json(), elsewhere.bodies) == (200, 0, ["Hello"])
    elsewhere.room.rules["message"] = lambda _: "forbidden"
    response = elsewhere.client.post("/api/send_message", json=said, headers=admin)
    assert (response.status_code, response.get_json()) == (403, "This account may not speak here, or may not set the subject")
    stanza = {"from": f"juliet@{DOMAIN}", "to": ROOM, "stanza": "<message type='groupchat'><body>x</body></message>"}
    assert elsewhere.client.post("/api/send_stanza", json=stanza, headers=admin).status_code == 403


def test_several_recipients(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    gone, person = "gardn@conference.montague.example", f"nurse@{DOMAIN}"
    stanza = {"type": "groupchat", "to": [ROOM, gone, person], "id": "m", "body": "Hello"}
    response = elsewhere.client.post("/rest", json=stanza, headers=JULIET | {"Prefer": "wait=20"})
    results = response.get_json()["results"]
    assert (response.status_code, [(r["to"], r["outcome"], r.get("state")) for r in results]) == (
        202, [(ROOM, "accepted", "reflected"), (gone, "refused", None), (person, "accepted", "confirmed")],
    )  # fmt: skip
    assert results[1]["error"]["condition"] == "item-not-found"


def test_several_rooms_are_waited_for(elsewhere: Elsewhere) -> None:
    elsewhere.start(server_waits_per_account="1", rooms_anywhere_reflection_timeout="60")
    silent = "orchard@conference.montague.example"
    elsewhere.rooms[silent] = ScriptedRoom(silent)
    elsewhere.rooms[silent].rules["message"] = lambda _: ""
    stanza: dict[str, Any] = {"type": "groupchat", "to": [silent, ROOM], "id": "m", "body": "Hello"}
    response = elsewhere.client.post("/rest", json=stanza, headers=JULIET | {"Prefer": "wait=2", "Nick": "Jules%20C"})
    first, second = response.get_json()["results"]
    assert (response.status_code, first["outcome"], first["error"]["condition"]) == (202, "unknown", "remote-server-timeout")
    assert first["error"]["text"] == "The room did not show the message within 2 s; ask /rest/outcome/m-1"
    assert (second["outcome"], second["state"]) == ("accepted", "reflected")
    assert elsewhere.rooms[silent].occupants[OCCUPANT] == elsewhere.room.occupants[OCCUPANT] == "Jules C"
    alone = elsewhere.client.post("/rest", json=stanza | {"to": [silent]}, headers=JULIET | {"Prefer": "wait=1"})
    assert (alone.status_code, alone.get_json()["results"][0]["outcome"]) == (504, "unknown")


def test_who_waits_for_a_room_is_counted(elsewhere: Elsewhere) -> None:
    elsewhere.start(server_waits_per_account="1", rooms_anywhere_reflection_timeout="60")
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post(id="m0").status_code == 202
    first = Thread(target=elsewhere.wait, kwargs={"id": "m1"})
    first.start()
    until(lambda: len(elsewhere.messages) == 2)
    response = elsewhere.wait(id="m2")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (503, "resource-constraint")
    assert len(elsewhere.messages) == 2, "nothing was sent"
    elsewhere.say(_shown(elsewhere.messages[1]))
    first.join()


def test_the_nick_of_many_messages(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    line = b'{"type":"groupchat","to":"%s","body":"x"}' % ROOM.encode()
    fields = JULIET | {"Content-Type": NDJSON}
    several = {"type": "groupchat", "to": [ROOM], "body": "x"}
    for response in (
        elsewhere.client.post("/rest", data=line, headers=fields | {"Nick": "%20"}),
        elsewhere.client.post("/rest", json=several, headers=JULIET | {"Nick": "%FF"}),
    ):
        assert (response.status_code, response.get_json()["error"]["condition"]) == (422, "jid-malformed")
    assert elsewhere.came == []
    taken = elsewhere.client.post("/rest", data=line, headers=fields | {"Nick": "other"})
    assert json.loads(taken.data)["error"]["condition"] == "conflict"
    assert json.loads(elsewhere.client.post("/rest", data=line, headers=fields | {"Nick": "Jules"}).data)["outcome"] == "accepted"
    assert elsewhere.room.occupants[OCCUPANT] == "Jules"


def test_a_command_does_not_say_that_it_was_shown(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_join_timeout="1", rooms_anywhere_reflection_timeout="60")
    elsewhere.room.rules["message"] = lambda _: ""
    said = {"type": "groupchat", "from": f"juliet@{DOMAIN}", "to": ROOM, "subject": "", "body": "Hello"}
    response = elsewhere.client.post("/api/send_message", json=said, headers=basic(f"admin@{DOMAIN}"))
    assert (response.status_code, response.get_json()) == (504, "The room did not show the message within 1 s; it may still do so")


def test_when_its_time_has_come(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: "not-authorized"
    assert elsewhere.post(id="m0", fields={"Delay": "1s"}).status_code == 202
    until(lambda: elsewhere.outcome("m0")["state"] == "refused")
    elsewhere.room.rules.clear()
    assert elsewhere.post(id="m1", fields={"Delay": "1s"}).status_code == 202
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")
    assert elsewhere.outcome("m0")["error"]["condition"] == "not-authorized"
    assert elsewhere.bodies == ["Hello"]


def test_a_token_for_one_room(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    assert elsewhere.gateway is not None
    token = elsewhere.gateway.parts.tokens.issue(ACTOR, [f"send:{ROOM}"], 60)
    fields = {"Authorization": f"Bearer {token}", "Prefer": "wait=20"}
    for to, status in ((ROOM, 200), ("gardn@conference.montague.example", 403)):
        assert elsewhere.client.post("/rest", json={"type": "groupchat", "to": to, "body": "x"}, headers=fields).status_code == status
    assert elsewhere.client.get("/rest/rooms", headers=fields).status_code == 403


def test_without_a_link_nothing_changes(make_app: MakeApp) -> None:
    app = register_users(make_app())
    response = app.test_client().post("/rest", json={"type": "groupchat", "to": ROOM, "body": "x"}, headers=JULIET)
    assert (response.status_code, response.get_json()["error"]["condition"]) == (200, "remote-server-not-found")


def test_the_subject_of_a_room_that_gives_it_no_id(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: ""
    message = {"type": "groupchat", "to": ROOM, "subject": "Tonight", "id": "s1"}
    assert elsewhere.client.post("/rest", json=message, headers=JULIET).status_code == 202
    until(lambda: len(elsewhere.messages) == 1)
    shown = make("message", child("subject", "Tonight"), type_="groupchat", from_=f"{ROOM}/juliet", to_=OCCUPANT)
    elsewhere.say(shown)
    until(lambda: elsewhere.outcome("s1")["state"] == "reflected")


def _shown(message: Element) -> Element:
    return copied(message, from_=f"{ROOM}/juliet", to_=OCCUPANT)
