"""Sessions of accounts of other servers where another node owns next: in use, they go on; their servers see a short break (many-machines §9)."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from drivers import StorageError
from tests.cluster.conftest import CONFERENCE, AddMachine, Machine
from tests.cluster.test_spread import move, owners
from tests.conftest import DOMAIN
from tests.foreign_app import MONTAGUE, PASSWORDS, ROMEO, ForeignApp, MakeForeignApp, login_settings, make_foreign_app, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.live.foreign_reader import ForeignReader
from tests.raising import raising
from tests.service.sessions.fake_archive import BEGAN, FakeArchive
from tests.service.sessions.fake_roster import FakeRoster
from xmpp_rest.errors import GatewayError, stopping
from xmpp_rest.gateway.left_list import LeftList
from xmpp_rest.gateway.unclaimed_sessions import STORE
from xmpp_rest.link.c2s.session import ClientSession
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import child, copied, make
from xmpp_rest.service.rooms.left_memberships import LeftMemberships
from xmpp_rest.service.sessions.login_queue import LoginJob
from xmpp_rest.service.sessions.own_presence import OwnPresences
from xmpp_rest.service.sessions.process_key import ProcessKey

__all__ = ["make_foreign_app", "montague_folder"]


class Nodes:
    """Two of them, and the server of their callers."""

    def __init__(self, server: FakeServer, first: Machine, second: Machine) -> None:
        self.server = server
        self.machines = [first, second]
        self.apps = [ForeignApp(machine.app, server) for machine in self.machines]
        self._archive = FakeArchive(ROMEO, whole=True)
        server.handlers += [self._archive, FakeRoster()]
        self._webs: list[BaseWSGIServer] = []
        self._readers: list[ForeignReader] = []

    def until_known(self) -> None:
        """Until the second one could go on with what the first one has."""
        first, second = self.machines
        cluster = first.gateway.parts.joined.cluster
        assert cluster is not None
        until(lambda: bool(cluster.keeper.others()))
        until(lambda: self.key_of(second) == first.gateway.parts.foreign_accounts._core.key)

    @staticmethod
    def key_of(machine: Machine) -> bytes | None:
        return machine.gateway.parts.foreign_accounts._key.former

    def read(self, number: int, last: str = "") -> ForeignReader:
        """Events of romeo, from this node."""
        web = make_server("127.0.0.1", 0, self.apps[number].app, threaded=True)
        web.daemon_threads = True  # type: ignore[attr-defined]
        threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self._webs.append(web)
        self._readers.append(ForeignReader(web.port, str(ROMEO), "/rest/stream", PASSWORDS["romeo"], last))
        return self._readers[-1]

    def say(self, body: str) -> None:
        """Have a message archived, and delivered to the session of romeo, which may be away."""
        identifier = self._archive.add(body, BEGAN + len(self._archive.items))
        message = self._archive.items[-1].stanza
        self.server.send("romeo", copied(message, [*message, child(f"{{{STANZA_ID}}}stanza-id", by=str(ROMEO), id=identifier)]))

    def change(self) -> None:
        """Have the first one stop in order, and wait until the second one owns."""
        first, second = self.machines
        first.gateway.hand_over()
        first.gateway.stop()
        until(lambda: second.owns)

    def session(self, number: int, user: str = "romeo") -> Any:
        answer = self.apps[number].ask("GET", "/rest/session", user)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def unavailable(self) -> list[JID]:
        """Who has said so."""
        return [each.jid for each in self.server.sessions for said in each.received if said.get("type") == "unavailable"]

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        for machine in self.machines:
            machine.gateway.parts.streams.stop()
        for web in self._webs:
            web.shutdown()
            web.server_close()
        for machine in reversed(self.machines):
            machine.gateway.stop()


@pytest.fixture
def settings() -> dict[str, str]:
    """Of both nodes."""
    return {}


@pytest.fixture
def of_second() -> dict[str, str]:
    """Settings of the second one alone."""
    return {}


@pytest.fixture
def nodes(add_machine: AddMachine, montague_folder: Path, settings: dict[str, str], of_second: dict[str, str]) -> Iterator[Nodes]:
    with FakeServer(montague_folder, PASSWORDS, MONTAGUE) as server:
        given = {**login_settings(server), "sessions_poll": "0.2", **settings}
        made = Nodes(server, add_machine("web1", **given), add_machine("web2", **given | of_second))
        made.until_known()
        yield made
        made.close()


def show(app: ForeignApp, user: str = "romeo", **more: object) -> None:
    """The account sends a presence of its own, by which its session is in use."""
    assert app.ask("POST", "/rest", user, json={"kind": "presence", **more}).status_code == 202


def test_a_session_with_a_presence_goes_on_at_the_next_owner(nodes: Nodes) -> None:
    show(nodes.apps[1], show="dnd", priority=7)
    before = nodes.session(1)
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    logins = len(nodes.server.logins)
    after = nodes.session(1)
    assert {key: after[key] for key in ("jid", "since", "presence")} == {key: before[key] for key in ("jid", "since", "presence")}
    assert before["presence"] == "own"
    assert nodes.unavailable() == []
    assert nodes.apps[1].ask("GET", "/rest/session", password="wrong guess").status_code == 403
    assert nodes.apps[1].ask("POST", "/rest", json={"to": f"benvolio@{MONTAGUE}", "body": "Good morrow"}).status_code in (200, 202)
    assert len(nodes.server.logins) == logins, "the password is known"
    assert (nodes.server.resumes, len(nodes.server.sessions)) == (1, 1)


def test_presence_and_requests_are_there_for_a_server_that_has_forgotten_the_session(nodes: Nodes) -> None:
    show(nodes.apps[1], show="dnd", priority=7)
    nodes.server.send("romeo", make("presence", from_=f"benvolio@{MONTAGUE}", type_="subscribe"))
    parts = nodes.machines[0].gateway.parts
    benvolio = JID("benvolio", MONTAGUE, "")
    requests = nodes.machines[0].gateway.parts.foreign.contacts._requests  # type: ignore[attr-defined]
    until(lambda: requests.of(ROMEO) == [benvolio])
    server = nodes.server
    left = LeftList.leave

    def leave_and_forget(self: LeftList, rows: list[Any]) -> None:
        server.restart()
        left(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LeftList, "leave", leave_and_forget)
        nodes.change()
    assert parts is not nodes.machines[1].gateway.parts
    server.until(lambda: [p.findtext("priority") for p in server.received("romeo", "presence")] == ["7"])
    assert server.resumes == 0
    assert server.logins == ["romeo", "romeo"]
    assert nodes.machines[1].gateway.parts.foreign.contacts._requests.of(ROMEO) == [benvolio]  # type: ignore[attr-defined]


@pytest.mark.parametrize("settings", [{"cluster_spread": "yes"}])
def test_sessions_go_on_where_their_owner_gives_up_another_domain(nodes: Nodes) -> None:
    first = nodes.machines[0]
    show(nodes.apps[1])
    move(first, CONFERENCE, "web2")
    nodes.server.until(lambda: nodes.server.resumes == 1)
    assert owners(first)[DOMAIN] == "web1"
    assert nodes.session(1)["presence"] == "own"
    assert nodes.unavailable() == []


def test_an_iq_is_answered_at_once_where_the_server_has_forgotten_the_session(nodes: Nodes) -> None:
    show(nodes.apps[1])
    nodes.server.refuses = True
    nodes.change()
    nodes.server.restart()
    pool = ThreadPoolExecutor(1)
    asked = pool.submit(nodes.apps[1].ask, "GET", f"/rest/ping/benvolio@{MONTAGUE}/x")
    until(lambda: nodes.machines[1].gateway.parts.router._pending.count == 1)
    nodes.server.refuses = False
    nodes.server.until(lambda: nodes.server.sessions)
    answer = asked.result(20)  # an iq waits for longer
    assert (answer.status_code, answer.get_json()["error"]["text"]) == (503, f"The session at {MONTAGUE} broke off; try again")
    pool.shutdown()


@pytest.mark.parametrize("of_second", [{"sessions_total": "1"}])
def test_an_owner_that_keeps_fewer_ends_those_that_are_too_many(nodes: Nodes) -> None:
    for user in ("romeo", "benvolio"):
        show(nodes.apps[1], user)
    nodes.change()
    parts = nodes.machines[1].gateway.parts
    nodes.server.until(lambda: nodes.server.resumes)
    until(lambda: len(parts.foreign_accounts._logins._keeper) == 1)  # type: ignore[arg-type]
    [kept] = parts.session_views.all().sessions
    assert nodes.session(1, kept.jid.local)["presence"] == "own"


def test_events_go_on_with_nothing_missed_and_nothing_twice(nodes: Nodes) -> None:
    reader = nodes.read(1)
    nodes.server.until(lambda: [p.findtext("priority") for p in nodes.server.received("romeo", "presence")] == ["-1"])
    nodes.say("before")
    reader.wait("before")
    nodes.change()
    reader.until(lambda: reader.ended)
    nodes.say("meanwhile")
    again = nodes.read(1, reader.last)
    again.wait("meanwhile")
    nodes.say("after")
    again.wait("after")
    assert again.bodies == ["meanwhile", "after"]
    assert len(nodes.server.sessions) == 1
    assert nodes.server.resumes == 1
    assert nodes.unavailable() == []
    assert nodes.session(1)["presence"] == "quiet"
    assert nodes.machines[1].gateway.parts.foreign.listening._listeners._services.has_successor  # type: ignore[attr-defined]


def test_a_reader_that_does_not_come_back_is_unavailable_some_seconds_later(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = nodes.read(1)
    nodes.server.until(lambda: nodes.server.received("romeo", "presence"))
    nodes.change()
    monkeypatch.setattr("xmpp_rest.service.sessions.listening.listeners.LINGERS", 0.5)
    reader.close()
    nodes.server.until(lambda: nodes.unavailable())
    assert nodes.server.resumes == 1


def test_a_session_that_nobody_uses_ends(nodes: Nodes) -> None:
    nodes.apps[1].log_in()
    nodes.apps[1].log_in("benvolio")
    show(nodes.apps[1], "benvolio")
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    assert [session.jid.local for session in nodes.server.sessions] == ["benvolio"]
    nodes.session(1)
    assert nodes.server.logins == ["romeo", "benvolio", "benvolio", "romeo"]


def test_the_password_that_counts_is_the_one_that_was_proven_last(nodes: Nodes) -> None:
    show(nodes.apps[1])
    nodes.server.accounts["romeo"] = "by any other name"
    assert nodes.apps[1].ask("GET", "/rest/session", password="by any other name").status_code == 200
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    attempts = len(nodes.server.attempts)
    assert nodes.apps[1].ask("GET", "/rest/session", password="by any other name").status_code == 200
    assert len(nodes.server.attempts) == attempts
    assert nodes.apps[1].ask("GET", "/rest/session").status_code == 403


def test_a_server_without_scram_gets_another_login(nodes: Nodes) -> None:
    nodes.server.mechanisms = ["PLAIN"]
    show(nodes.apps[1])
    nodes.change()
    nodes.server.until(lambda: nodes.server.sessions == [])
    nodes.session(1)
    assert nodes.server.logins == ["romeo", "romeo"]


def test_one_that_cannot_be_handed_over_costs_no_other(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for user in ("romeo", "benvolio"):
        show(nodes.apps[1], user)
    kept_of = OwnPresences.kept_of

    def kept_or_not(self: OwnPresences, session: ClientSession) -> Element | None:
        if session.account == ROMEO:
            raise KeyError("x")
        return kept_of(self, session)

    monkeypatch.setattr(OwnPresences, "kept_of", kept_or_not)
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    assert f"the session of {ROMEO} is not handed over" in caplog.text
    assert nodes.session(1, "benvolio")["presence"] == "own"


@pytest.mark.parametrize("asks", [True, False], ids=["the server knows that it has come", "the server repeats it"])
def test_what_has_come_and_is_not_handled_is_handled_by_the_next_owner(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, asks: bool) -> None:
    show(nodes.apps[1])
    first, second = (machine.gateway.parts.foreign.contacts._requests for machine in nodes.machines)  # type: ignore[attr-defined]
    senders = [JID(user, MONTAGUE, "") for user in ("benvolio", "mercutio", "abram")]
    may_go = threading.Event()

    def block(*_: object) -> None:
        may_go.wait(60)

    monkeypatch.setattr(first, "received", block)
    for number, sender in enumerate(senders):
        nodes.server.send("romeo", make("presence", from_=str(sender), type_="subscribe"))
        if asks and number == 1:
            nodes.server.call(lambda: nodes.server.session("romeo").send_raw("<r xmlns='urn:xmpp:sm:3'/>"))
            until(lambda: nodes.server.session("romeo").unacknowledged == 0)
    try:
        nodes.change()
        nodes.server.until(lambda: nodes.server.resumes == 1)
        until(lambda: second.of(ROMEO) == senders)
    finally:
        may_go.set()


def test_it_is_told_of_what_is_more_than_can_be_left(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("xmpp_rest.service.sessions.handed_over.MOST_COME", 10)
    show(nodes.apps[1])
    first = nodes.machines[0].gateway.parts.foreign.contacts._requests  # type: ignore[attr-defined]
    may_go = threading.Event()

    def block(*_: object) -> None:
        may_go.wait(60)

    monkeypatch.setattr(first, "received", block)
    nodes.server.send("romeo", make("presence", from_=f"benvolio@{MONTAGUE}", type_="subscribe"))
    nodes.server.call(lambda: nodes.server.session("romeo").send_raw("<r xmlns='urn:xmpp:sm:3'/>"))
    until(lambda: nodes.server.session("romeo").unacknowledged == 0)
    try:
        nodes.change()
        nodes.server.until(lambda: nodes.server.resumes == 1)
    finally:
        may_go.set()
    assert f"{ROMEO}: 1 stanzas that have come are not handled" in caplog.text


def test_where_nothing_can_be_written_down_sessions_end_politely(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else their servers would keep them for minutes, and what they look like to others."""
    show(nodes.apps[1])
    with monkeypatch.context() as patch:
        patch.setattr(LeftList, "leave", raising(StorageError("away")))
        nodes.change()
    nodes.server.until(lambda: not nodes.server.sessions)
    [ended] = nodes.server.ended
    assert ended.received[-1].get("type") == "unavailable"
    nodes.session(1)
    assert nodes.server.logins == ["romeo", "romeo"]


