"""Rooms of MUC Light at other servers (accounts-anywhere §7.4, client-api §3, §4)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from tests.service.sessions.at_server import ROMEO, Answers, AtServer, Speaks
from tests.service.sessions.fake_archive import BEGAN
from tests.service.sessions.fake_muclight import FakeMucLight
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS
from xmpp_rest.protocol.stanza import child, make, refusal, result
from xmpp_rest.service.messages.archive import EVERYTHING
from xmpp_rest.service.muclight.room import MEMBER, OWNER, NewAffiliation
from xmpp_rest.service.sessions.foreign_history import ForeignHistory
from xmpp_rest.service.sessions.foreign_muclight import MOST_ROOMS, SECONDS, ForeignMucLight, MucLightAt
from xmpp_rest.service.sessions.muclight_service import KEPT, KEPT_UNSURE, MucLightFinder
from xmpp_rest.service.sessions.server_archive import ServerArchive
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.service.sessions.server_features import ServerFeatures

JULIET = parse_jid("juliet@capulet.example")
SAID = make("message", child("body", "hello"), type_="groupchat", id_="g1")


class Light:
    """The rooms of an account at a server, by a clock of the test."""

    def __init__(self, *answers: FakeMucLight) -> None:
        self.server = AtServer(*answers)
        self.now = 100.0
        self.refused: list[Element] = []
        server = self.server
        asks = ServerAsks(server.router, server.waits, server.remote)
        history = ForeignHistory(ServerArchive(server.router, server.waits), ServerFeatures(server.router, server.waits))
        self.finder = MucLightFinder(asks, lambda: self.now)
        self.muclight = ForeignMucLight(self.finder, asks, history, self._say, lambda: self.now)
        server.router.observe(self._observe)

    def _observe(self, stanza: Element, sender: JID | None, to: JID) -> None:
        if stanza.tag == "message" and stanza.get("type") == "error":
            self.refused.append(stanza)

    def _say(self, message: Element, sender: JID, to: JID) -> Element | None:
        self.server.router.send(message)
        return self.refused.pop() if self.refused else None

    @property
    def rooms(self) -> MucLightAt:
        rooms = self.muclight.of(ROMEO)
        assert rooms is not None
        return rooms


@pytest.fixture
def service() -> FakeMucLight:
    return FakeMucLight()


@pytest.fixture
def light(service: FakeMucLight) -> Light:
    return Light(service)


@pytest.fixture
def rooms(light: Light) -> MucLightAt:
    return light.rooms


class TestFinding:
    def test_the_service_is_looked_up_once(self, light: Light, service: FakeMucLight) -> None:
        assert light.rooms.domain == light.rooms.domain == "muclight.montague.example"
        assert service.asked == 1
        light.now += KEPT
        assert light.rooms.domain == "muclight.montague.example"
        assert service.asked == 2
        assert light.muclight.domain(ROMEO) == "muclight.montague.example"

    def test_a_server_without_one(self, light: Light, service: FakeMucLight) -> None:
        service.features = ["http://jabber.org/protocol/muc"]
        assert light.muclight.of(ROMEO) is None
        light.now += KEPT - 1
        assert light.muclight.of(ROMEO) is None
        assert service.asked == 1

    @pytest.mark.parametrize("condition", ["feature-not-implemented", "service-unavailable", "item-not-found"])
    def test_a_server_without_discovery(self, light: Light, condition: str) -> None:
        light.server.answers.insert(0, _refuse_items(condition))
        assert light.muclight.of(ROMEO) is None

    def test_a_server_that_does_not_say(self, light: Light) -> None:
        light.server.answers.insert(0, _refuse_items("internal-server-error"))
        with pytest.raises(GatewayError, match="The server does not say which services it has: internal-server-error"):
            light.muclight.of(ROMEO)
        assert light.muclight.domain(ROMEO) == ""
        del light.server.answers[0]
        assert light.rooms.domain == "muclight.montague.example"

    def test_an_entity_that_does_not_answer_is_asked_again_soon(self, light: Light, service: FakeMucLight) -> None:
        service.features = []

        def fails(client: Speaks, stanza: Element) -> bool:
            if stanza.find(f"{{{DISCO_INFO}}}query") is not None and stanza.get("to") == service.service:
                raise GatewayError("session-lost", "The session at montague.example broke off; try again")
            return False

        light.server.answers.insert(0, fails)
        assert light.muclight.of(ROMEO) is None
        service.features = ["urn:xmpp:muclight:0"]
        del light.server.answers[0]
        light.now += KEPT_UNSURE - 1
        assert light.muclight.of(ROMEO) is None
        light.now += 1
        assert light.rooms.domain == "muclight.montague.example"

    def test_of_many_entities_so_many_are_asked_and_the_likely_one_first(self, light: Light, service: FakeMucLight) -> None:
        service.others = [f"s{number}.montague.example" for number in range(200)]
        assert light.rooms.domain == "muclight.montague.example"
        assert len(light.server.iqs(f"{{{DISCO_INFO}}}query")) == 50

    def test_what_is_no_service_is_not_asked(self, light: Light, service: FakeMucLight) -> None:
        def lists(client: Speaks, stanza: Element) -> bool:
            if stanza.find(f"{{{DISCO_ITEMS}}}query") is None or stanza.get("to") != "montague.example":
                return False
            items = [{"jid": "bad@@"}, {"jid": "romeo@montague.example"}, {"jid": "x.example", "node": "n"}, {}]
            client.send(result(stanza, make(f"{{{DISCO_ITEMS}}}query", *(make(f"{{{DISCO_ITEMS}}}item", **item) for item in items))))
            return True

        light.server.answers.insert(0, lists)
        assert light.muclight.of(ROMEO) is None
        assert light.server.iqs(f"{{{DISCO_INFO}}}query") == []


def _refuse_items(condition: str) -> Answers:
    def refuse(client: Speaks, stanza: Element) -> bool:
        if stanza.get("to") != "montague.example":
            return False
        client.send(refusal(stanza, stanza_error(condition)))
        return True

    return refuse


class TestRooms:
    def test_the_rooms_of_an_account(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(ROMEO), roomname="Orchard", subject="walls")
        service.make("tomb", str(JULIET), str(ROMEO))
        service.make("kitchen", str(JULIET))
        found = {(str(room.jid), room.config["roomname"], room.config["subject"]) for room in rooms.occupied(ROMEO)}
        assert found == {
            ("orchard@muclight.montague.example", "Orchard", "walls"),
            ("tomb@muclight.montague.example", "Untitled", ""),
        }

    def test_a_list_of_several_pages(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.page = 4
        for number in range(11):
            service.make(f"r{number:02}", str(ROMEO))
        assert len(rooms.occupied(ROMEO)) == 11

    def test_the_list_has_a_time_however_many_pages_it_has(self, light: Light, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.page = 1
        for number in range(5):
            service.make(f"r{number}", str(ROMEO))
        pages: list[Element] = []

        def is_slow(client: Speaks, stanza: Element) -> bool:
            if stanza.get("to") != service.service:
                return False
            light.now += SECONDS / 2
            pages.append(stanza)
            return len(pages) == 3  # beyond its time it is not waited for

        light.server.answers.insert(0, is_slow)
        with pytest.raises(GatewayError, match="server-silent"):
            rooms.occupied(ROMEO)
        assert len(pages) == 3

    def test_more_rooms_than_are_listed(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.page = 1000
        for number in range(MOST_ROOMS + 1):
            service.make(f"r{number:04}", str(ROMEO))
        assert len(rooms.occupied(ROMEO)) == MOST_ROOMS

    def test_a_room_that_goes_meanwhile_is_left_out_and_one_that_is_silent_is_an_error(
        self, light: Light, rooms: MucLightAt, service: FakeMucLight
    ) -> None:
        service.make("orchard", str(ROMEO))
        service.refusals["configuration"] = "item-not-found"
        assert rooms.occupied(ROMEO) == []

        def fails(client: Speaks, stanza: Element) -> bool:
            if str(stanza.get("to")).startswith("orchard@"):
                raise GatewayError("session-lost", "The session at montague.example broke off; try again")
            return False

        light.server.answers.insert(0, fails)
        with pytest.raises(GatewayError, match="session-lost"):
            rooms.occupied(ROMEO)

    def test_one_room(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(ROMEO), str(JULIET), roomname="Orchard")
        room = rooms.room("orchard", ROMEO)
        assert room.affiliations == {ROMEO: OWNER, JULIET: MEMBER}
        assert room.config == {"roomname": "Orchard", "subject": ""}
        assert not rooms.exists("orchard")
        with pytest.raises(GatewayError, match="room-unknown"):
            rooms.room("kitchen", ROMEO)

    def test_a_room_that_shows_itself_to_strangers_is_not_theirs(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(JULIET))
        service.rooms["orchard"].users["romeo@montague.example"] = "none"
        with pytest.raises(GatewayError, match="not-occupant"):
            rooms.room("orchard", ROMEO)

    def test_an_answer_that_says_nothing(self, light: Light, rooms: MucLightAt) -> None:
        def empty(client: Speaks, stanza: Element) -> bool:
            client.send(result(stanza))
            return True

        light.server.answers.insert(0, empty)
        with pytest.raises(GatewayError, match="The room does not tell what it is"):
            rooms.room("orchard", ROMEO)
        assert rooms.occupied(ROMEO) == []

    def test_an_unguessable_name_or_a_chosen_one(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        name = rooms.create(ROMEO, {"roomname": "Orchard", "subject": ""}, [NewAffiliation(JULIET, MEMBER)])
        assert len(name) == 36
        assert service.rooms[name].users == {str(ROMEO): OWNER, str(JULIET): MEMBER}
        assert rooms.create(ROMEO, {"roomname": "x", "subject": "y"}, name="tomb") == "tomb"
        with pytest.raises(GatewayError, match="room-exists"):
            rooms.create(ROMEO, {"roomname": "x", "subject": "y"}, name="tomb")
        with pytest.raises(GatewayError, match="bad-room-change"):
            rooms.create(ROMEO, {"description": "not in this schema"})

    def test_the_configuration(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(ROMEO))
        service.make("tomb", str(JULIET), str(ROMEO))
        rooms.configure("orchard", ROMEO, {"roomname": "Orchard", "subject": "walls"})
        assert service.rooms["orchard"].config == {"roomname": "Orchard", "subject": "walls"}
        with pytest.raises(GatewayError, match="not-owner"):
            rooms.configure("tomb", ROMEO, {"roomname": "Orchard", "subject": "walls"})
        assert rooms.owner_configures is False

    def test_who_is_in(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        room = service.make("orchard", str(ROMEO))
        rooms.add("orchard", ROMEO, JULIET.at("balcony"))
        rooms.add("orchard", ROMEO, JULIET)
        assert room.users == {str(ROMEO): OWNER, str(JULIET): MEMBER}
        rooms.remove("orchard", ROMEO, JULIET)
        rooms.remove("orchard", ROMEO, JULIET)
        assert room.users == {str(ROMEO): OWNER}

    def test_members_only_leave(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        room = service.make("tomb", str(JULIET), str(ROMEO))
        for change in (rooms.add, rooms.remove):
            with pytest.raises(GatewayError, match="not-owner"):
                change("tomb", ROMEO, JULIET)
        rooms.remove("tomb", ROMEO, ROMEO)
        assert room.users == {str(JULIET): OWNER}

    def test_what_the_room_refuses_otherwise(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(ROMEO))
        service.refusals["affiliations"] = "resource-constraint"
        with pytest.raises(GatewayError, match="The room has refused this: resource-constraint") as raised:
            rooms.add("orchard", ROMEO, JULIET)
        assert raised.value.row.status == 503


class TestMessages:
    def test_what_is_said_is_in_the_history(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        room = service.make("orchard", str(ROMEO))
        assert rooms.send_message("orchard", ROMEO, SAID) == "g1"
        (found,) = rooms.history("orchard", ROMEO, EVERYTHING, 5, lambda stanza: True)
        assert found.stanza.get("from") == f"orchard@muclight.montague.example/{ROMEO}"
        assert (found.when, found.stanza.findtext("body")) == (BEGAN, "hello")
        assert rooms.history("orchard", ROMEO, EVERYTHING, 5, lambda stanza: False) == []
        assert rooms.history("orchard", ROMEO, EVERYTHING, 0, lambda stanza: True) == []
        room.archive.refusal = "feature-not-implemented"
        with pytest.raises(GatewayError, match="no-archive"):
            rooms.history("orchard", ROMEO, EVERYTHING, 5, lambda stanza: True)

    def test_strangers_say_and_read_nothing(self, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("tomb", str(JULIET))
        with pytest.raises(GatewayError, match="room-unknown"):
            rooms.send_message("tomb", ROMEO, SAID)
        with pytest.raises(GatewayError, match="room-unknown"):
            rooms.history("tomb", ROMEO, EVERYTHING, 0, lambda stanza: True)

    def test_a_refusal_at_once(self, light: Light, rooms: MucLightAt, service: FakeMucLight) -> None:
        service.make("orchard", str(ROMEO))

        def deaf(client: Speaks, stanza: Element) -> bool:
            if stanza.tag != "message":
                return False
            client.send(refusal(stanza, stanza_error("forbidden")))
            return True

        light.server.answers.insert(0, deaf)
        with pytest.raises(GatewayError, match="not-occupant"):
            rooms.send_message("orchard", ROMEO, SAID)
