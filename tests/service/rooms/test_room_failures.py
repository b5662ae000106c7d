"""What fails beneath what is said in rooms is told to who has said it, and the next message goes out (service/rooms)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from drivers import StorageError
from tests.api.rest.rooms_elsewhere import JULIET, Elsewhere
from tests.conftest import MakeApp
from tests.link.attached import until
from tests.link.network import Network
from tests.service.rooms.scripted import ACTOR, ROOM, ScriptedRoom, error_presence
from xmpp_rest.errors import GatewayError
from xmpp_rest.link import journals
from xmpp_rest.link.journal import Journal
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import result
from xmpp_rest.service.rooms import speech_writer, watching
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.values import Wish


@pytest.fixture
def elsewhere(make_app: MakeApp, network: Network) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(make_app, network)
    yield elsewhere
    elsewhere.stop()


def once(works: Callable[..., Any], *errors: Exception) -> Callable[..., Any]:
    """Raises these, one at each call, and works after that."""
    left = list(errors)

    def called(*given: Any, **named: Any) -> Any:
        if left:
            raise left.pop(0)
        return works(*given, **named)

    return called


def parts(elsewhere: Elsewhere) -> Any:
    assert elsewhere.gateway is not None
    return elsewhere.gateway.parts


def test_a_full_outbox_of_the_link_delays_the_message(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.start()
    assert elsewhere.wait("One").status_code == 200
    router = parts(elsewhere).router
    monkeypatch.setattr(speech_writer, "FULL_PAUSE", 0.05)
    monkeypatch.setattr(router, "send_bound", once(router.send_bound, GatewayError("outbox-full"), GatewayError("outbox-full")))
    assert elsewhere.wait("Two").status_code == 200
    assert elsewhere.bodies == ["One", "Two"]


def test_what_fails_while_it_is_written_is_in_the_log_and_the_next_one_goes_out(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere.start()
    assert elsewhere.wait("One").status_code == 200
    router = parts(elsewhere).router
    monkeypatch.setattr(router, "send_bound", once(router.send_bound, RuntimeError("broken")))
    with caplog.at_level(logging.ERROR, "xmpp_rest.rooms"):
        assert elsewhere.post("Two").status_code == 202
        assert elsewhere.wait("Three").status_code == 200
    assert elsewhere.bodies == ["One", "Three"]
    assert [r.getMessage() for r in caplog.records if "are not written" in r.getMessage()] == [
        f"messages of {elsewhere.place().occupant} to {ROOM} are not written"
    ]


def test_what_is_not_on_disk_is_not_accepted(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    full: list[bool] = []

    class FullDisk(Journal):
        def append(self, *given: Any) -> Any:
            if full:
                raise OSError(28, "No space left on device")
            return super().append(*given)

    monkeypatch.setattr(journals, "Journal", FullDisk)
    elsewhere.start(link_outbox_size="1")
    full.append(True)
    for _ in range(2):  # what was not accepted takes no place
        response = elsewhere.wait("Lost", id="m1")
        assert response.status_code == 503
        assert "No space left on device" in response.get_data(as_text=True)
    assert elsewhere.outcome("m1")["state"] == "404"
    full.clear()
    assert elsewhere.wait("Hello").status_code == 200
    assert elsewhere.bodies == ["Hello"]


@pytest.mark.parametrize(("error", "status"), [(StorageError("broken"), 503), (RuntimeError("broken"), 500)])
def test_failing_lists_of_an_account(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int) -> None:
    elsewhere.start()
    speaking = parts(elsewhere).speaking
    monkeypatch.setattr(speaking, "_blocked", once(speaking._blocked, error))  # as the storage fails there
    assert elsewhere.wait("One").status_code == status
    assert elsewhere.wait("Two").status_code == 200
    assert elsewhere.bodies == ["Two"]


def test_who_has_blocked_a_room_says_nothing_there(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    xml = f"<iq type='set' to='{ACTOR}'><block xmlns='urn:xmpp:blocking'><item jid='{ROOM}'/></block></iq>"
    assert elsewhere.client.post("/rest", data=xml, content_type="application/xmpp+xml", headers=JULIET).status_code == 200
    response = elsewhere.wait()
    assert response.get_json()["error"]["condition"] == "not-acceptable"
    assert (elsewhere.messages, elsewhere.presences()) == ([], [])


@pytest.mark.parametrize(("error", "status"), [(GatewayError("outbox-full"), 503), (RuntimeError("broken"), 500)])
def test_a_failure_before_it_is_accepted(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int) -> None:
    elsewhere.start()
    memberships = elsewhere.memberships
    monkeypatch.setattr(memberships, "state", once(memberships.state, error))
    assert elsewhere.wait("One").status_code == status
    assert elsewhere.wait("Two").status_code == 200
    assert elsewhere.bodies == ["Two"]


def asked(elsewhere: Elsewhere, room: str) -> list[Element]:
    """The self-pings that came to a room."""
    return [s for s in list(elsewhere.came) if s.find(f"{{{PING}}}ping") is not None and s.get("to", "").startswith(f"{room}/")]


def test_self_pings_wait_for_those_under_way(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "AT_ONCE", 1)
    elsewhere.start()
    other = "orchard@conference.montague.example"
    elsewhere.rooms[other] = ScriptedRoom(other)
    assert elsewhere.enter() is None
    assert elsewhere.enter(room=other) is None
    elsewhere.room.rules["ping"] = lambda _: ""
    told: SimpleQueue[tuple[str, RoomRefused | None]] = SimpleQueue()
    for room in (ROOM, other):
        elsewhere.memberships.check(elsewhere.place(room), lambda refused, room=room: told.put((room, refused)))  # type: ignore[misc]
    until(lambda: bool(asked(elsewhere, ROOM)))
    assert (asked(elsewhere, other), told.empty()) == ([], True)
    elsewhere.say(result(asked(elsewhere, ROOM)[0]))
    assert {told.get(timeout=30) for _ in range(2)} == {(ROOM, None), (other, None)}
    assert len(asked(elsewhere, other)) == 1


def test_a_self_ping_that_cannot_be_sent_is_sent_again(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.start()
    assert elsewhere.enter() is None
    router = parts(elsewhere).router
    monkeypatch.setattr(router, "begin_ask", once(router.begin_ask, GatewayError("outbox-full")))
    told: SimpleQueue[RoomRefused | None] = SimpleQueue()
    elsewhere.memberships.check(elsewhere.place(), told.put)
    assert told.get(timeout=30) is None
    assert (len(asked(elsewhere, ROOM)), len(elsewhere.presences())) == (1, 1)


@pytest.mark.parametrize(
    ("error", "status", "condition"),
    [(GatewayError("outbox-full"), 503, "resource-constraint"), (RuntimeError("broken"), 500, "internal-server-error")],
)
def test_a_presence_that_cannot_be_sent(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, condition: str
) -> None:
    elsewhere.start()
    router = parts(elsewhere).router
    monkeypatch.setattr(router, "send_each", once(router.send_each, error))
    refused = elsewhere.enter()
    assert refused is not None
    assert (refused.status, refused.error.condition, elsewhere.presences()) == (status, condition, [])
    monkeypatch.undo()
    assert elsewhere.enter() is None


def test_a_room_that_was_made_and_cannot_be_unlocked_is_left(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.start()
    made = "new@conference.montague.example"
    router = parts(elsewhere).router
    works = router.begin_ask

    def begin_ask(reply: Any, stanza: Element, *given: Any) -> Any:
        if stanza.get("type") == "set":
            raise GatewayError("outbox-full")
        return works(reply, stanza, *given)

    monkeypatch.setattr(router, "begin_ask", begin_ask)
    refused = elsewhere.enter(Wish(by="request", create=True), made)
    assert refused is not None
    until(lambda: [p.get("to") for p in elsewhere.presences("unavailable")] == [f"{made}/juliet"])
    assert refused.status >= 500


def test_the_refusal_of_an_earlier_attempt_ends_no_other_one(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: ""
    told: SimpleQueue[RoomRefused | None] = SimpleQueue()
    elsewhere.memberships.enter(elsewhere.place(), Wish(), told.put)
    until(lambda: len(elsewhere.presences()) == 1)
    (presence,) = elsewhere.presences()
    for identifier, condition in (("earlier", "forbidden"), (presence.attrib["id"], "not-authorized")):
        error = error_presence(ROOM, "juliet", presence.attrib["from"], condition)
        error.set("id", identifier)
        elsewhere.say(error)
    refused = told.get(timeout=30)
    assert refused is not None
    assert refused.error.condition == "not-authorized"
