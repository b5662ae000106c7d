"""Rooms and files of accounts of other servers over HTTP, with a scripted server of theirs (accounts-anywhere §7.1)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from werkzeug.test import TestResponse

from tests.api.files.webserver import Page, WebServer, serving
from tests.conftest import basic
from tests.foreign_app import MONTAGUE, ROMEO, ForeignApp, MakeForeignApp, foreign_app, make_foreign_app, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_session import FakeSession
from tests.service.rooms.scripted import ROOM, SERVICE, ScriptedService
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.namespaces import DISCO_INFO, DISCO_ITEMS, UPLOAD
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import result
from xmpp_rest.service.sessions.inbound import SessionInbound

__all__ = ["foreign_app", "make_foreign_app", "montague_folder"]

GROUPCHAT = {"type": "groupchat", "to": ROOM, "body": "Hark"}
UPLOADS = f"upload.{MONTAGUE}"


class Rooms(ScriptedService):
    """Rooms to which the server of romeo brings what he sends."""

    def __init__(self, app: ForeignApp) -> None:
        super().__init__(MONTAGUE)
        self.app = app
        app.server.handlers.append(self._handle)

    def _handle(self, session: FakeSession, stanza: Element) -> bool:
        if not stanza.get("to", "").partition("/")[0].endswith(f"@{SERVICE}"):
            return False
        for answer in self.answers(stanza):
            if answer.get("to") == str(session.jid):
                session.send(answer)
        return True

    def ask(self, method: str, path: str = "", user: str = "romeo", **given: Any) -> TestResponse:
        return self.app.ask(method, f"/rest/rooms{path}", user, **given)

    def say(self, wait: int = 0, **stanza: Any) -> TestResponse:
        return self.app.ask("POST", "/rest", json=GROUPCHAT | stanza, headers={"Prefer": f"wait={wait}"} if wait else {})


@pytest.fixture
def rooms(foreign_app: ForeignApp) -> Rooms:
    return Rooms(foreign_app)


def test_who_speaks_is_joined_and_the_answer_is_what_the_room_shows(rooms: Rooms) -> None:
    answer = rooms.say(20, id="m1")
    assert (answer.status_code, answer.headers["Nick"], answer.headers["Stanza-Id"]) == (200, "romeo", "m1"), answer.text
    shown = answer.get_json()
    assert (shown["from"], shown["to"], shown["body"]) == (f"{ROOM}/romeo", str(rooms.app.log_in()), "Hark")
    told = rooms.app.ask("GET", "/rest/outcome/m1").get_json()
    assert (told["state"], told["room"], told["nick"]) == ("reflected", ROOM, "romeo")
    assert rooms.say(id="m2").status_code == 202
    (listed,) = rooms.ask("GET").get_json()["rooms"]
    assert (listed["room"], listed["by"], listed["stay"]) == (ROOM, "demand", False)


def test_joining_reading_and_leaving(rooms: Rooms) -> None:
    answer = rooms.ask("PUT", f"/{ROOM}", json={"nick": "mask"})
    assert (answer.status_code, answer.get_json()["nick"], answer.get_json()["state"]) == (201, "mask", "in")
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 200
    assert rooms.say(20).status_code == 200
    (message,) = rooms.ask("GET", f"/{ROOM}/messages").get_json()["messages"]
    assert (message["body"], message["from"]) == ("Hark", f"{ROOM}/mask")
    after = rooms.ask("GET", f"/{ROOM}/messages?after={message['archive_id']}").get_json()
    assert after == {"messages": [], "complete": True}
    assert rooms.ask("GET", f"/{ROOM}/messages?before=unknown").status_code == 404
    assert rooms.ask("PUT", f"/{ROOM}/subject", json={"subject": "Tonight"}).status_code == 204
    assert rooms.ask("DELETE", f"/{ROOM}").status_code == 204
    assert rooms.ask("GET", f"/{ROOM}").status_code == 404
    assert rooms.ask("GET", f"/{ROOM}/messages").status_code == 200  # kept as long as the session


def test_nobody_sees_the_rooms_of_others(rooms: Rooms) -> None:
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 201
    assert rooms.ask("GET", user="benvolio").get_json() == {"rooms": []}
    assert rooms.ask("GET", f"?of={ROMEO}").status_code == 200
    for of in (f"benvolio@{MONTAGUE}", "juliet@capulet.example"):
        assert rooms.ask("GET", f"?of={of}").status_code == 403
    client = rooms.app.client
    for user in "juliet", "admin":
        answer = client.get(f"/rest/rooms?of={ROMEO}", headers=basic(user))
        assert answer.status_code == 403, answer.text


def test_the_end_of_the_session_is_the_end_of_the_rooms(rooms: Rooms) -> None:
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 201
    assert rooms.say(20).status_code == 200
    assert rooms.app.ask("DELETE", "/rest/session").status_code == 204
    until(lambda: rooms.ask("GET").get_json() == {"rooms": []})
    assert rooms.ask("GET", f"/{ROOM}/messages").status_code == 404


def test_a_presence_joins_and_one_that_is_unavailable_leaves(rooms: Rooms) -> None:
    join = f"<presence to='{ROOM}/mask'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    xml = {"Content-Type": "application/xmpp+xml"}
    assert rooms.app.ask("POST", "/rest", data=join, headers=xml).status_code == 202
    until(lambda: "mask" in rooms.rooms[ROOM].occupants.values())
    answer = rooms.say(20)
    assert (answer.status_code, answer.headers["Nick"]) == (200, "mask"), answer.text
    assert rooms.ask("GET").get_json() == {"rooms": []}
    leave = "<presence type='unavailable' to='{}/{}'/>"
    assert rooms.app.ask("POST", "/rest", data=leave.format(ROOM, "mask"), headers=xml).status_code == 202
    until(lambda: "mask" not in rooms.rooms[ROOM].occupants.values())
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 201
    assert rooms.app.ask("POST", "/rest", data=leave.format(ROOM, "romeo"), headers=xml).status_code == 202
    assert rooms.ask("GET").get_json() == {"rooms": []}
    until(lambda: "romeo" not in rooms.rooms[ROOM].occupants.values())


def test_what_a_room_has_said_before_is_not_of_a_join(rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers overtake presences, which are handled in order: those of the former occupant may come after the room's discovery."""
    handle = SessionInbound._handle

    def slowly(inbound: SessionInbound, session: ClientSession, stanza: Element, *rest: Any) -> None:
        if stanza.tag == "presence" and stanza.get("type") is None:
            time.sleep(0.1)
        handle(inbound, session, stanza, *rest)

    monkeypatch.setattr(SessionInbound, "_handle", slowly)
    test_a_presence_joins_and_one_that_is_unavailable_leaves(rooms)