@pytest.mark.parametrize("heeds", [True, False])
def test_no_session_is_handed_over_while_this_process_may_still_resume_it(nodes: Nodes, monkeypatch: pytest.MonkeyPatch, heeds: bool) -> None:
    """That would take it from the next owner."""
    monkeypatch.setattr("xmpp_rest.service.sessions.handed_over.CALLED_OFF_WITHIN", 60.0 if heeds else 0.1)
    for user in ("romeo", "benvolio"):
        show(nodes.apps[1], user)
    happened: list[str] = []
    leave = LeftList.leave

    def leave_and_note(self: LeftList, rows: list[Any]) -> None:
        happened.append(f"left {len(rows)}")
        leave(self, rows)

    monkeypatch.setattr(LeftList, "leave", leave_and_note)
    queue, may_go = nodes.machines[0].gateway.parts.foreign_accounts._core.queue, threading.Event()

    def log_in() -> None:
        happened.append("begun")
        if heeds:
            until(lambda: queue.stopped)
            may_go.wait(0.3)
        else:
            may_go.wait(60)
        happened.append("called off")

    queue.put(LoginJob(ROMEO, lambda: True, log_in, lambda _: None))
    until(lambda: happened == ["begun"])
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == (2 if heeds else 1))
    may_go.set()
    if heeds:
        assert happened[:3] == ["begun", "called off", "left 2"]
    else:
        assert happened[:2] == ["begun", "left 1"]
        nodes.server.until(lambda: [session.jid.local for session in nodes.server.ended] == ["romeo"])


