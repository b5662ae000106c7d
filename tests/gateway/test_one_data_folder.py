"""Gateways without a cluster on one PostgreSQL: the second data folder does not start while the first lives (many-machines §4)."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.alone import SILENCE, AloneInDatabase
from drivers.lease import NOTE, LeaseTaken, holdings
from drivers.shared import NodeRow
from tests.conftest import DOMAIN, MakeApp, OpenDriver
from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from tests.live.child import answers
from tests.live.gateway import ROOT, Sections
from tests.live.gateway import Gateway as Served
from tests.live.xmppserver import GATEWAY
from tests.raising import raising
from xmpp_rest.cli.gateway import alone
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.gateway.storage_lease import StorageLease, of_cluster
from xmpp_rest.gateway.tool_lease import held_for
from xmpp_rest.incidents import Incidents

pytestmark = pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")
WITHIN = 10.0  # seconds in which a second gateway is to end


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def url(cluster: Cluster) -> str:
    return cluster.new_database()


def gateway_of(make_app: MakeApp, url: str, **given: str) -> Gateway:
    gateway: Gateway = make_app(storage_url=url, **given).extensions["gateway"]
    return gateway


def sentence(domain: str, node: str) -> str:
    what = rf"\[storage\] url: another gateway serves {re.escape(domain)} from this database \(node {node}, seen \d+ s ago\)"
    return rf"{what}; stop it, or set \[cluster\] kind = postgresql on both"


def test_the_second_does_not_start_until_the_first_has_stopped(make_app: MakeApp, url: str) -> None:
    first = gateway_of(make_app, url, cluster_node="web1")
    first.start()
    began = time.monotonic()
    second = gateway_of(make_app, url, cluster_node="web2")
    with pytest.raises(LeaseTaken, match=f"^{sentence(DOMAIN, 'web1')}$"):
        second.start()
    assert time.monotonic() - began < WITHIN
    first.stop()
    began = time.monotonic()
    second.start()
    assert time.monotonic() - began < SILENCE  # it was told that the first has gone
    (row,) = second.driver.node_table(DOMAIN).nodes()
    assert (row.node, row.kind) == ("web2", "none")


def test_a_command_of_another_folder_keeps_away_as_from_any_storage(make_app: MakeApp, url: str, tmp_path: Path) -> None:
    first = gateway_of(make_app, url)
    first.start()
    other = gateway_of(make_app, url)
    with pytest.raises(LeaseTaken), alone(other.settings, offline=True):
        pass
    with pytest.raises(LeaseTaken), held_for(first.driver, None, [DOMAIN], "a program"):
        pass
    first.stop()
    with held_for(other.driver, None, [DOMAIN], "a program"), pytest.raises(LeaseTaken, match="a program"):
        other.start()
    other.start()


def test_two_that_start_at_once(make_app: MakeApp, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sees a row of the other: the lease decides."""
    first, second = gateway_of(make_app, url), gateway_of(make_app, url)
    monkeypatch.setattr(AloneInDatabase, "require", lambda _: [])
    first.start()
    with pytest.raises(LeaseTaken, match=f"another gateway uses this storage for {DOMAIN}"):
        second.start()


def test_other_storages_have_no_such_rows(make_app: MakeApp) -> None:
    gateway = gateway_of(make_app, "sqlite:x.sqlite")
    gateway.start()
    assert not gateway.driver.shared
    with pytest.raises(Exception, match="for one machine"):
        gateway.driver.node_table(DOMAIN)


# -- beside a cluster


def member(make_app: MakeApp, url: str, node: str) -> tuple[Gateway, StorageLease]:
    """The lease as a node of a cluster has it; the gateway is not started."""
    gateway = gateway_of(make_app, url)
    cluster = ClusterSettings("postgresql", node, 3, 1, False, True, True, 0.02, "")
    return gateway, StorageLease(gateway.driver, gateway.data_dir, gateway.settings.gateway.domains, Incidents(), cluster)


def test_a_node_of_a_cluster_is_refused_beside_one_without(make_app: MakeApp, url: str) -> None:
    gateway_of(make_app, url, cluster_node="web1").start()
    _, lease = member(make_app, url, "web2")
    with pytest.raises(LeaseTaken, match=sentence(DOMAIN, "web1")):
        lease.claim()


