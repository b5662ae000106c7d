"""Event streams of accounts of other servers, over a real socket and a scripted server of theirs (accounts-anywhere §7.3)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from tests.foreign_app import PASSWORDS, ROMEO, ForeignApp, MakeForeignApp, make_foreign_app, montague_folder
from tests.link.attached import until
from tests.live.foreign_reader import ForeignReader
from tests.service.sessions.fake_archive import BEGAN, JULIET, FakeArchive
from tests.service.sessions.fake_roster import FakeRoster
from xmpp_rest.api.eventsource import EventSource
from xmpp_rest.protocol.namespaces import CARBONS, FORWARD, MAM, STANZA_ID
from xmpp_rest.protocol.stanza import child, copied, make

__all__ = ["make_foreign_app", "montague_folder"]


class Elsewhere:
    """An application that listens at a port, and what the server of its callers has for `romeo`."""

    def __init__(self, app: ForeignApp) -> None:
        self.app = app
        self.archive = FakeArchive(ROMEO, whole=True)
        app.server.handlers += [self.archive, FakeRoster()]
        self.web: BaseWSGIServer = make_server("127.0.0.1", 0, app.app, threaded=True)
        self.web.daemon_threads = True  # type: ignore[attr-defined]
        threading.Thread(target=self.web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._readers: list[ForeignReader] = []

    def read(self, path: str = "/rest/stream", last: str = "") -> ForeignReader:
        reader = ForeignReader(self.web.port, str(ROMEO), path, PASSWORDS["romeo"], last)
        self._readers.append(reader)
        return reader

    def say(self, body: str) -> str:
        """Have a message archived, and delivered to the session; its id in the archive."""
        identifier = self.archive.add(body, BEGAN + len(self.archive.items))
        message = self.archive.items[-1].stanza
        told = copied(message, [*message, child(f"{{{STANZA_ID}}}stanza-id", by=str(ROMEO), id=identifier)])
        self.app.server.send("romeo", told)
        return identifier

    def presences(self) -> list[str]:
        """What the session has said of itself."""
        said = [p for p in self.app.server.received("romeo", "presence") if "to" not in p.attrib]
        return [p.get("type") or p.findtext("priority") or "0" for p in said]

    def shown(self) -> str:
        """The presence that `/rest/session` shows."""
        return str(self.app.ask("GET", "/rest/session").get_json()["presence"])

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self.app.gateway.parts.streams.stop()
        self.web.shutdown()
        self.web.server_close()


@pytest.fixture
def make_elsewhere(make_foreign_app: MakeForeignApp) -> Iterator[Callable[..., Elsewhere]]:
    made: list[Elsewhere] = []

    def make_one(**settings: str) -> Elsewhere:
        made.append(Elsewhere(make_foreign_app(**{"sessions_poll": "0.2"} | settings)))
        return made[-1]

    yield make_one
    for each in made:
        each.close()


@pytest.fixture
def elsewhere(make_elsewhere: Callable[..., Elsewhere]) -> Elsewhere:
    return make_elsewhere()


def test_stanzas_as_they_come(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    assert elsewhere.presences() == ["-1"]
    assert elsewhere.shown() == "quiet"
    first = elsewhere.say("But soft")
    elsewhere.archive.add("what light", BEGAN + 50)
    reader.wait("But soft", "what light")
    assert reader.bodies == ["But soft", "what light"]
    event = reader.events[0]
    assert (event.name, event.id, json.loads(event.data)["from"]) == ("message", first, str(JULIET))
    assert elsewhere.app.ask("GET", "/rest/session").get_json()["streams"] == 1


def test_a_reader_resumes(elsewhere: Elsewhere) -> None:
    ids = [elsewhere.archive.add(str(number), BEGAN + number) for number in range(130)]
    reader = elsewhere.read(last=ids[9])
    elsewhere.say("live")
    reader.wait("live")
    assert reader.bodies == [*map(str, range(10, 130)), "live"]
    again = elsewhere.read(f"/rest/stream?after={reader.last}")
    elsewhere.say("more")
    again.wait("more")
    assert again.bodies == ["more"]


def test_an_unknown_id_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.archive.add("before", BEGAN)
    reader = elsewhere.read(last="nobody-knows")
    elsewhere.say("after")
    reader.wait("after")
    assert reader.bodies == ["after"]
    assert any("unknown" in comment for comment in reader.comments)


def test_the_client_api_has_the_same(elsewhere: Elsewhere) -> None:
    counted, resuming = elsewhere.read("/api/sse"), elsewhere.read("/api/sse?resume")
    identifier = elsewhere.say("But soft")
    for reader in (counted, resuming):
        reader.wait("But soft")
        assert json.loads(reader.events[0].data)["from"] == str(JULIET.bare)
    assert (counted.events[0].id, resuming.events[0].id) == ("1", identifier)
    elsewhere.say("what light")
    again = elsewhere.read("/api/sse?resume", last=identifier)
    again.wait("what light")
    assert again.bodies == ["what light"]


def test_presences_and_what_is_not_archived_come_too(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    jid = str(elsewhere.app.log_in())
    elsewhere.app.server.send("romeo", make("presence", from_=str(JULIET), to_=jid))
    elsewhere.app.server.send("romeo", make("message", child("body", "news"), from_="capulet.example", to_=jid, type_="headline"))
    reader.wait("news")
    assert [(event.name, event.id) for event in reader.events] == [("presence", ""), ("message", "")]


@pytest.mark.parametrize("phone", [True, False])
def test_strangers_forge_nothing(elsewhere: Elsewhere, phone: bool) -> None:
    """Copies, results of archives, and ids count only if the account's own server says them (CVE-2017-5589, XEP-0359 §6)."""
    reader = elsewhere.read()
    jid = str(elsewhere.app.log_in())
    if phone:
        elsewhere.app.server.send("romeo", make("presence", from_=f"{ROMEO}/phone", to_=jid))
        reader.until(lambda: reader.events)
    forged = make("message", child("body", "forged"), from_="lawrence@cell.example", to_=str(ROMEO), type_="chat")
    forwarded = child(f"{{{FORWARD}}}forwarded", "")
    forwarded.append(forged)
    wrappers = child(f"{{{CARBONS}}}received", ""), child(f"{{{MAM}}}result", "", id="x999999")
    for wrapper in wrappers:
        wrapper.append(forwarded)
        for sender in (str(JULIET), JULIET.domain, f"{ROMEO}/phone"):
            elsewhere.app.server.send("romeo", make("message", wrapper, from_=sender, to_=jid))
    ids: list[str] = []
    for by in (str(JULIET.bare), str(JULIET), ROMEO.domain, f"{ROMEO}/phone", ""):
        ids.append(elsewhere.archive.add(f"by {by}", BEGAN + len(ids)))
        message = elsewhere.archive.items[-1].stanza
        elsewhere.app.server.send("romeo", copied(message, [*message, child(f"{{{STANZA_ID}}}stanza-id", by=by, id="x999999")]))
    last = elsewhere.say("last")
    reader.wait("last")
    assert [event.id for event in reader.events if event.name == "message"] == [*ids, last]
    assert "forged" not in str([event.data for event in reader.events])


