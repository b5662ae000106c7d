"""One message follows one matter: it is corrected, or replied to (hooks §11)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask

from drivers import Driver, StorageError
from tests.conftest import DOMAIN, MakeApp, register_users
from tests.link.attached import until
from tests.raising import raising
from tests.service.hooks.conftest import WAIT, hook, said
from tests.service.hooks.network import ROOM, Network
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.matters import KEPT, MOST, STORE, Matter, Matters
from xmpp_rest.service.messages.archive import ArchiveFilter

ROMEO, NURSE = "romeo@montague.example", f"nurse@{DOMAIN}"
JULIET = parse_jid(f"juliet@{DOMAIN}")
REPLACE = "{urn:xmpp:message-correct:0}replace"
REPLY = "{urn:xmpp:reply:0}reply"
FALLBACK = "{urn:xmpp:fallback:0}fallback"


def send(gateway: Gateway, text: str, to: str = ROMEO, *, key: str = "k", state: str = "", ends: bool = False, **members: Any) -> Result:
    (result,) = gateway.parts.hook_sender.send(hook(to, **{"update": True, **members}), said(text, key=key, state=state, ends=ends))
    assert result.error is None
    return result


def speak(gateway: Gateway, to: str = ROMEO, *payload: Element) -> None:
    """The owner says something itself, by another API."""
    stanza = make("message", *(payload or (child("body", "hm"),)), type_="chat", id_="own", from_=f"{JULIET}/balcony", to_=to)
    assert gateway.parts.sending.send(stanza, parse_jid(f"{JULIET}/balcony"), parse_jid(to)) is None


def test_what_has_changed_is_corrected(gateway: Gateway, network: Network) -> None:
    first = send(gateway, "Down", state="1")
    results = [send(gateway, f"Down {n}", state=n) for n in ("2", "3")]
    assert [first.how, *(result.how for result in results)] == ["sent", "corrected", "corrected"]
    assert [stanza.findtext("body") for stanza in network.messages] == ["Down", "Down 2", "Down 3"]
    assert [[element.get("id") for element in stanza.iterfind(REPLACE)] for stanza in network.messages] == [[], [first.id], [first.id]]
    assert [stanza.get("id") for stanza in network.messages] == [first.id, *(result.id for result in results)]


def test_a_reminder_is_a_reply_and_so_is_all_that_follows(gateway: Gateway, network: Network) -> None:
    first = send(gateway, "Größe 🔥 & more\nsecond line", state="1")
    assert [send(gateway, "Again", state=state).how for state in ("1", "2")] == ["replied", "replied"]
    for stanza in network.messages[1:]:
        reply = stanza.find(REPLY)
        assert reply is not None
        assert reply.attrib == {"to": f"{JULIET}/hooks", "id": first.id}
        assert stanza.findtext("body") == "> Größe 🔥 & more\nAgain"
        fallback = stanza.find(FALLBACK)
        assert fallback is not None
        assert fallback.get("for") == "urn:xmpp:reply:0"
        assert fallback[0].tag == "{urn:xmpp:fallback:0}body"
        assert fallback[0].attrib == {"start": "0", "end": "17"}
        assert (stanza.findtext("body") or "")[17:] == "Again"


def test_whoever_speaks_in_between_makes_it_a_reply(gateway: Gateway, network: Network) -> None:
    first = send(gateway, "Down", state="1")
    speak(gateway, ROMEO, child("{http://jabber.org/protocol/chatstates}composing"))
    speak(gateway, "mercutio@montague.example")
    assert send(gateway, "Down 2", state="2").how == "corrected"
    speak(gateway, f"{ROMEO}/garden")
    assert send(gateway, "Up", state="3").how == "replied"
    reply = network.messages[-1].find(REPLY)
    assert reply is not None
    assert reply.get("id") == first.id
    send(gateway, "Other", key="other")
    assert send(gateway, "Up 2", state="4").how == "replied"


def test_to_an_account_of_the_gateway(gateway: Gateway) -> None:
    assert [send(gateway, "Down", NURSE, state=state).how for state in ("1", "2")] == ["sent", "corrected"]
    speak(gateway, NURSE)
    assert send(gateway, "Up", NURSE, state="3").how == "replied"


def test_another_key_that_was_said_since(gateway: Gateway, network: Network) -> None:
    assert [send(gateway, "Down", key=key, state="1").how for key in ("a", "b")] == ["sent", "sent"]
    assert send(gateway, "Up", key="b", state="2").how == "corrected"
    assert send(gateway, "Up", key="a", state="2").how == "replied"


def test_the_end_of_a_matter(gateway: Gateway, network: Network) -> None:
    assert send(gateway, "Down", state="1").how == "sent"
    assert send(gateway, "Up", state="2", ends=True).how == "corrected"
    assert send(gateway, "Down again", state="1").how == "sent"


def test_without_a_key_or_update_nothing_is_kept(gateway: Gateway, network: Network) -> None:
    assert [send(gateway, "Down", key="", state=state).how for state in ("1", "2")] == ["sent", "sent"]
    assert [send(gateway, "Down", update=False, state=state).how for state in ("1", "2")] == ["sent", "sent"]
    assert gateway.driver.load("hook:ops", DOMAIN, STORE) is None


def test_another_address_has_said_nothing_yet(gateway: Gateway, network: Network) -> None:
    assert [send(gateway, "Down", speaks_as=f"{who}@{DOMAIN}", state=who).how for who in ("juliet", "hooks")] == ["sent", "sent"]


def test_what_was_refused_is_not_corrected(gateway: Gateway, network: Network) -> None:
    network.refused[ROMEO] = "item-not-found"
    (refused,) = gateway.parts.hook_sender.send(hook(ROMEO, update=True), said("Down", key="k", state="1"))
    assert refused.error is not None
    network.refused.clear()
    assert send(gateway, "Down", state="2").how == "sent"


@pytest.mark.parametrize("has_ids", [True, False])
def test_in_rooms_the_reply_names_the_id_of_the_room(gateway: Gateway, network: Network, has_ids: bool) -> None:
    network.rooms[ROOM].ids = has_ids
    room = f"room:{ROOM}"
    first = send(gateway, "Down", room, state="1", nick="Alarm")
    assert send(gateway, "Down 2", room, state="2", nick="Alarm").how == "corrected"
    identifier = "s1" if has_ids else first.id
    until(lambda: not has_ids or _matter(gateway).stanza_id == "s1")
    assert send(gateway, "Down 2", room, state="2", nick="Alarm").how == "replied"
    reply = network.messages[-1].find(REPLY)
    assert reply is not None
    assert reply.attrib == {"to": f"{ROOM}/Alarm", "id": identifier}


def _matter(gateway: Gateway) -> Matter:
    found = Matters(gateway.driver, DOMAIN).find("ops", "k", parse_jid(ROOM))
    assert found is not None
    return found


def test_the_id_of_a_room_of_the_gateway(gateway: Gateway) -> None:
    conference = gateway.parts.conference
    assert conference is not None
    conference.create("ward", {"persistent": "true", "mam": "true"}, [], [])
    to = "room:ward@rooms.capulet.example"
    assert [send(gateway, "Down", to, state=state).how for state in ("1", "1")] == ["sent", "replied"]
    first, second = gateway.parts.archive.page(parse_jid("ward@rooms.capulet.example"), ArchiveFilter(), 10).items
    reply = second.stanza.find(REPLY)
    assert reply is not None
    assert reply.get("id") == first.id


def restart(make_app: MakeApp, tmp_path: Any) -> Flask:
    return make_app(hooks_wait=WAIT, server_data_dir=str(tmp_path / "again"))


@pytest.mark.parametrize("spoke", [None, "before", "after"])
def test_restarts_do_not_matter(make_app: MakeApp, tmp_path: Any, spoke: str | None) -> None:
    gateway: Gateway = register_users(restart(make_app, tmp_path)).extensions["gateway"]
    gateway.start()
    network = Network(gateway.parts.router)
    send(gateway, "Down", state="1")
    if spoke == "before":
        speak(gateway)
        until(lambda: _last(gateway.driver) == "own")
    gateway.stop()
    gateway = restart(make_app, tmp_path).extensions["gateway"]
    gateway.start()
    network = Network(gateway.parts.router)
    until(lambda: bool(gateway.parts.router.spoken._watched))
    if spoke == "after":
        speak(gateway)
    assert send(gateway, "Up", state="2").how == ("corrected" if spoke is None else "replied")
    assert network.messages


def _last(driver: Driver) -> str | None:
    known = Matters(driver, DOMAIN).last_said("ops")
    return known.ids.get(ROMEO) if known is not None else None


def test_a_removed_hook_leaves_nothing(gateway: Gateway, network: Network) -> None:
    send(gateway, "Down", state="1")
    assert gateway.parts.router.spoken._watched
    gateway.parts.hooks.removed.emit(hook(ROMEO))
    until(lambda: gateway.driver.load("hook:ops", DOMAIN, STORE) is None)
    assert not gateway.parts.router.spoken._watched
    assert send(gateway, "Up", state="2").how == "sent"


def test_a_storage_that_fails_keeps_no_message_back(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("load_members", "update_members"):
        monkeypatch.setattr(type(gateway.driver), name, raising(StorageError("the disk is full")))
    assert [send(gateway, "Down", state=state).how for state in ("1", "2")] == ["sent", "sent"]


class TestMatters:
    """What is kept, and for how long."""

    target = parse_jid(ROMEO)

    def keep(self, matters: Matters, key: str, target: JID | None = None) -> None:
        matters.keep("ops", key, target or self.target, JULIET, Matter(key, key, "a", "b", "c", "1", False), key)

    def test_a_thousand_keys_for_a_week(self, gateway: Gateway) -> None:
        now = 1e9
        matters = Matters(gateway.driver, DOMAIN, lambda: now)
        table = {}
        for n in range(MOST):
            now += 1
            table[f"{n:064x}"] = {"at": now, "to": {ROMEO: ["x"]}}
        gateway.driver.store("hook:ops", DOMAIN, STORE, table)
        now += 1
        self.keep(matters, "new")
        kept = gateway.driver.load("hook:ops", DOMAIN, STORE)
        assert isinstance(kept, dict)
        assert len(kept) == MOST + 1
        assert f"{0:064x}" not in kept
        assert matters.find("ops", "new", self.target) is not None
        now += KEPT - 1
        assert matters.find("ops", "new", self.target) is not None
        now += 1
        assert matters.find("ops", "new", self.target) is None

    def test_each_target_has_its_own(self, gateway: Gateway) -> None:
        matters = Matters(gateway.driver, DOMAIN)
        self.keep(matters, "k")
        assert matters.find("ops", "k", parse_jid(ROOM)) is None
        self.keep(matters, "k", parse_jid(ROOM))
        assert matters.find("ops", "k", self.target) is not None
        assert matters.last_said("ops") == (JULIET, {ROMEO: "k", ROOM: "k"})
        assert list(matters.hooks()) == ["ops"]

    @pytest.mark.parametrize("table", [[1], {"said": 1}, {"said": {"from": "@", "to": {}}}, {"k": {"at": "x", "to": 1}}])
    def test_what_others_have_written_there_is_nothing(self, gateway: Gateway, table: Any) -> None:
        gateway.driver.store("hook:ops", DOMAIN, STORE, table)
        matters = Matters(gateway.driver, DOMAIN)
        assert matters.last_said("ops") is None
        assert matters.find("ops", "k", self.target) is None
        self.keep(matters, "k")
        assert matters.find("ops", "k", self.target) is not None