def test_one_without_is_refused_beside_a_node_of_a_cluster(make_app: MakeApp, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, lease = member(make_app, url, "web1")
    lease.join()
    lease.claim()
    rows = gateway.driver.node_table(DOMAIN)
    row = NodeRow("web1", "0123456789abcdef", "fedcba9876543210", "postgresql", "1.0.0", 1, 0, {})
    rows.enter(row)
    second = gateway_of(make_app, url)

    def beat(seconds: float) -> None:
        rows.beat(row)

    with monkeypatch.context() as patched:
        patched.setattr(AloneInDatabase.__init__, "__defaults__", (time.monotonic, beat))
        with pytest.raises(LeaseTaken, match=sentence(DOMAIN, "web1")):
            second.start()
    assert holdings(second.driver.note(NOTE))[DOMAIN].node == of_cluster(DOMAIN)
    second.start()  # the node is silent by now, and what all of the cluster hold is free with it
    assert [each.kind for each in rows.nodes()] == ["none"]


def test_the_nodes_of_a_cluster_hold_the_lease_together_and_the_last_one_gives_it_back(make_app: MakeApp, url: str) -> None:
    (gateway, first), (_, second) = member(make_app, url, "web1"), member(make_app, url, "web2")
    rows = gateway.driver.node_table(DOMAIN)
    for lease, node in ((first, "web1"), (second, "web2")):
        lease.join()
        lease.claim()
        rows.enter(NodeRow(node, node, node, "postgresql", "1.0.0", 1, 0, {}))
    first.stop()
    second.require()
    with pytest.raises(LeaseTaken):
        first.require_free()
    (left,) = [row for row in rows.nodes() if row.node == "web1"]
    rows.forget("web1", left)
    (left,) = rows.nodes()
    rows.forget("web2", left)
    second.stop()
    first.require_free()


# -- as programs


def served(folder: Path, url: str, node: str, kind: str = "none") -> Served:
    storage = {"url": "postgres:" + url.removeprefix("postgresql:")}
    cluster: dict[str, object] = {"node": node, "kind": kind, "copies": 1}
    sections: Sections = {"server": {"workers": 1, "threads": 8}, "link": {"kind": "none"}, "storage": storage, "files": {"domain": ""}}
    return Served(folder, 1, {**sections, "cluster": cluster})


def killed(gateway: Served) -> None:
    """End all of its processes as a power cut does."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    for pid in (gateway.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    gateway.kill()


def test_a_second_program_ends_in_time_and_takes_over_from_one_that_was_killed(tmp_path: Path, url: str) -> None:
    first, second = served(tmp_path / "one", url, "web1"), served(tmp_path / "two", url, "web2")
    first.start()
    try:
        began = time.monotonic()
        ended = subprocess.run(second.command(), capture_output=True, text=True, timeout=60)
        assert time.monotonic() - began < WITHIN + 5  # and what a busy machine adds
        assert ended.returncode == 75
        assert re.fullmatch(rf"xmpp-rest: {sentence(GATEWAY, 'web1')}\n", ended.stderr), ended.stderr
        assert not answers(second.port)
        killed(first)
        second.start()
        assert "the storage is taken over from node web1" in second.output.read_text()
        assert second.request("GET", "/api/status", user="admin").status == 200
    finally:
        second.stop()
        first.stop()


@pytest.mark.parametrize(("first", "second"), [("none", "postgresql"), ("postgresql", "none")])
def test_programs_of_both_kinds_refuse_each_other(tmp_path: Path, url: str, first: str, second: str) -> None:
    one, two = served(tmp_path / "one", url, "web1", first), served(tmp_path / "two", url, "web2", second)
    one.start()
    try:
        until(lambda: one.request("GET", "/readyz").status == 200)
        ended = subprocess.run(two.command(), capture_output=True, text=True, timeout=60)
        assert (ended.returncode, ended.stderr.count("\n")) == (75, 1)
        assert re.fullmatch(rf"xmpp-rest: {sentence(GATEWAY, 'web1')}\n", ended.stderr), ended.stderr
        assert not answers(two.port)
        one.stop()
        two.start()  # at once, as the first has gone in order
        assert two.request("GET", "/api/status", user="admin").status == 200
    finally:
        two.stop()
        one.stop()


def test_another_server_is_told_by_an_exception(tmp_path: Path, make_app: MakeApp, url: str) -> None:
    gateway_of(make_app, url, gateway_domain=GATEWAY, cluster_node="web1").start()
    second = served(tmp_path / "two", url, "web2")
    code = f"from xmpp_rest.application import create_app; create_app({str(second.folder / 'wsgi.ini')!r})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert ended.returncode == 1
    assert re.search(rf"CannotStart: {sentence(GATEWAY, 'web1')}\n", ended.stderr), ended.stderr


def test_one_that_was_frozen_finds_itself_taken_over(tmp_path: Path, url: str) -> None:
    first, second = served(tmp_path / "one", url, "web1"), served(tmp_path / "two", url, "web2")
    first.start()
    try:
        children = [int(pid) for pid in Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()]
        for pid in children:
            os.kill(pid, signal.SIGSTOP)
        second.start()
        for pid in children:
            os.kill(pid, signal.SIGCONT)
        until(lambda: not first.running, 30)
        assert "the storage is lost, nothing is served any more: another gateway uses this storage" in first.output.read_text()
        assert second.request("GET", "/api/status", user="admin").status == 200
    finally:
        second.stop()
        first.stop()


def test_a_beat_that_fails_is_said_and_made_up_for(make_app: MakeApp, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = gateway_of(make_app, url)
    gateway.start()
    rows = gateway.driver.node_table(DOMAIN)
    with monkeypatch.context() as patched:
        patched.setattr(AloneInDatabase, "beat", raising(OSError("no network")))
        gateway.parts.lease._look()
    assert gateway.incidents.counts() == {"lease-not-renewed": 1}
    (before,) = rows.nodes()
    until(lambda: rows.nodes()[0].beat > before.beat)
    rows.forget(before.node, rows.nodes()[0])
    until(lambda: len(rows.nodes()) == 1)
    assert not gateway.lost


def test_a_follower_does_not_beat(open_driver: OpenDriver, url: str, tmp_path: Path) -> None:
    settings = load_settings(None, {"XMPP_REST_GATEWAY_DOMAIN": DOMAIN})
    driver = open_driver(url, tmp_path)
    lease = StorageLease(driver, tmp_path, settings.gateway.domains, Incidents(), replace(settings.cluster, node="web1"), lambda: True)
    lease.join()
    lease.claim()
    (before,) = driver.node_table(DOMAIN).nodes()
    lease._look()
    assert driver.node_table(DOMAIN).nodes() == [before]
    lease.stop()
    assert driver.node_table(DOMAIN).nodes() == []
