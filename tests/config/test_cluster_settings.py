"""The settings of a cluster: what is read, what is refused with its remedy, and what a check says (many-machines §3)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import psycopg
import pytest

from drivers import open_driver
from drivers.shared import StandbySettings
from tests.drivers.pgbouncer import PgBouncer
from tests.drivers.postgrescluster import Cluster, program
from xmpp_rest.__main__ import main
from xmpp_rest.config.cluster_check import cluster_problems
from xmpp_rest.config.cluster_tables import ClusterSettings
from xmpp_rest.config.live import merge, merge_for_new_processes
from xmpp_rest.config.load import load_settings, read_settings
from xmpp_rest.config.spread import callbacks_at, owned_with, spread_domains
from xmpp_rest.config.table import key_of

ALONE = "[server]\nbind = 127.0.0.1:0\n[gateway]\ndomain = gw.example\n"
DATABASE = "[storage]\nurl = postgresql://gw@127.0.0.1/gw\n[files]\ndomain =\n"
CLUSTER = "[cluster]\nkind = postgresql\nnode = web1\n"
DIVIDED = "[callback.bot]\nurl = http://127.0.0.1:1/\naddress = bot@gw.example, bot@conference.gw.example\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "wsgi.ini"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_defaults_are_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Wéb 1." + "x" * 40)
    cluster = load_settings(None, {}).cluster
    assert cluster == ClusterSettings("none", f"W-b-1.{'x' * 26}", 3.0, None, False, True, True, 0.02, "")
    assert (cluster.is_on, len(cluster.node)) == (False, 32)
    monkeypatch.setattr("socket.gethostname", lambda: "")
    assert load_settings(None, {}).cluster.node == "node"


def test_everything_is_read_from_file_environment_and_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "way").write_text("postgresql://gw:secret@db:5432/gw\n")
    text = f"{ALONE}{CLUSTER}lease = 1.5\nspread = yes\nmay_own = no\nnotify = no\npoll = 0.1\nurl_file = way\n"
    settings = load_settings(written(tmp_path, text), {"XMPP_REST_CLUSTER_COPIES": "2"})
    assert settings.cluster == ClusterSettings("postgresql", "web1", 1.5, 2, True, False, False, 0.1, "postgresql://gw:secret@db:5432/gw")
    assert settings.cluster.is_on
    assert load_settings(None, {"XMPP_REST_CLUSTER_COPIES": "1"}).cluster.copies == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kind = postgres", ["kind = 'postgres'", "none, postgresql"]),
        ("kind = redis", ["kind = 'redis'", "none, postgresql"]),
        ("node = web 1", ["node = 'web 1'", "such as web1"]),
        (f"node = {'x' * 33}", ["[cluster] node", "1 to 32"]),
        ("node = wéb", ["[cluster] node", "letters, digits"]),
        ("lease = 0.5", ["[cluster] lease", "from 1 to 60"]),
        ("lease = 61", ["[cluster] lease", "from 1 to 60"]),
        ("copies = 3", ["[cluster] copies = '3'", "write 1, or 2"]),
        ("copies = two", ["[cluster] copies", "synchronous standby"]),
        ("spread = maybe", ["[cluster] spread", "yes, no"]),
        ("poll = 2", ["[cluster] poll", "from 0.001 to 1"]),
        ("url = sqlite:x", ["[cluster] url = (hidden)", "postgresql://USER@HOST/DATABASE"]),
        ("url = mysql://gw:secret@db/gw", ["[cluster] url = (hidden)"]),
    ],
)
def test_what_is_wrong(line: str, words: list[str], tmp_path: Path) -> None:
    (problem,) = read_settings(written(tmp_path, f"{ALONE}[cluster]\n{line}\n"), {}).problems
    for word in words:
        assert word in problem
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (
            f"{ALONE}{CLUSTER}copies = 1\n[files]\ndomain =\n",
            78,
            "[cluster] kind: postgresql: the nodes meet in the database of [storage] url",
        ),
        (f"{ALONE}{DATABASE}{CLUSTER}copies = 1\n[link]\noutbox = memory\n", 78, "[link] outbox: memory: in a cluster"),
        (
            f"{ALONE}{DATABASE}{CLUSTER}copies = 1\nspread = yes\n{DIVIDED}",
            78,
            "[callback.bot] address: with [cluster] spread = yes its addresses would have several owners",
        ),
        (f"{ALONE}{DATABASE}{CLUSTER}", 78, "[cluster] copies: is missing; write 1 (what is accepted is on the database's own machine"),
        (f"{ALONE}{CLUSTER}copies = 1\n[storage]\nurl = postgresql://gw@127.0.0.1/gw\n", 78, "[files] folder: is not set"),
        (f"{ALONE}[cluster]\ncopies = 2\n", 0, "remark: [cluster] copies: has no effect, as kind is none"),
        (f"{ALONE}[cluster]\nnode = web1\nkind = none\n", 0, "remark: [cluster] node: has no effect, as kind is none"),
    ],
)
def test_what_a_check_refuses(text: str, code: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, text)
    assert main(["check", "--config", str(path)]) == code
    printed = capsys.readouterr()
    assert says in printed.out + printed.err


def test_nothing_can_be_changed_while_it_runs() -> None:
    old = load_settings(None, {"XMPP_REST_CLUSTER_NODE": "web1"})
    given = {"KIND": "postgresql", "NODE": "web2", "LEASE": "5", "COPIES": "1", "SPREAD": "yes", "MAY_OWN": "no", "NOTIFY": "no"}
    given |= {"POLL": "0.5", "URL": "postgresql://gw@db/gw"}
    new = load_settings(None, {f"XMPP_REST_CLUSTER_{key}": value for key, value in given.items()})
    for merged in (merge(old, new), merge_for_new_processes(old, new)):
        assert merged.settings.cluster == old.cluster
        assert merged.applied == []
        assert set(merged.waiting) == {f"[cluster] {key_of(f)}" for f in fields(ClusterSettings)}


def test_what_a_node_needs_to_be_ready() -> None:
    settings = load_settings(None, {})
    assert settings.ready_needs == {"storage", "link", "outbox", "lease"}
    clustered = replace(settings, cluster=replace(settings.cluster, kind="postgresql"))
    assert clustered.ready_needs == {"storage", "lease"}
    chosen = load_settings(None, {"XMPP_REST_HEALTH_READY_NEEDS": "link"})
    assert chosen.ready_needs == replace(clustered, health=chosen.health).ready_needs == {"link"}
    (problem,) = read_settings(None, {"XMPP_REST_HEALTH_READY_NEEDS": "car"}).problems
    assert "storage, link, outbox, lease, separated by commas, or auto" in problem


# -- with a database

needs_postgres = pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def checked(folder: Path, url: str, copies: int, more: str = "") -> int:
    text = f"{ALONE}[files]\nfolder = {folder}/files\n[storage]\nurl = {url}\n{CLUSTER}copies = {copies}\n{more}"
    return main(["check", "--config", str(written(folder, text))])


@needs_postgres
@pytest.mark.parametrize("is_used", [False, True])
def test_what_a_check_says_of_copies(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], is_used: bool) -> None:
    url = cluster.new_database()
    if is_used:
        driver = open_driver(url, tmp_path)
        driver.store("romeo", "gw.example", "settings", {"a": 1})
        driver.close()
    assert checked(tmp_path, url, 1) == 0
    told = capsys.readouterr().out
    assert "would join the cluster of gw.example as node web1 (postgresql, 1 copy)\n" in told
    assert "would promise by 1 copy: what is accepted is on the database's own machine before the answer" in told
    assert checked(tmp_path, url, 2) == 78
    printed = capsys.readouterr()
    assert "would join the cluster of gw.example as node web1 (postgresql, 2 copies)\n" in printed.out
    assert (
        "[cluster] copies: 2 needs a database that waits for a standby, and of this one synchronous_standby_names is empty" in printed.err
    )
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("SELECT COUNT(*) FROM pg_tables WHERE tablename LIKE 'xmpprest_nod%'").fetchone()
    assert tables == (0,)


@needs_postgres
def test_a_database_that_confirms_before_its_standby_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    try:
        cluster.start("synchronous_standby_names=*", "synchronous_commit=local")
        url = cluster.new_database()
        assert checked(tmp_path, url, 2) == 78
        assert "synchronous_commit = local; set synchronous_commit there, or write copies = 1" in capsys.readouterr().err
        assert checked(tmp_path, f"{url}&options=-csynchronous_commit%3Don", 2) == 0
    finally:
        cluster.stop()


@needs_postgres
def test_the_direct_way_leads_to_the_same_database(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = cluster.new_database()
    assert checked(tmp_path, url, 1, f"url = {url}\n") == 0
    capsys.readouterr()
    assert checked(tmp_path, url, 1, f"url = {cluster.new_database()}\n") == 78
    assert "[cluster] url: names another database than [storage] url" in capsys.readouterr().err
    assert checked(tmp_path, url, 1, "url = postgresql://gw@127.0.0.1:1/gw\n") == 69
    assert "[cluster] url: PostgreSQL database" in capsys.readouterr().err
    with psycopg.connect(url, autocommit=True) as connection:  # an engine that does not say which it is
        connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
        connection.execute("CREATE ROLE gw LOGIN")
    assert checked(tmp_path, url.replace("postgres@", "gw@"), 1, f"url = {url.replace('postgres@', 'gw@')}\n") == 0


@needs_postgres
def test_a_pooler_in_between(cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not (shutil.which("pgbouncer") or Path("/usr/sbin/pgbouncer").exists()):
        pytest.skip("PgBouncer is not installed")
    pooler = PgBouncer(cluster)
    try:
        pooler.start()
        url = cluster.new_database()
        assert checked(tmp_path, pooler.url(url), 1) == 78
        assert "[cluster] url: a pooler is in between" in capsys.readouterr().err
        assert checked(tmp_path, pooler.url(url), 1, f"url = {url}\n") == 0
        assert checked(tmp_path, pooler.url(url), 1, "notify = no\n") == 0
    finally:
        pooler.stop()


def test_copies_by_the_settings_of_a_database() -> None:
    assert [
        StandbySettings(*each).copies
        for each in (("", "on"), (" ", "on"), ("*", "on"), ("*", "OFF"), ("*", "local"), ("s1", "remote_apply"))
    ] == [
        *(1, 1, 2, 1, 1, 2),
    ]


def test_an_owner_for_each_domain_is_taken(tmp_path: Path) -> None:
    one = DIVIDED.replace("bot@gw.example, ", "") + DIVIDED.replace("callback.bot", "callback.own").replace(", bot@conference.gw.example", "")
    reading = read_settings(written(tmp_path, f"{ALONE}{DATABASE}{CLUSTER}copies = 1\nspread = yes\n{one}"), {})
    settings = reading.settings
    assert [*cluster_problems(settings)] == []
    assert spread_domains(settings) == ("muclight.gw.example", "conference.gw.example")
    assert owned_with(settings, "gw.example") == ("gw.example",)
    assert owned_with(settings, "conference.gw.example") == ("conference.gw.example",)
    assert [*callbacks_at(settings, "gw.example")] == ["own"]
    assert [*callbacks_at(settings, "conference.gw.example")] == ["bot"]
    together = replace(settings, cluster=replace(settings.cluster, spread=False))
    assert spread_domains(together) == ()
    assert owned_with(together, "gw.example") == ("gw.example", "muclight.gw.example", "conference.gw.example")
    assert [*callbacks_at(together, "gw.example")] == ["bot", "own"]
