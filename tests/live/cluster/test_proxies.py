"""The proxies of deploy/cluster before two machines: nobody who comes through them notices that a machine is taken away (many-machines §15)."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import urllib3
from urllib3.util import make_headers

from tests.live.child import LOOPBACK, Child, answers, free_port
from tests.live.conftest import require
from tests.live.gateway import PASSWORD, ROOT
from tests.live.nginx import Nginx
from tests.live.xmppserver import GATEWAY

from .machines import Machines, until
from .node import Node

FOLDER = ROOT / "deploy/cluster"
SBIN = ":/usr/sbin:/usr/local/sbin"
SENDERS = 4


class HAProxy(Child):
    """HAProxy with deploy/cluster/haproxy.cfg, on loopback and without TLS."""

    def __init__(self, folder: Path, nodes: Mapping[str, int]) -> None:
        super().__init__(folder)
        self.port = free_port()
        text = re.sub(r"bind :\d+ ssl crt \S+", f"bind {LOOPBACK}:{self.port}", (FOLDER / "haproxy.cfg").read_text()).replace(
            "maxconn 20000", "maxconn 1000"
        )
        for name, port in nodes.items():
            text = text.replace(f" {name}:8080", f" {LOOPBACK}:{port}")
        (folder / "haproxy.cfg").write_text(text)

    def command(self) -> list[str]:
        found = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        return [found or "haproxy", "-db", "-f", str(self.folder / "haproxy.cfg")]

    def ready(self) -> bool:
        return answers(self.port)


class BeforeNodes(Nginx):
    """nginx with deploy/nginx.conf and the upstream of deploy/cluster/nginx-upstream.conf."""

    def __init__(self, folder: Path, nodes: Mapping[str, int]) -> None:
        super().__init__(folder, 0)
        upstream = (FOLDER / "nginx-upstream.conf").read_text()
        for name, port in nodes.items():
            upstream = upstream.replace(f" {name}:8080", f" {LOOPBACK}:{port}")
        file = folder / "nginx.conf"
        site, replaced = re.subn(r"(?ms)^upstream xmpp-rest \{.*?^\}\n", lambda _: upstream, file.read_text())
        assert replaced == 1
        file.write_text(site)


@pytest.fixture(scope="module")
def proxies(shared_machines: Machines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, HAProxy | BeforeNodes]]:
    for program in ("haproxy", "nginx"):
        require(program, shutil.which(program, path=SBIN))
    nodes = {node.name: node.port for node in shared_machines.nodes}
    made: dict[str, HAProxy | BeforeNodes] = {
        kind.__name__: kind(tmp_path_factory.mktemp("proxy"), nodes) for kind in (HAProxy, BeforeNodes)
    }
    try:
        for proxy in made.values():
            proxy.start()
        yield made
    finally:
        for proxy in made.values():
            proxy.stop()


@pytest.fixture(params=["HAProxy", "BeforeNodes"])
def port(request: pytest.FixtureRequest, proxies: dict[str, HAProxy | BeforeNodes]) -> int:
    return proxies[request.param].port


class Clients:
    """Threads that send one message after another, each by a connection of its own, until `statuses` is asked for."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{LOOPBACK}:{port}/rest"
        self._done = threading.Event()
        self._found: list[int] = []
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]
        for thread in self._threads:
            thread.start()

    def _send(self, sender: int) -> None:
        romeo = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
        number = 0
        with urllib3.PoolManager(retries=False, timeout=60) as http:
            while not self._done.is_set():
                body = {"to": f"admin@{GATEWAY}", "body": "o brave new world", "id": f"{sender}-{number}"}
                self._found.append(http.request("POST", self._url, json=body, headers=romeo).status)
                number += 1

    def so_far(self) -> int:
        return len(self._found)

    def until_more(self, count: int = 20) -> None:
        """Until so many more have been answered."""
        wanted = self.so_far() + count
        until(lambda: self.so_far() >= wanted)

    def statuses(self) -> set[int]:
        """The statuses of all answers, once the clients have ended."""
        self._done.set()
        for thread in self._threads:
            thread.join(60)
        return set(self._found)


def is_out(node: Node) -> Callable[[], bool]:
    """Whether a proxy that asks for it would leave this node out. By a connection of its own: one that is kept may be about to end."""
    return lambda: urllib3.request("GET", f"http://{LOOPBACK}:{node.port}/readyz", retries=False, timeout=30).status == 503


def test_a_node_that_is_drained_and_stopped_costs_no_request(machines: Machines, proxies: dict[str, HAProxy | BeforeNodes]) -> None:
    clients = Clients(proxies["HAProxy"].port)
    try:
        clients.until_more()
        owner = machines.owner()
        assert owner.command_line("cluster", "drain").returncode == 0
        until(is_out(owner))
        machines.owner(besides=owner)
        clients.until_more(200)  # more than HAProxy's two looks take
        owner.stop()
        clients.until_more(200)
        owner.start()
        machines.settle()
        clients.until_more()
    finally:
        statuses = clients.statuses()
    assert statuses == {202}


def test_what_comes_through_a_proxy_is_the_clients(machines: Machines, port: int) -> None:
    """Its address and its scheme, as far as they are told; and metrics of no node are for everybody."""
    romeo = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
    with urllib3.PoolManager(retries=False, timeout=60) as http:
        url = f"http://{LOOPBACK}:{port}"
        assert {http.request("GET", f"{url}/rest/ping/{GATEWAY}", headers=romeo).status for _ in range(8)} == {200}
        assert http.request("GET", f"{url}/metrics").status == 403
        large = http.request("POST", f"{url}/rest", body=b"x" * 300_000, headers=romeo | {"Content-Type": "text/plain"})
        assert large.status == 413


def test_a_node_that_is_killed_is_left_out_by_itself(machines: Machines, port: int) -> None:
    pinging = f"http://{LOOPBACK}:{port}/rest/ping/{GATEWAY}"
    romeo = make_headers(basic_auth=f"romeo@{GATEWAY}:{PASSWORD}")
    with urllib3.PoolManager(retries=False, timeout=60) as http:

        def statuses() -> set[int]:
            return {http.request("GET", pinging, headers=romeo).status for _ in range(20)}

        until(lambda: statuses() == {200})  # the proxy has seen both
        killed = machines.other(machines.owner())
        killed.kill()
        until(lambda: not answers(killed.port))  # what a process of it had let in before it ended breaks
        assert statuses() == {200}  # nothing was sent to it, so the other one can be asked
