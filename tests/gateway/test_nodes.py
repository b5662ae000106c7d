"""Gateways that are nodes of one cluster, over a PostgreSQL: who owns, and what becomes of the parts of one that owns no more."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from flask import Flask

from drivers import LeaseLost
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from xmpp_rest.gateway.exit_codes import CannotStart
from xmpp_rest.gateway.gateway import Gateway

pytestmark = pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")
LEASE = 5.0  # a busy machine must not cost an owner its lease


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


class Nodes:
    """Nodes over one database, each an application in this process."""

    def __init__(self, make_app: MakeApp, url: str) -> None:
        self._make_app = make_app
        self._url = url

    def add(self, name: str, **given: str) -> Flask:
        """A node that has started."""
        app = self.build(name, **given)
        app.extensions["gateway"].start()
        return app

    def build(self, name: str, **given: str) -> Flask:
        cluster = {"cluster_kind": "postgresql", "cluster_node": name, "cluster_copies": "1", "cluster_lease": str(LEASE)}
        return self._make_app(storage_url=self._url, files_domain="", **cluster, **given)


@pytest.fixture
def nodes(make_app: MakeApp, cluster: Cluster) -> Nodes:
    return Nodes(make_app, cluster.new_database())


def gateway_of(app: Flask) -> Gateway:
    gateway: Gateway = app.extensions["gateway"]
    return gateway


def leads(app: Flask) -> bool:
    return gateway_of(app).parts.remote.group.is_leader


def owner(app: Flask) -> str:
    """The node that owns, as this one says."""
    answer = app.test_client().get("/status", headers=basic("admin"))
    assert answer.status_code == 200, answer.data
    owners = answer.get_json()["cluster"]["owners"]
    return owners[0]["node"] if owners else ""


def write(app: Flask, text: str, user: str = "juliet") -> int:
    """Send a message to another account, as a client of this node; the status."""
    message = {"to": f"nurse@{DOMAIN}", "type": "chat", "body": text}
    answer = app.test_client().post("/rest", json=message, headers=basic(user))
    return answer.status_code


def test_one_owns_and_the_other_calls_it(nodes: Nodes) -> None:
    one = register_users(nodes.add("one"))
    other = nodes.add("other")
    assert (leads(one), leads(other)) == (True, False)
    assert owner(one) == owner(other) == "one"
    assert write(other, "But soft") == 202
    assert write(one, "what light") == 202


def test_a_move_is_orderly(nodes: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    one = register_users(nodes.add("one"))
    other = nodes.add("other")
    first, driver = gateway_of(one).parts, gateway_of(one).driver
    statuses: list[int] = []
    ends = threading.Event()

    def speak() -> None:
        while not ends.is_set():
            statuses.append(write(one, "It is the east"))
            statuses.append(write(other, "and Juliet is the sun"))

    speaking = threading.Thread(target=speak)
    speaking.start()
    try:
        until(lambda: gateway_of(other).parts.cluster.move(DOMAIN, "other") == "")  # once the owner has heard of it
        until(lambda: leads(other) and owner(one) == "other")
        before = len(statuses)
        until(lambda: len(statuses) > before + 3)
    finally:
        ends.set()
        speaking.join(30)
    assert set(statuses) == {202}
    assert gateway_of(one).parts is not first
    assert gateway_of(one).driver is not driver
    assert not leads(one)
    assert f"node one no longer owns {DOMAIN} (epoch 1): it was moved to other" in caplog.text
    until(lambda: gateway_of(one).parts.cluster.move(DOMAIN, "one") == "")
    until(lambda: leads(one) and owner(other) == "one")


def test_the_end_of_the_owner_is_orderly_too(nodes: Nodes) -> None:
    one = register_users(nodes.add("one"))
    other = nodes.add("other")
    gateway_of(one).stop()
    until(lambda: leads(other), 10)
    assert write(other, "Arise, fair sun") == 202


def test_an_owner_whose_lease_was_taken_writes_nothing_more(nodes: Nodes, cluster: Cluster) -> None:
    one = register_users(nodes.add("one"))
    gateway = gateway_of(one)
    first, fenced = gateway.parts, gateway.driver
    assert first.joined.cluster is not None
    shared = first.joined.cluster.shared()
    row = shared.leases()[DOMAIN]
    assert shared.take(DOMAIN, "another", "its run", row) == row.epoch + 1
    with pytest.raises(LeaseLost):
        fenced.store("romeo", DOMAIN, "kept", {"a": 1})
    until(lambda: gateway.parts is not first)
    until(lambda: leads(one))  # the other node does not live
    assert write(one, "and kill the envious moon") == 202
    assert gateway.driver.load("romeo", DOMAIN, "kept") is None


def test_two_folders_must_not_have_one_name(nodes: Nodes) -> None:
    nodes.add("one")
    second = nodes.build("one")
    with pytest.raises(CannotStart, match=r"\[cluster\] node: another data folder is node one"):
        gateway_of(second).start()


def test_a_copy_of_a_data_folder_ends_the_first(nodes: Nodes) -> None:
    one = register_users(nodes.add("one"))
    gateway = gateway_of(one)
    copied = nodes.build("one")
    (gateway_of(copied).data_dir / "node.id").write_text((gateway.data_dir / "node.id").read_text())
    ended = threading.Event()
    late = nodes.build("one", server_data_dir=str(gateway_of(copied).data_dir))
    gateway.start_in_time(lambda _: True, ended.set)
    gateway_of(late).start()
    assert ended.wait(30)
    until(lambda: leads(late))
    assert write(late, "Who is already sick") == 202
    assert one.test_client().get("/rest", headers=basic("juliet")).status_code == 503


def enter(app: Flask, room: str, nick: str, user: str = "juliet") -> None:
    presence = f"<presence to='{room}@conference.{DOMAIN}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
    answer = app.test_client().post("/rest", data=presence, headers=basic(user) | {"Content-Type": "application/xmpp+xml"})
    assert answer.status_code == 202, answer.data


def occupants(app: Flask, room: str) -> list[list[str]]:
    conference = gateway_of(app).parts.conference
    assert conference is not None
    return conference.occupants(room)


@pytest.mark.parametrize(("persistent", "stops"), [("yes", False), ("no", True)])
def test_occupants_stay_over_an_orderly_change(nodes: Nodes, persistent: str, stops: bool) -> None:
    one = register_users(nodes.add("one", conference_persistent=persistent))
    other = nodes.add("other", conference_persistent=persistent)
    enter(other, "hall", "J")
    enter(one, "hall", "N", "nurse")
    enter(one, "street", "J")
    before = occupants(one, "hall")
    assert [nick for _, nick, _ in before] == ["J", "N"]
    if stops:
        heard = gateway_of(one).parts.joined.cluster
        assert heard is not None
        until(lambda: heard.keeper.others() == {"other"})
        gateway_of(one).stop()
    else:
        until(lambda: gateway_of(other).parts.cluster.move(DOMAIN, "other") == "")
    until(lambda: leads(other))
    assert occupants(other, "hall") == before
    assert [nick for _, nick, _ in occupants(other, "street")] == ["J"]
    names = gateway_of(other).parts.conference
    assert names is not None
    assert names.occupied(f"juliet@{DOMAIN}") == ["hall", "street"]


def test_occupants_leave_with_an_owner_that_is_gone(nodes: Nodes) -> None:
    one = register_users(nodes.add("one", conference_persistent="yes"))
    gateway = gateway_of(one)
    enter(one, "hall", "J")
    first = gateway.parts
    assert first.joined.cluster is not None
    shared = first.joined.cluster.shared()
    assert shared.take(DOMAIN, "another", "its run", shared.leases()[DOMAIN]) is not None
    until(lambda: gateway.parts is not first and leads(one))
    assert occupants(one, "hall") == []


def test_while_the_database_is_down_requests_are_refused_and_then_served_again(make_app: MakeApp) -> None:
    cluster = Cluster()
    try:
        cluster.start()
        nodes = Nodes(make_app, cluster.new_database())
        one = register_users(nodes.add("one"))
        gateway = gateway_of(one)
        first = gateway.parts
        assert write(one, "She speaks") == 202
        cluster.halt()
        until(lambda: gateway.parts is not first, 60)  # its time was over
        assert write(one, "yet she says nothing") == 503
        cluster.start()
        until(lambda: leads(one), 60)
        assert write(one, "what of that?") == 202
        for app in (one,):
            gateway_of(app).stop()
    finally:
        cluster.stop()
