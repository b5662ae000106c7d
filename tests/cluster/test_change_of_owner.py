"""What becomes of state and streams where another machine owns from now on, or one more comes (many-machines §9 to §11)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.sql.cluster.shared import PostgresShared
from tests.cluster.conftest import CONFERENCE, AddMachine, Machine
from tests.conftest import DOMAIN, PASSWORD, basic, register_users
from tests.drivers.postgrescluster import Cluster
from tests.foreign_app import MONTAGUE, PASSWORDS, ForeignApp, login_settings, montague_folder
from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.many import in_threads
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.streams.registry import StreamEnded

__all__ = ["montague_folder"]

JULIET = parse_jid(f"juliet@{DOMAIN}")


@pytest.fixture
def pair(add_machine: AddMachine) -> tuple[Machine, Machine]:
    """Two nodes of the test's own, the first of which owns."""
    first = add_machine("web1", limits_account="30")
    register_users(first.app)
    return first, add_machine("web2", limits_account="30")


def take_over(former: Machine, machine: Machine) -> None:
    """Have the owner stop in order, and wait until the other one owns."""
    former.gateway.hand_over()
    former.gateway.stop()
    until(lambda: machine.owns)


def test_streams_end_and_resume_with_nothing_missed(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    streams = [second.gateway.parts.streams.open(JULIET) for _ in range(3)]
    assert first.send("before", who="nurse", to=str(JULIET)).status_code == 202
    before = [stream.next(30) for stream in streams]
    take_over(first, second)
    assert second.send("after", who="nurse", to=str(JULIET)).status_code == 202
    retries = []
    for stream in streams:
        with pytest.raises(StreamEnded, match="another process leads") as caught:
            stream.next(30)
        retries.append(caught.value.retry)
        stream.close()
    assert all(1 <= retry <= 5 for retry in retries)
    assert len(set(retries)) == 3
    assert before[0] is not None
    resumed = second.gateway.parts.streams.open(JULIET, after=before[0].id)
    event = resumed.next(30)
    assert event is not None
    assert event.stanza.findtext("body") == "after"
    resumed.close()


def test_limits_hold_over_the_change(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    statuses = [(first, second)[number % 2].send("x").status_code for number in range(26)]
    assert set(statuses) == {202}
    took = time.monotonic()
    take_over(first, second)
    statuses = [second.send("x").status_code for _ in range(20)]
    most = 30 - 26 + (time.monotonic() - took) / 2 + 3
    assert 1 <= statuses.count(202) <= most


def test_rooms_scheduled_messages_and_keys_stay(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    options = [{"name": "persistent", "value": "true"}, {"name": "title", "value": "Ward"}]
    assert first.run("create_room_with_opts", room="ward", service=CONFERENCE, host=DOMAIN, options=options).status_code == 200
    assert first.client.put("/api/rooms/garden", json={"name": "Garden", "subject": ""}, headers=basic(str(JULIET))).status_code == 201
    later = first.send("later", to=str(JULIET), Delay="3s")
    assert later.status_code == 202
    sent = first.send("once", Idempotency_Key="k")
    take_over(first, second)
    assert "Ward" in second.run("get_room_options", room="ward", service=CONFERENCE).text
    assert second.run("create_room", room="ward", service=CONFERENCE, host=DOMAIN).status_code == 400
    assert second.client.get("/api/rooms/garden", headers=basic(str(JULIET))).get_json()["name"] == "Garden"
    assert second.send("once", Idempotency_Key="k").headers["Stanza-Id"] == sent.headers["Stanza-Id"]
    until(lambda: second.client.get("/rest/scheduled", headers=basic(str(JULIET))).get_json()["scheduled"] == [])
    archived = list(second.gateway.driver.archive_find("juliet", DOMAIN, "archive", _everything()))
    assert sum("later" in item.stanza for item in archived) >= 1


def _everything() -> Any:
    from drivers import ArchiveQuery

    return ArchiveQuery()


def test_sessions_of_a_machine_that_is_gone_leave_the_lists(pair: tuple[Machine, Machine]) -> None:
    first, second = pair
    stream = second.gateway.parts.streams.open(JULIET)
    shown = f"{JULIET}/{stream.resource}"
    assert shown in str(first.run("connected_users").get_json())
    second.gateway.stop()
    until(lambda: shown not in str(first.run("connected_users").get_json()))


def test_a_machine_more_is_there_at_once(pair: tuple[Machine, Machine], add_machine: AddMachine) -> None:
    third = add_machine("web3", limits_account="30")
    streams = [machine.gateway.parts.streams.open(JULIET) for machine in (*pair, third)]
    assert third.send("hello", who="nurse", to=str(JULIET)).status_code == 202
    for stream in streams:
        event = stream.next(30)
        assert event is not None
        assert event.stanza.findtext("body") == "hello"
    assert len(pair[0].run("connected_users").get_json()) == 3


# -- configurations


class Configured:
    """A node by a file of its own."""

    def __init__(self, folder: Path, name: str, url: str) -> None:
        self.file = folder / name / "wsgi.ini"
        self.file.parent.mkdir()
        self._text = (
            f"[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n[storage]\nurl = {url}\n"
            f"[cluster]\nkind = postgresql\ncopies = 1\nnode = {name}\nlease = 2\n[files]\nfolder = {folder}/files\n"
        )
        self.write("")
        self.machine = Machine(build(load_settings(self.file, {})))

    def write(self, more: str) -> None:
        self.file.write_text(self._text + more)


@pytest.fixture
def configured(cluster: Cluster, tmp_path: Path) -> Iterator[list[Configured]]:
    url = cluster.new_database()
    made = [Configured(tmp_path, name, url) for name in ("web1", "web2")]
    for each in made:
        each.machine.gateway.start()
    yield made
    for each in reversed(made):
        each.machine.gateway.stop()


def test_each_machine_reads_its_own_file_and_errors_name_it(configured: list[Configured]) -> None:
    for one, other in (configured, configured[::-1]):
        for each in configured:
            each.write("[limits]\naccount = 7\n")
        assert one.machine.run("reload_config").status_code == 200
        assert [each.machine.gateway.settings.limits.account for each in configured] == [7, 7]
        one.write("[limits]\naccount = 8\n")
        other.write("[limits]\naccount = many\n")
        answer = one.machine.run("reload_config")
        assert answer.status_code == 400
        name = other.machine.gateway.settings.cluster.node
        assert f"node {name}: nothing was changed there" in answer.text
        assert "[limits] account" in answer.text
        assert str(other.file.parent) not in answer.text
        assert [each.machine.gateway.settings.limits.account for each in (one, other)] == [8, 7]
        other.write("[limits]\naccount = 8\n[streams]\ntotal = 77\n")
        answer = one.machine.run("reload_config")
        assert f"node {name}: in need of a restart: [streams] total" in answer.text


# -- the first administrator


def test_two_that_start_at_once_make_one_administrator(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.new_database()
    given = {"STORAGE_URL": url, "GATEWAY_DOMAIN": DOMAIN, "AUTH_ITERATIONS": "4096", "CLUSTER_KIND": "postgresql", "CLUSTER_COPIES": "1"}
    given |= {"CLUSTER_LEASE": "2", "FILES_FOLDER": str(tmp_path / "files")}
    folders = [tmp_path / name for name in ("web1", "web2", "web3")]
    gateways: list[Gateway] = []
    for folder in folders:
        values = given | {"SERVER_DATA_DIR": str(folder), "CLUSTER_NODE": folder.name}
        gateways.append(build(load_settings(None, {f"XMPP_REST_{key}": value for key, value in values.items()})).extensions["gateway"])
    try:
        in_threads(Gateway.start, gateways)
        kept = [(folder / "admin-password").read_text().strip() for folder in folders if (folder / "admin-password").exists()]
        assert len(kept) == 1
        admin = parse_jid(f"admin@{DOMAIN}")
        assert [gateway.parts.accounts.check_password(admin, kept[0]) for gateway in gateways] == [True] * 3
    finally:
        for gateway in gateways:
            gateway.stop()


# -- accounts of other servers


def test_accounts_of_other_servers_have_one_session_and_their_passwords_stay_secret(
    add_machine: AddMachine, montague_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried: list[str] = []
    notify = PostgresShared.notify

    def listening(self: PostgresShared, sent: Any) -> None:
        carried.extend(payload for _, payload in sent)
        notify(self, sent)

    monkeypatch.setattr(PostgresShared, "notify", listening)
    with FakeServer(montague_folder, PASSWORDS, MONTAGUE) as server:
        first, second = (add_machine(name, **login_settings(server)) for name in ("web1", "web2"))
        apps = [ForeignApp(machine.app, server) for machine in (first, second)]
        session = apps[1].log_in()
        assert apps[0].log_in() == session
        assert server.logins == ["romeo"]
        wrong = apps[1].ask("GET", "/rest/session", password="wrong guess")
        assert wrong.status_code == 403
        assert apps[1].ask("POST", "/rest", json={"to": f"juliet@{MONTAGUE}", "body": "Hello"}).status_code == 200
        assert carried
        assert "log_in" in "".join(carried)
        for secret in (PASSWORDS["romeo"], "wrong guess", first.gateway.parts.foreign_accounts._core.key.hex()):
            assert secret not in "".join(carried)
        take_over(first, second)
        until(lambda: apps[1].ask("GET", "/rest/session").status_code == 200 and server.logins == ["romeo", "romeo"])
        assert apps[1].log_in().bare == session.bare
        second.gateway.stop()


# -- nobody owns


def test_what_goes_on_and_what_waits_while_nobody_owns(add_machine: AddMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xmpp_rest.cluster.group.ROLE_TIMEOUT", 3.0)
    first = add_machine("web1")
    register_users(first.app)
    second = add_machine("web2", cluster_may_own="no")
    user = basic(str(JULIET))
    hook = second.client.post("/hooks", json={"name": "ops"}, headers=user).get_json()["token"]
    first.gateway.hand_over()
    first.gateway.stop()
    until(lambda: second.gateway.parts.remote.group.wait_for_speaker() and not second.gateway.parts.remote.group.has_others)
    began = time.monotonic()
    statuses = {
        "store": second.client.put("/data/settings", json={"a": 1}, headers=user).status_code,
        "read": second.client.get("/data/settings", headers=user).status_code,
        "wrong": second.client.get("/data/settings", headers=basic(str(JULIET), "wrong")).status_code,
        "right": second.client.get("/data/settings", headers=user).status_code,
        "password": second.run("change_password", user="nurse", host=DOMAIN, newpass="new").status_code,
        "live": second.client.get("/livez").status_code,
    }
    seconds = time.monotonic() - began
    assert statuses == {"store": 201, "read": 200, "wrong": 401, "right": 200, "password": 200, "live": 200}
    assert seconds < 2.5, "nothing of this waits for an owner"
    waiting = [
        lambda: second.send("x"),
        lambda: second.client.post(f"/hooks/{hook}", json={"message": "x"}),
        lambda: second.client.get(f"/rest/ping/{DOMAIN}", headers=basic("juliet")),
        lambda: second.client.get("/api/sse", headers=user),
    ]
    began = time.monotonic()
    answers = in_threads(lambda ask: ask(), waiting)
    assert 3 <= time.monotonic() - began < 6, "however many calls a request makes, it waits once"
    assert [(answer.status_code, answer.headers.get("Retry-After")) for answer in answers] == [(503, "5")] * 4
    third = add_machine("web3")
    assert third.owns
    assert [second.send("x").status_code, third.send("x").status_code] == [202, 202]
