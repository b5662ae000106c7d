"""deploy/cluster/: the settings are settings, the proxies take their files, and a database with a standby comes of the scripts."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from drivers import open_driver
from tests.drivers.postgrescluster import Cluster, program
from tests.link.attached import until
from tests.live.child import LOOPBACK, free_port
from tests.live.conftest import require
from tests.packages.once import ROOT
from xmpp_rest import __version__
from xmpp_rest.__main__ import main
from xmpp_rest.config.cluster_check import cluster_problems
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings

FOLDER = ROOT / "deploy/cluster"
SECRETS = ("link", "storage-url", "certificate", "postgres-password", "gw-password", "standby-password")
URL = "postgresql://gw:of-gw@db,standby/gw?target_session_attrs=read-write"


@pytest.fixture
def compose() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yml").read_text())
    return compose


def secrets(folder: Path) -> None:
    for name in SECRETS:
        (folder / name).write_text(f"of-{name.removesuffix('-password')}\n")
    (folder / "storage-url").write_text(f"{URL}\n")


# -- what is written


def node_settings(compose: dict[str, Any], node: str, folder: Path) -> Settings:
    secrets(folder)
    environ = compose["services"][node]["environment"]
    return load_settings(
        ROOT / "deploy/container.ini", {name: value.replace("/run/secrets", str(folder)) for name, value in environ.items()}
    )


@pytest.mark.parametrize("node", ["web1", "web2"])
def test_the_settings_of_a_node(compose: dict[str, Any], node: str, tmp_path: Path) -> None:
    settings = node_settings(compose, node, tmp_path)
    assert list(cluster_problems(settings)) == []
    assert (settings.cluster.kind, settings.cluster.copies, settings.ready_needs) == ("postgresql", 2, {"storage", "lease"})
    assert (settings.storage.url, settings.link.secret, settings.files.folder) == (URL, "of-link", "/srv/xmpp-rest-files")
    service = compose["services"][node]
    assert service["hostname"] == node  # of which [cluster] node is made
    assert (service["read_only"], service["cap_drop"], "ports" in service) == (True, ["ALL"], False)
    assert service["image"] == f"xmpp-rest:{__version__}"
    assert service["build"] == {"context": "../..", "dockerfile": "Containerfile", "args": {"EXTRAS": "postgres"}}
    assert service["volumes"] == [f"{node}:/var/lib/xmpp-rest", "files:/srv/xmpp-rest-files"]
    assert f"10001 -g 10001 {' '.join(volume.partition(':')[2] for volume in service['volumes'])}" in (ROOT / "Containerfile").read_text()


def test_everything_that_is_named_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(compose["secrets"]) == set(SECRETS)
    assert {secret for service in services.values() for secret in service.get("secrets", ())} == set(SECRETS)
    mounted = [volume.split(":")[0] for service in services.values() for volume in service["volumes"]]
    assert {name for name in mounted if not name.startswith("./")} == set(compose["volumes"])
    assert all((FOLDER / name).is_file() for name in mounted if name.startswith("./"))
    assert {name for service in services.values() for name in service.get("depends_on", ())} <= set(services)
    made = re.search(r"for name in (.*?); do openssl", (FOLDER / "README.md").read_text())
    assert made is not None
    assert {*made[1].split(), "storage-url", "certificate"} == set(SECRETS)


def test_a_node_on_a_machine_of_its_own(compose: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets(tmp_path)
    text = (FOLDER / "node.ini").read_text()
    for there, here in (
        ("/etc/xmpp-rest/link-secret", "link"),
        ("/etc/xmpp-rest/storage-url", "storage-url"),
        ("/var/lib/xmpp-rest", "data"),
        ("8080", "0"),
    ):
        assert there in text
        text = text.replace(there, here)
    ini = tmp_path / "wsgi.ini"
    ini.write_text(text)
    settings, other = load_settings(ini, {}), node_settings(compose, "web1", tmp_path)
    for section in ("gateway", "storage", "files", "health"):
        assert getattr(settings, section) == getattr(other, section)
    assert (
        settings.cluster
        == load_settings(
            None, {"XMPP_REST_CLUSTER_KIND": "postgresql", "XMPP_REST_CLUSTER_COPIES": "2", "XMPP_REST_CLUSTER_NODE": "web1"}
        ).cluster
    )
    assert main(["check", "--config", str(ini)]) == 69  # there are no such hosts here
    assert "would join the cluster of gateway.example.net as node web1 (postgresql, 2 copies)" in capsys.readouterr().out
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read([FOLDER / "systemd.conf"])
    assert unit["Service"]["ReadWritePaths"] == unit["Unit"]["RequiresMountsFor"] == settings.files.folder


def test_the_servers_let_the_next_owner_in(compose: dict[str, Any], tmp_path: Path) -> None:
    settings = node_settings(compose, "web1", tmp_path)
    text = (FOLDER / "prosody.cfg.lua").read_text()
    components = re.findall(r'^Component "(.*?)"\n((?:    .*\n?)*)', text, re.MULTILINE)
    assert [domain for domain, _ in components] == settings.domains
    assert all('component_conflict_resolve = "kick_old"' in body and "component_secret = secret" in body for _, body in components)
    (listener,) = yaml.safe_load((FOLDER / "ejabberd-component.yml").read_text())["listen"]
    (alone,) = yaml.safe_load((ROOT / "deploy/ejabberd-component.yml").read_text())["listen"]
    assert listener == alone | {"ip": "::"}


# -- what runs


def test_haproxy_takes_its_file(compose: dict[str, Any], tmp_path: Path) -> None:
    os.environ["PATH"] += ":/usr/sbin"
    require("haproxy", "openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=gateway.example.net"]
    subprocess.run([*words, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60)
    certificate.write_text(certificate.read_text() + key.read_text())
    text = (FOLDER / "haproxy.cfg").read_text()
    assert "    bind :8443 ssl" in text
    assert compose["services"]["proxy"]["ports"] == ["443:8443"]
    for node in ("web1", "web2"):
        assert f"server {node} {node}:8080 check" in text
        text = text.replace(f" {node}:8080", f" {LOOPBACK}:8080")
    (tmp_path / "haproxy.cfg").write_text(text.replace("/run/secrets/certificate", str(certificate)))
    checked = subprocess.run(["haproxy", "-c", "-f", tmp_path / "haproxy.cfg"], capture_output=True, text=True, check=False, timeout=30)
    assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr


def test_nginx_takes_its_files(tmp_path: Path) -> None:
    os.environ["PATH"] += ":/usr/sbin"
    require("nginx")
    upstream = (FOLDER / "nginx-upstream.conf").read_text().replace("web1:", f"{LOOPBACK}:").replace("web2:", f"{LOOPBACK}:")
    site, replaced = re.subn(r"(?ms)^upstream xmpp-rest \{.*?^\}\n", lambda _: upstream, (ROOT / "deploy/nginx.conf").read_text())
    assert replaced == 1
    site = re.sub(r"^.*ssl_certificate.*\n", "", site, flags=re.MULTILINE).replace("listen 443 ssl", f"listen {LOOPBACK}:{free_port()}")
    site = site.replace("/var/log/nginx", str(tmp_path))
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nerror_log {tmp_path}/error.log;\nevents {{}}\nhttp {{\n{site}\n}}\n")
    checked = subprocess.run(
        ["nginx", "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], capture_output=True, text=True, check=False, timeout=30
    )
    assert checked.returncode == 0, checked.stderr


class Primary(Cluster):
    """As the image of PostgreSQL makes it, with the options of compose.yml; on loopback too, where a password is needed to copy it."""

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()

    def _wait(self) -> None:
        words = [program("pg_isready") or "", "-h", LOOPBACK, "-p", str(self.port)]
        until(lambda: subprocess.run(words, capture_output=True, check=False).returncode == 0)

    def begin(self, options: list[str]) -> None:
        self.start("listen_addresses=127.0.0.1", f"port={self.port}", *options)


def options_of(service: dict[str, Any]) -> list[str]:
    """The settings behind -c."""
    words = service["command"].split()
    return [value for flag, value in pairwise(words) if flag == "-c"]


def script(cluster: Cluster, name: str, folder: Path, *words: str, **more: str) -> subprocess.Popen[bytes]:
    """One of the scripts, as the user of the database."""
    binaries = Path(program("postgres") or "").parent
    environ = {"PATH": f"{binaries}:{os.environ['PATH']}", "PGDATA": str(cluster.folder / "data"), "SECRETS": str(folder), **more}
    log = (cluster.folder / f"{name}.log").open("ab")
    with log:
        return subprocess.Popen(["sh", FOLDER / name, *words], env=environ, cwd="/", stdout=log, stderr=log, **cluster.as_user())


@pytest.fixture
def pair(compose: dict[str, Any]) -> Iterator[tuple[Primary, Primary]]:
    """The primary and the standby."""
    require("psql")
    primary, standby = Primary(), Primary()
    folder = primary.folder / "secrets"
    folder.mkdir()
    secrets(folder)
    for path in (primary.folder, folder):
        path.chmod(0o755)
    try:
        primary.begin(options_of(compose["services"]["db"]))
        where = {"PGHOST": str(primary.folder), "PGPORT": str(primary.port)}
        assert script(primary, "database.sh", folder, **where).wait(60) == 0, (primary.folder / "database.sh.log").read_text()
        with psycopg.connect(f"{primary.conninfo('postgres')} port={primary.port}", autocommit=True) as connection:
            connection.execute("SELECT pg_reload_conf()")
        if standby.user:
            shutil.chown(standby.folder, standby.user)
        words = ["-c", f"unix_socket_directories={standby.folder}", "-c", "listen_addresses=127.0.0.1", "-c", f"port={standby.port}"]
        words += ["-c", "synchronous_standby_names=", *compose["services"]["standby"]["command"].split()]
        standby.process = script(standby, "standby.sh", folder, *words, PRIMARY=LOOPBACK, PGPORT=str(primary.port))
        yield primary, standby
    finally:
        standby.stop()
        primary.stop()


@pytest.mark.live
@pytest.mark.skipif(program("initdb") is None, reason="PostgreSQL is not installed")
def test_the_scripts_make_a_database_that_keeps_two_copies(pair: tuple[Primary, Primary], tmp_path: Path) -> None:
    primary, standby = pair

    def states() -> list[Any]:
        with psycopg.connect(f"{primary.conninfo('postgres')} port={primary.port}") as connection:
            return connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall()

    until(lambda: states() == [("sync",)], 60)
    hosts, ports = f"{LOOPBACK},{LOOPBACK}", f"{standby.port},{primary.port}"
    url = f"postgresql://gw:of-gw@/gw?host={hosts}&port={ports}&target_session_attrs=read-write"
    driver = open_driver(url, tmp_path)
    driver.store("romeo", "gw.example", "settings", {"a": 1})
    with closing(driver.open_shared("gw.example")) as shared:
        assert shared.standby_settings().copies == 2
    driver.close()
    for host in (standby, primary):  # a role that may connect hears what nodes say to each other
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"postgresql://standby:of-standby@{LOOPBACK}:{host.port}/gw")
    with psycopg.connect(f"postgresql://gw:of-gw@{LOOPBACK}:{standby.port}/gw") as connection:
        until(lambda: connection.execute("SELECT COUNT(*) FROM prosody").fetchone() == (1,))