def test_one_in_which_as_much_waits_as_may_gets_its_connection(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    show(nodes.apps[1])
    asked: list[JID] = []
    with monkeypatch.context() as patch:
        patch.setattr(ClientSession, "confirm", raising(GatewayError("outbox-share")))
        patch.setattr(LeftMemberships, "go_on", lambda _, account: asked.append(account))
        nodes.change()
        until(lambda: nodes.server.resumes == 1)
        until(lambda: asked == [ROMEO])
    assert nodes.session(1)["presence"] == "own"


def test_what_is_not_understood_besides_costs_no_session(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    show(nodes.apps[1])
    first, second = (machine.gateway.parts.foreign.contacts._requests for machine in nodes.machines)  # type: ignore[attr-defined]
    nodes.server.send("romeo", make("presence", from_=f"benvolio@{MONTAGUE}", type_="subscribe"))
    until(lambda: first.of(ROMEO))
    before = nodes.session(1)["jid"]
    monkeypatch.setattr("xmpp_rest.service.sessions.own_presence.OwnPresences.restore", raising(KeyError("x")))
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    assert f"the session of {ROMEO} goes on without all that was known of it" in caplog.text
    assert "has ended" not in caplog.text
    assert second.of(ROMEO), "the rest is there"
    assert nodes.session(1)["jid"] == before
    assert nodes.apps[1].ask("POST", "/rest", json={"to": f"benvolio@{MONTAGUE}", "body": "Good morrow"}).status_code in (200, 202)


def test_who_logs_in_just_then_is_told_that_the_owner_changes(nodes: Nodes) -> None:
    first = nodes.machines[0]
    pool = ThreadPoolExecutor(1)
    with nodes.server.frozen():
        asked = pool.submit(nodes.apps[0].ask, "GET", "/rest/session")
        until(lambda: first.gateway.parts.foreign_accounts._core.queue.under_way == 1)
        move(first, DOMAIN, "web2")
    answer = asked.result(20)
    assert (answer.status_code, answer.get_json()["error"]["text"]) == (503, stopping().text)
    pool.shutdown()


def test_nothing_of_it_stays_in_the_memory_of_the_node_that_owned(nodes: Nodes) -> None:
    first, second = nodes.machines
    show(nodes.apps[1])
    [session] = [weakref.ref(kept.session) for kept in first.gateway.parts.foreign_accounts._core.table]  # it has the keys
    move(first, DOMAIN, "web2")
    until(lambda: second.owns)
    nodes.server.until(lambda: nodes.server.resumes == 1)
    pause = threading.Event()

    def is_gone() -> bool:
        pause.wait(0.5)  # nothing else runs while garbage is collected
        gc.collect()
        return session() is None

    until(is_gone)  # once its threads have ended


def test_an_account_that_may_not_come_in_any_more_is_not_gone_on_with(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    show(nodes.apps[1])
    monkeypatch.setattr(nodes.machines[1].gateway.parts.foreign_accounts._core, "login_of", nobody)
    nodes.change()
    until(lambda: nodes.machines[1].gateway.parts.leader._to_begin == [])
    assert nodes.machines[1].gateway.parts.session_views.all().sessions == []
    assert nodes.server.resumes == 0


def nobody(_: str) -> None:
    return None


def test_nothing_is_left_in_the_storage_by_which_anybody_could_log_in(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []
    leave = LeftList.leave

    def leave_and_note(self: LeftList, rows: list[Any]) -> None:
        written.extend(rows)
        leave(self, rows)

    monkeypatch.setattr(LeftList, "leave", leave_and_note)
    show(nodes.apps[1])
    [kept] = nodes.machines[0].gateway.parts.foreign_accounts._core.table
    assert kept.keys is not None
    nodes.change()
    nodes.server.until(lambda: nodes.server.resumes == 1)
    sealed = [row for row in written if "sealed" in row]
    assert [list(row) for row in sealed] == [["sealed"]]
    for secret in ("romeo", "keys", kept.proof.hex(), str(kept.session.jid)):
        assert secret not in json.dumps(written)
    second = nodes.machines[1].gateway
    assert second.driver.list_load(None, second.settings.gateway.domain, STORE) is None


@pytest.mark.parametrize("given", [{"cluster_kind": "none"}, {}], ids=["one machine", "a cluster that lets in no account from elsewhere"])
def test_what_a_cluster_has_left_that_has_stopped_is_removed_at_the_next_start(add_machine: AddMachine, given: dict[str, str]) -> None:
    first = add_machine("web1")
    first.gateway.driver.list_store(None, DOMAIN, STORE, [{"epoch": 1, "now": 0.0}, {"sealed": "no secret"}])
    first.gateway.stop()
    second = add_machine("web2", **given)
    until(lambda: second.gateway.driver.list_load(None, DOMAIN, STORE) is None)


def test_one_machine_leaves_nothing_to_the_archive(make_foreign_app: MakeForeignApp) -> None:
    listening = make_foreign_app().app.extensions["gateway"].parts.foreign.listening
    assert not listening._listeners._services.has_successor


@pytest.mark.parametrize(
    ("key", "said"),
    [(None, "sessions of the owner before have ended"), (b"\0" * 32, "a session of the owner before cannot be read")],
    ids=["unknown", "of an earlier owner"],
)
def test_a_node_without_the_key_logs_in_anew(
    nodes: Nodes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, key: bytes | None, said: str
) -> None:
    show(nodes.apps[1])
    before = nodes.session(1)["jid"]
    monkeypatch.setattr(ProcessKey, "former", key)
    nodes.change()
    until(lambda: said in caplog.text)
    assert nodes.session(1)["jid"] == before
    assert nodes.server.logins == ["romeo", "romeo"]
    assert nodes.server.resumes == 0