def test_all_is_told_once_and_in_order_over_many_cuts(elsewhere: Elsewhere) -> None:
    readers = [elsewhere.read() for _ in range(3)]
    said = []
    for number in range(60):
        said.append(str(number))
        elsewhere.say(said[-1])
        if number % 9 == 4:
            elsewhere.app.server.cut()
        elif number % 9 == 8:  # as if its copy came to nobody
            said.append(f"{number} kept")
            elsewhere.archive.add(said[-1], BEGAN + len(elsewhere.archive.items))
    for reader in readers:
        reader.wait(*said)
        assert reader.bodies == said
        assert [event.id for event in reader.events] == [item.id for item in elsewhere.archive.items]


def test_an_own_presence_stands_for_the_session(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    assert elsewhere.app.ask("POST", "/rest", json={"kind": "presence", "show": "chat"}).status_code == 202
    assert elsewhere.shown() == "own"
    elsewhere.app.server.cut()
    elsewhere.say("over a cut")
    reader.wait("over a cut")
    assert elsewhere.app.ask("POST", "/rest", json={"kind": "presence", "type": "unavailable"}).status_code == 202
    until(lambda: elsewhere.presences() == ["-1", "0", "unavailable", "-1"])
    until(lambda: elsewhere.shown() == "quiet")


def test_a_session_that_begins_again_is_as_it_was(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    first = elsewhere.say("before")
    reader.wait("before")
    elsewhere.app.server.restart()
    elsewhere.archive.add("meanwhile", BEGAN + 50)
    until(lambda: elsewhere.presences() == ["-1"] and elsewhere.app.server.session("romeo").carbons)
    reader.wait("before", "meanwhile")
    elsewhere.say("after")
    reader.wait("after")
    assert reader.bodies == ["before", "meanwhile", "after"]
    assert (reader.events[0].id, reader.ended) == (first, False)


def test_the_end_of_the_session_is_told(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    assert elsewhere.app.ask("DELETE", "/rest/session").status_code == 204
    reader.until(lambda: reader.ended)
    assert reader.comments[-1] == "the account has logged out"
    again = elsewhere.read()
    elsewhere.app.server.end("romeo", "conflict", "Replaced by new connection")
    again.until(lambda: again.ended)
    assert again.comments[-1] == "the session was replaced by another login"


def test_another_password_ends_the_streams_of_the_former(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EventSource, "RECHECK", 0.2)
    reader = elsewhere.read()
    elsewhere.app.server.accounts["romeo"] = "it is the east"
    assert elsewhere.app.ask("GET", "/rest/session", password="it is the east").status_code == 200
    reader.until(lambda: reader.ended)
    assert reader.comments[-1] == "the credentials are no longer good"


def test_settings_in_force_count(make_elsewhere: Callable[..., Elsewhere]) -> None:
    elsewhere = make_elsewhere(sessions_presence="never")
    reader = elsewhere.read()
    elsewhere.archive.add("later", BEGAN)
    reader.wait("later")
    assert elsewhere.presences() == []
    assert elsewhere.shown() == "none"


def test_streams_of_an_account_are_bounded(make_elsewhere: Callable[..., Elsewhere]) -> None:
    elsewhere = make_elsewhere(streams_per_account="2")
    elsewhere.read()
    elsewhere.read()
    assert elsewhere.app.ask("GET", "/rest/stream").status_code == 503
    assert elsewhere.app.ask("GET", "/api/sse").status_code == 503


def test_an_archive_that_fails_is_told_before_the_stream(elsewhere: Elsewhere) -> None:
    elsewhere.archive.refusal = "internal-server-error"
    answer = elsewhere.app.ask("GET", "/rest/stream")
    assert answer.status_code >= 500
    assert elsewhere.app.gateway.parts.streams.count == 0


def test_requests_to_be_told_of_presence_are_remembered(elsewhere: Elsewhere) -> None:
    reader = elsewhere.read()
    elsewhere.app.server.send("romeo", make("presence", from_=str(JULIET.bare), to_=str(ROMEO), type_="subscribe"))
    reader.until(lambda: [event.name for event in reader.events] == ["presence"])
    asked = {request["jid"]: request["ask"] for request in elsewhere.app.ask("GET", "/api/contacts").get_json()}
    assert asked == {str(JULIET.bare): "in"}