def test_a_break_that_is_resumed_changes_nothing(rooms: Rooms) -> None:
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 201
    rooms.app.server.cut()
    answer = rooms.say(30, id="m1")
    assert answer.status_code == 200, answer.text
    assert list(rooms.rooms[ROOM].occupants.values()) == ["other", "romeo"]


def test_in_lists_and_batches_rooms_are_entered_as_well(rooms: Rooms) -> None:
    lines = f'{{"type": "groupchat", "to": "{ROOM}", "body": "one"}}\n{{"to": "benvolio@{MONTAGUE}", "body": "two"}}\n'
    answer = rooms.app.ask("POST", "/rest", data=lines, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 200, answer.text
    assert answer.text.count('"accepted"') == 2, answer.text
    answer = rooms.app.ask("POST", "/rest", json={"type": "groupchat", "to": [ROOM], "body": "three"}, headers={"Prefer": "wait=20"})
    assert [(one["outcome"], one["state"]) for one in answer.get_json()["results"]] == [("accepted", "reflected")]


# -- files


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving() as server:
        yield server


class Uploads:
    """The upload service of the server of romeo."""

    def __init__(self, app: ForeignApp, put: str) -> None:
        form = f"<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>{UPLOAD}</value></field><field var='max-file-size'><value>1000</value></field></x>"
        self.answers = {
            (MONTAGUE, DISCO_ITEMS): f"<query xmlns='{DISCO_ITEMS}'><item jid='{UPLOADS}'/></query>",
            (
                UPLOADS,
                DISCO_INFO,
            ): f"<query xmlns='{DISCO_INFO}'><identity category='store' type='file'/><feature var='{UPLOAD}'/>{form}</query>",
            (UPLOADS, UPLOAD): f"<slot xmlns='{UPLOAD}'><put url='{put}'/><get url='https://{UPLOADS}/rose.png'/></slot>",
        }
        app.server.handlers.append(self._handle)

    def _handle(self, session: FakeSession, stanza: Element) -> bool:
        if stanza.tag != "iq" or len(stanza) != 1:
            return False
        payload = self.answers.get((stanza.get("to", ""), stanza[0].tag.partition("}")[0][1:]))
        if payload is not None:
            session.send(result(stanza, parse_stored(payload)))
        return payload is not None


def send_file(app: ForeignApp, data: bytes = b"rose", sender: str = "", **query: str) -> TestResponse:
    given = {"to": f"benvolio@{MONTAGUE}", "name": "rose.png", **query} | ({"from": sender} if sender else {})
    return app.ask("POST", "/rest/files", data=data, query_string=given, headers={"Content-Type": "image/png"})


def test_a_file_goes_to_the_own_server_and_the_message_behind_it(rooms: Rooms, web: WebServer) -> None:
    app = rooms.app
    Uploads(app, web.url("/put"))
    web.pages["/put"] = Page(201)
    session = app.log_in()
    for sender in (str(ROMEO), str(session)):
        answer = send_file(app, sender=sender)
        assert answer.status_code == 201, answer.text
    said = answer.get_json()
    assert (said["url"], said["id"], said["expires"]) == (f"https://{UPLOADS}/rose.png", None, None)
    assert [one["outcome"] for one in said["messages"]] == ["accepted"]
    assert [put.body for put in web.taken] == [b"rose"] * 2
    assert {message.findtext("body") for message in app.server.received("romeo", "message")} == {said["url"]}
    answer = send_file(app, to=ROOM)
    assert [(one["type"], one["outcome"]) for one in answer.get_json()["messages"]] == [("groupchat", "accepted")]


def test_files_of_others_are_refused(rooms: Rooms, web: WebServer) -> None:
    app = rooms.app
    Uploads(app, web.url("/put"))
    for answer in (
        send_file(app, sender=f"benvolio@{MONTAGUE}"),
        send_file(app, sender=f"{ROMEO}/phone"),
        send_file(app, of="juliet@capulet.example"),
    ):
        assert (answer.status_code, answer.get_json()["condition"]) == (403, "forbidden"), answer.text
    assert send_file(app, b"x" * 1001).status_code == 413
    assert web.taken == []


def test_a_server_without_uploads(foreign_app: ForeignApp) -> None:
    answer = send_file(foreign_app)
    assert (answer.status_code, answer.get_json()["condition"]) == (501, "feature-not-implemented")
    assert answer.get_json()["detail"] == f"No upload service was found at {MONTAGUE}, which keeps the files of its accounts"


def test_rooms_and_files_need_no_link(make_foreign_app: MakeForeignApp, web: WebServer) -> None:
    """The default of tests is a gateway without one."""
    rooms = Rooms(make_foreign_app(rooms_anywhere_join="never"))
    answer = rooms.say()
    assert (answer.status_code, answer.get_json()["error"]["condition"]) == (409, "not-acceptable")
    assert rooms.ask("PUT", f"/{ROOM}").status_code == 201
    assert rooms.say(20).status_code == 200
